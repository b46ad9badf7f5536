"""Changes of entities on their way to the handlers of subscriptions.

A message with changes names the action and the method that takes them. Its payload is MessagePack,
an array of changes (`Change`, an array of fields each), for a method that takes one at a time an
array of one. The events, states and messages of topics in it are as they were stored; they become
objects where the handler runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.codec.stored import StoredCodec
from actorkalix.codec.topics import DataReader
from actorkalix.describe.descriptors import (
    ChangeHandler,
    ComponentDescriptor,
    Subscription,
    described,
)
from actorkalix.errors import StoredDataUnreadable, UnknownRoute
from actorkalix.model.component import Context
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix.model.stored import tag_of
from actorkalix_cluster.shardhost.messages import Message
from actorkalix_storage.api import RecordKind

from .publishing import attributes, event_time
from .topic import TopicMessage, read_message
from .workflow_control import entry_of

EVENT, STATE, DELETED = RecordKind.EVENT, RecordKind.STATE, RecordKind.DELETED
TAKEN = (EVENT, STATE, DELETED)
"""Kinds of records that are changes."""


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A change as it travels.

    Attributes:
        kind: `EVENT`, `STATE` or `DELETED`.
        entity: id of the entity, or of the topic's partition.
        number: its sequence number.
        time_ms: of the record.
        payload: what was stored.
        id: of the record, the same whenever it is delivered.
        delivery_id: of the record at this consumer.
    """

    kind: int
    entity: str
    number: int
    time_ms: int
    payload: bytes
    id: str
    delivery_id: str


class Called(NamedTuple):
    """A method of an action with what it takes."""

    handler: ChangeHandler
    args: tuple[Any, ...]
    context: Context


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Change, ...]).decode
_tag = msgspec.msgpack.Decoder(tuple[str, int, msgspec.Raw, msgspec.Raw]).decode


def pack_changes(changes: Sequence[Change]) -> bytes:
    """The payload of a message with changes."""
    return _encode(changes)


def as_change(
    source: ComponentDescriptor | None, kind: RecordKind, payload: bytes
) -> tuple[RecordKind, bytes] | None:
    """What a record is for those that follow its component; None where nothing has changed.

    A record of a workflow is a change where it has a new state of the user's (WF-52), and then it
    is as that of a value entity. Its other records are between the workflow and its host.

    Args:
        source: the component, None for a topic.
        kind, payload: of the record.
    """
    if source is None or source.kind != "workflow" or kind is not EVENT:
        return kind, payload
    try:
        state = entry_of(payload).state
    except msgspec.MsgspecError:
        return STATE, payload  # the codec says what is wrong with it
    return None if state is None else (STATE, state)


class Switch:
    """Which method of a subscription takes a change. Pure."""

    def __init__(self, subscription: Subscription) -> None:
        source = self._source = described(subscription.source)
        events = () if source is None else source.events
        tags = {stored.type: stored.tag for stored in events}
        handlers = subscription.handlers.values()
        self._by_tag = {
            tags.get(handler.only) or tag_of(handler.only)[0]: handler
            for handler in handlers
            if handler.only is not None
        }
        self._tag = _tag_of if source is not None else _type_of
        self._snapshots = next((one for one in handlers if one.snapshots), None)
        self._events = source is not None and source.kind == "event_sourced"
        whole = [one for one in handlers if one.only is None and not one.snapshots]
        self._deletes = next((one for one in whole if one.deletes), None)
        self._others = next((one for one in whole if not one.deletes), None)

    def handler(self, kind: RecordKind, payload: bytes) -> ChangeHandler | None:
        """The method for a record, or None where nobody takes it."""
        change = self.change(kind, payload)
        if change is None:
            return None
        kind, payload = change
        if kind is DELETED:
            return self._deletes
        if self._events and kind is STATE:
            return self._snapshots  # what has events has no state among its records
        if self._by_tag and kind is EVENT:
            return self._by_tag.get(self._tag(payload), self._others)
        return self._others

    def change(self, kind: RecordKind, payload: bytes) -> tuple[RecordKind, bytes] | None:
        """What a record is to the methods; see `as_change`."""
        return as_change(self._source, kind, payload)


