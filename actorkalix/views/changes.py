"""From the records of a source to what the handlers of a view's table get. Pure.

Events and states are read by the codec of the component that stored them, older versions lifted by
its migrations; messages of a topic by the type that the handler takes. Which row a record is about
is the entity's id, or the subject of a message.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.codec.topics import DataReader
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    TableDescriptor,
    TableHandler,
    described,
)
from actorkalix.engine.changes import Change, cloud_event
from actorkalix.engine.publishing import attributes
from actorkalix.engine.topic import TOPIC, TopicMessage, partition_prefix, read_message
from actorkalix.engine.workflow_control import entry_of
from actorkalix.errors import StoredDataUnreadable
from actorkalix.model.component import Context
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix.model.stored import tag_of
from actorkalix_cluster.shardhost.feeding import Fed
from actorkalix_storage.api import RecordKind

EVENT, STATE, DELETED = RecordKind.EVENT.value, RecordKind.STATE.value, RecordKind.DELETED.value
CLEANED = RecordKind.CLEANED.value


class Taken(NamedTuple):
    """A change with who takes it.

    Attributes:
        value: event, state or message.
        handler: that takes it; None where nobody does, or where it is the row itself.
            Without a value either, nothing has changed.
        context: of the handler.
    """

    value: Any
    handler: TableHandler | None
    context: Context


class SourceReader(Protocol):
    """Reads the records of one source for one table.

    Attributes:
        component, prefix: whose records, and how the ids of its entities begin.
        is_gapless: each change of a subject has the number after that of the one before.
        cleans: subjects end with a notice, and may begin anew.
    """

    component: str
    prefix: str
    is_gapless: bool
    cleans: bool

    def subject(self, fed: Fed, /) -> str:
        """Which row a record is about; "" where it does not say."""
        ...

    def read(self, fed: Fed, /) -> Taken:
        """The change in a record (`EVENT` or `STATE`), and who takes it.

        Raises:
            StoredDataUnreadable, InvalidPayload: it cannot be read by this version of the code.
        """
        ...

    def snapshot(self, fed: Fed, /) -> Any:
        """The state that a record was folded into.

        Raises:
            StoredDataUnreadable: it cannot be read by this version of the code.
        """
        ...

    def context(self, fed: Fed, name: str, /) -> Context:
        """What a handler knows of a record that is no change."""
        ...


class LaterMetadata(Metadata):
    """Metadata of a change that are made when somebody looks at them: few handlers do."""

    __slots__ = ("_component", "_fed", "_stored")

    def __init__(self, component: str, fed: Fed, stored: Metadata | None) -> None:
        self._component = component
        self._fed = fed
        self._stored = stored

    def __getattr__(self, name: str) -> Any:
        if name != "pairs":
            raise AttributeError(name)
        fed = self._fed
        made = f"{fed.epoch}-{fed.offset}"
        change = Change(
            *(fed.kind, fed.entity, fed.number, fed.time_ms, fed.payload), id=made, delivery_id=""
        )
        pairs = cloud_event(self._component, change)
        self.pairs = (*pairs, *(self._stored or NO_METADATA).pairs)
        return self.pairs


class EntityReader:
    """A `SourceReader` of entities and workflows: events, or states.

    Args:
        table: that takes them.
        source: the entity's descriptor.
    """

    prefix = ""
    cleans = True

    def __init__(self, table: TableDescriptor, source: ComponentDescriptor) -> None:
        self.component = source.component_id
        self.is_gapless = source.kind == "event_sourced"
        self._is_workflow = source.kind == "workflow"
        codec = codecs_for(source).stored
        self._event, self._state = codec.decode_event, codec.decode_state
        self._table = table
        self._handlers: dict[type[Any], TableHandler | None] = {}

    def subject(self, fed: Fed, /) -> str:
        return fed.entity

    def read(self, fed: Fed, /) -> Taken:
        metadata: Metadata | None = None
        if self._is_workflow:
            state = _state_of(fed)
            if state is None:
                return Taken(None, None, self.context(fed, ""))
            fed = msgspec.structs.replace(fed, kind=STATE, payload=state)
        if fed.kind == EVENT:
            value, metadata = self._event(fed.payload)
        else:
            value = self._state(fed.payload)
        cls: type[Any] = value.__class__
        if cls in self._handlers:
            handler = self._handlers[cls]
        else:
            handler = self._handlers[cls] = self._table.handler_of(value)
        return Taken(value, handler, self._context(fed, cls.__name__, metadata))

    def snapshot(self, fed: Fed, /) -> Any:
        assert fed.folded, "the record has a snapshot"
        return self._state(fed.folded)

    def context(self, fed: Fed, name: str, /) -> Context:
        return self._context(fed, name, None)

    def _context(self, fed: Fed, name: str, metadata: Metadata | None) -> Context:
        return Context(
            name=name,
            metadata=LaterMetadata(self.component, fed, metadata),
            sequence_number=fed.number,
            subject=fed.entity,
            deleted=fed.kind == DELETED,
            time=time_of(fed),
        )


def _state_of(fed: Fed) -> bytes | None:
    """The user's state in a record of a workflow; None where it has not changed (WF-52).

    All other records of a workflow are between it and its host.
    """
    if fed.kind != EVENT:
        return fed.payload
    try:
        return entry_of(fed.payload).state
    except msgspec.MsgspecError:
        return fed.payload  # the codec says what is wrong with it


class TopicReader:
    """A `SourceReader` of the messages of a topic or stream.

    Args:
        table: that takes them.
    """

    component = TOPIC
    is_gapless = False
    cleans = False

    def __init__(self, table: TableDescriptor) -> None:
        self.prefix = partition_prefix(table.source.within)
        handlers = table.handlers
        self._by_tag = {tag_of(one.only)[0]: one for one in handlers if one.only is not None}
        self._other = next((one for one in handlers if one.only is None), None)
        self._readers = {one.name: DataReader(one.takes) for one in handlers}
        self._row = DataReader(table.shape.row) if table.pass_through else None

    def subject(self, fed: Fed, /) -> str:
        try:
            return read_message(fed.payload).subject
        except msgspec.DecodeError:
            return ""

    def read(self, fed: Fed, /) -> Taken:
        made = self._message(fed)
        handler = self._by_tag.get(made.type, self._other)
        reader = self._row if handler is None else self._readers[handler.name]
        value = None
        if reader is not None:
            value = reader.read(made.data, made.content_type, made.type)
        context = Context(
            name=made.type,
            metadata=attributes(fed.entity, fed.number, fed.time_ms, made),
            sequence_number=fed.number,
            subject=made.subject,
            time=time_of(fed),
        )
        return Taken(value, handler, context)

    def snapshot(self, fed: Fed, /) -> Any:
        raise AssertionError("topics have no snapshots")

    def context(self, fed: Fed, name: str, /) -> Context:
        return Context(
            name=name, sequence_number=fed.number, subject=self.subject(fed), time=time_of(fed)
        )

    def _message(self, fed: Fed) -> TopicMessage:
        try:
            return read_message(fed.payload)
        except msgspec.DecodeError as problem:
            raise StoredDataUnreadable(f"{fed.entity}, message {fed.number}: {problem}") from None


def reader_of(table: TableDescriptor) -> SourceReader:
    """Who reads the records of a table's source."""
    source = described(table.source)
    return TopicReader(table) if source is None else EntityReader(table, source)


def time_of(fed: Fed) -> datetime:
    """When a record was written."""
    return datetime.fromtimestamp(fed.time_ms / 1000, UTC)