def _tag_of(payload: bytes) -> str:
    """Under which name an event was stored."""
    try:
        return _tag(payload)[0]
    except msgspec.DecodeError:
        return ""  # the codec says what is wrong with it


def _type_of(payload: bytes) -> str:
    """Of which type a topic's message is."""
    try:
        return read_message(payload).type
    except msgspec.DecodeError:
        return ""  # whoever takes it says what is wrong with it


_Read: TypeAlias = Callable[[Message, Change], tuple[Any, Context]]
"""From a change in a message to what a handler takes, and to its context."""


class ChangeCode:
    """Reads messages with changes for the methods of one action.

    Args:
        descriptor: of the action.
    """

    def __init__(self, descriptor: ComponentDescriptor) -> None:
        self._id = descriptor.component_id
        self._handlers: dict[str, tuple[ChangeHandler, _Read]] = {}
        for subscription in descriptor.subscriptions:
            source = described(subscription.source)
            for name, handler in subscription.handlers.items():
                if source is None:
                    read = partial(_read_message, DataReader(handler.takes))
                else:
                    read = partial(_read_change, source, codecs_for(source).stored)
                self._handlers[name] = (handler, read)

    def called(self, message: Message) -> Called:
        """The method that a message is for, with what it takes.

        Raises:
            UnknownRoute: the action has no such method.
            StoredDataUnreadable: an event or state cannot be read by this version of the code.
            InvalidPayload: a topic's message is not what the method takes.
        """
        found = self._handlers.get(message.method)
        if found is None:
            raise UnknownRoute(f"{self._id} has no subscription {message.method!r}")
        handler, read = found
        taken = [read(message, change) for change in _decode(message.payload)]
        if handler.batch:
            context = Context(name=message.method, batch=tuple(context for _, context in taken))
            return Called(handler, ([value for value, _ in taken],), context)
        value, context = taken[0]
        return Called(handler, () if handler.deletes else (value,), context)


def _read_change(
    source: ComponentDescriptor, codec: StoredCodec, message: Message, change: Change
) -> tuple[Any, Context]:
    value: Any = None
    metadata: Metadata | None = None
    if change.kind == EVENT:
        value, metadata = codec.decode_event(change.payload)
    elif change.kind != DELETED:
        value = codec.decode_state(change.payload)
    event = Metadata(cloud_event(source.component_id, change))
    context = Context(
        name=message.method,
        metadata=event.merge(metadata or NO_METADATA),
        sequence_number=change.number,
        subject=change.entity,
        deleted=change.kind == DELETED,
        delivery_id=change.delivery_id,
    )
    return value, context


def _read_message(reader: DataReader, message: Message, change: Change) -> tuple[Any, Context]:
    made = _stored_message(change)
    context = Context(
        name=message.method,
        metadata=attributes(change.entity, change.number, change.time_ms, made),
        subject=made.subject,
        delivery_id=change.delivery_id,
    )
    return reader.read(made.data, made.content_type, made.type), context


def _stored_message(change: Change) -> TopicMessage:
    try:
        return read_message(change.payload)
    except msgspec.DecodeError as problem:
        where = f"{change.entity}, message {change.number}"
        raise StoredDataUnreadable(f"{where}: {problem}") from problem


def cloud_event(component: str, change: Change) -> tuple[tuple[str, str], ...]:
    """Attributes of a change as a CloudEvent (version 1.0 of its specification)."""
    tag = "deleted" if change.kind == DELETED else _tag_of(change.payload)
    return (
        ("ce-specversion", "1.0"),
        ("ce-id", change.id),
        ("ce-source", component),
        ("ce-type", tag),
        ("ce-subject", change.entity),
        ("ce-time", event_time(change.time_ms)),
        ("ce-sequence", str(change.number)),
    )
