"""`ViewTestKit`: one view without a runtime, by the projection and the queries that serve it."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, overload

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    TableDescriptor,
    described,
)
from actorkalix.describe.marked import has_messages
from actorkalix.engine.publishing import topic_message
from actorkalix.engine.topic import TOPIC, partition_id
from actorkalix.errors import CommandError, DefinitionError, HandlerFailed
from actorkalix.model.entities import EventSourcedEntity, ValueEntity
from actorkalix.model.handlers import HandlerRef, StreamRef
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix.model.sources import Source
from actorkalix.model.workflows import Workflow
from actorkalix.runtime.virtual import START_MS
from actorkalix.views.memory import MemoryView
from actorkalix.viewsql.answers import Answer
from actorkalix.viewsql.functions import install
from actorkalix.viewsql.storage import TableStorage, quoted
from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    FEED_VERSION,
    Again,
    Batch,
    Fed,
    Place,
    Range,
)
from actorkalix_cluster.shardhost.feeding import Answer as Reached
from actorkalix_cluster.shardhost.messages import Encoding
from actorkalix_storage.api import RecordKind

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
E = TypeVar("E")
M = TypeVar("M")
C = TypeVar("C")

_SHARD = 0


class _Life(msgspec.Struct, frozen=True):
    """What the kit knows of an entity: its records so far, and where the first one stands."""

    incarnation: int = 0
    number: int = 0
    version: int = 0
    ended: bool = False


_NONE = _Life()


class ViewTestKit(Generic[C]):
    """Changes in, queries out: the tables of one view, in memory.

    Everything that crosses is written to bytes and read back, as in a running service (TK-08).
    Changes are made up by the test, the entities themselves do not run. Where a handler of the view
    raises, the kit raises the same; a running service would have the entity wait.

        kit = ViewTestKit(Carts)
        kit.event(ShoppingCart, "c1", ItemAdded(LineItem("p", "pen", 2)))
        assert kit.query(Carts.by_id, "c1") == CartRow("c1", 2, False)

    Args:
        view: its class.
    """

    def __init__(self, view: type[C], /) -> None:
        component = descriptor_of(view)
        if component.view is None:
            raise DefinitionError(f"{view.__name__} is no view; ViewTestKit takes one")
        self._name = view.__name__
        self._component = component
        self._view = component.view
        self._memory = MemoryView(component)
        weakref.finalize(self, self._memory.close)
        self._answers: dict[str, Answer] = {}
        self._place: Place = BEGINNING
        self._lives: dict[tuple[str, str], _Life] = {}
        self._now_ms = START_MS

    # ---- changes -----------------------------------------------------------------------------
    def event(
        self,
        source: type[EventSourcedEntity[Any, E]],
        entity_id: str,
        /,
        *events: E,
        metadata: Mapping[str, str] = NO_METADATA,
    ) -> ViewTestKit[C]:
        """This kit, when the view has taken these events of an entity.

        Raises:
            InvalidEffect: one is not among the entity's events.
            NotEncodable: one cannot be written.
            DefinitionError: the view has no table of this entity.
            Exception: what the handler raised.
        """
        codec = codecs_for(self._source(source)).stored
        for event in events:
            self._take(source, entity_id, RecordKind.EVENT, codec.encode_event(event, metadata))
        return self

    def snapshot(
        self, source: type[EventSourcedEntity[S, Any]], entity_id: str, state: S, /, events: int = 1
    ) -> ViewTestKit[C]:
        """This kit, when the view has begun an entity with a snapshot, in place of its events.

        Tables without `@on_snapshot` take no notice of it; they lack the events that it holds.

        Args:
            source: the entity's class.
            entity_id: of the entity.
            state: that the snapshot holds.
            events: so many of the entity's led to it that the view has not taken, 1 and up.

        Raises:
            NotEncodable: the state cannot be written.
            DefinitionError: the view has no table of this entity.
            Exception: what the handler raised.
        """
        payload = codecs_for(self._source(source)).stored.encode_state(state)
        self._take(source, entity_id, RecordKind.EVENT, b"", payload, events)
        return self

    def state(
        self, source: type[ValueEntity[S] | Workflow[S]], entity_id: str, state: S, /
    ) -> ViewTestKit[C]:
        """This kit, when the view has taken this state of a value entity or workflow.

        Raises:
            NotEncodable: it cannot be written.
            DefinitionError: the view has no table of this entity.
            Exception: what the handler raised.
        """
        codec = codecs_for(self._source(source)).stored
        self._take(source, entity_id, RecordKind.STATE, codec.encode_state(state))
        return self

    def delete(
        self,
        source: type[EventSourcedEntity[Any, Any] | ValueEntity[Any] | Workflow[Any]],
        entity_id: str,
        /,
    ) -> ViewTestKit[C]:
        """This kit, when the view knows that an entity was deleted.

        Raises:
            DefinitionError: the view has no table of this entity.
            Exception: what the handler raised.
        """
        self._source(source)
        self._take(source, entity_id, RecordKind.DELETED, b"")
        return self

    def message(
        self,
        topic: Source[M] | str,
        subject: str,
        value: M,
        /,
        *,
        metadata: Mapping[str, str] = NO_METADATA,
    ) -> ViewTestKit[C]:
        """This kit, when the view has taken this message of a topic or a stream.

        Args:
            topic: it, or the name of a topic.
            subject: of the message: whose row it is about.
            value: its data.
            metadata: attributes and other pairs of the message.

        Raises:
            NotEncodable: the value cannot be written.
            DefinitionError: the view has no table of it.
            Exception: what the handler raised.
        """
        source = Source[Any]("topic", topic) if isinstance(topic, str) else topic
        name = source.within
        if not any(_is_within(one.source, name) for one in self._view.tables.values()):
            self._refuse(_said(source))
        made = topic_message(value, Metadata(metadata), subject=subject, where="the message")
        payload = msgspec.msgpack.encode(made)
        self._apply(TOPIC, partition_id(name, 0), RecordKind.EVENT, payload)
        return self

    def advance(self, by: timedelta, /) -> ViewTestKit[C]:
        """This kit; the next change is so much later (`self.context.time`)."""
        self._now_ms += by // timedelta(milliseconds=1)
        return self

    # ---- rows and queries --------------------------------------------------------------------
    def rows(self, table: str, /) -> dict[str, Any]:
        """The rows of a table by subject, in the order of the subjects.

        Raises:
            KeyError: the view has no such table.
        """
        storage = TableStorage(self._view.tables[table].shape)
        text = f'SELECT "$subject", "$row" FROM {quoted(table)} ORDER BY "$subject"'
        return {subject: storage.decode(row) for subject, row in self._read(text, ())}

    @overload
    def query(self, query: HandlerRef[C, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def query(self, query: StreamRef[C, P, R], /, *args: P.args, **kwargs: P.kwargs) -> list[R]: ...
    def query(self, query: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run one query; a stream gives a list, one with updates that of the present rows.

        Raises:
            InvalidPayload: an argument is not of its declared type.
            CommandError: `not_found`: there is no row, and the query does not say that it may have
                none.
        """
        found = self._view.queries.get(query.name)
        if found is None:
            raise TypeError(f"{self._name} has no query {query.name!r}")
        codec = codecs_for(self._component)
        sent = codec.arguments[found.name].encode(args, kwargs, Encoding.MSGPACK)
        given, named = codec.arguments[found.name].decode(sent, Encoding.MSGPACK)
        names = [one.name for one in found.handler.parameters]
        values = found.placeholders({**dict(zip(names, given, strict=False)), **named})
        answer = self._answers.get(found.name)
        if answer is None:
            answer = self._answers[found.name] = Answer(found.query)
        with closing(sqlite3.connect(self._memory.uri, uri=True)) as connection:
            install(connection)
            made = answer.run(connection.execute, values)
            if found.streams:
                return list(made)
        if made is None and not found.query.optional:
            raise CommandError(f"{self._name}.{found.name} found no row", code="not_found")
        return made

    def close(self) -> None:
        """Forget everything; a kit that is dropped does it itself."""
        self._memory.close()

    # ---- within ----------------------------------------------------------------------------------
    def _read(self, text: str, parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(self._memory.uri, uri=True)) as connection:
            return connection.execute(text, parameters).fetchall()

    def _source(self, source: type[Any]) -> ComponentDescriptor:
        """The entity's descriptor; the view has a table of it."""
        if not any(one.source is source for one in self._view.tables.values()):
            self._refuse(getattr(source, "__name__", repr(source)))
        component = described(source)
        assert component is not None, "sources are components"
        return component

    def _refuse(self, source: str) -> NoReturn:
        known = ", ".join(dict.fromkeys(_called(one) for one in self._view.tables.values()))
        raise DefinitionError(f"{self._name} has no table of {source}; its sources are {known}")

    def _take(
        self,
        source: type[Any],
        entity: str,
        kind: RecordKind,
        payload: bytes,
        folded: bytes | None = None,
        count: int = 1,
    ) -> None:
        self._apply(self._source(source).component_id, entity, kind, payload, folded, count)

    def _apply(
        self,
        component: str,
        entity: str,
        kind: RecordKind,
        payload: bytes,
        folded: bytes | None = None,
        count: int = 1,
    ) -> None:
        """Hand a record to the projection.

        Raises:
            Exception: what the handler raised; the record then counts as never written.
        """
        begin, key = self._place, (component, entity)
        through = (0, 1, begin[2] + 1)
        life = self._lives.get(key, _NONE)
        if life.ended:
            life = _NONE  # an id that was deleted begins anew
        life = _Life(
            life.incarnation or through[2],
            life.number + count * (kind is not RecordKind.DELETED),  # a delete is no change
            life.version + count,
            ended=kind is RecordKind.DELETED,
        )
        fed = Fed(
            *(kind.value, component, entity, life.number, life.version, life.incarnation),
            *(1, through[2], self._now_ms, payload, folded),
        )
        part = Range(_SHARD, begin, through, through[2], (fed,))
        answer = self._send(ranges=(part,))
        held = [one for standing in answer.standings for one in standing.held]
        if not answer.reason:
            self._place = through
        if not held and not answer.reason:
            self._lives[key] = life
            return
        failed = [error for _, error in self._memory.projection.failed if error is not None]
        self._send(again=tuple(Again(one, through[2], ()) for one in held))
        if failed:
            raise failed[-1]
        raise HandlerFailed(answer.reason or held[-1].failure)

    def _send(self, *, ranges: tuple[Range, ...] = (), again: tuple[Again, ...] = ()) -> Reached:
        batch = Batch(FEED_VERSION, 0, 1, self._now_ms, ranges=ranges, again=again)
        return self._memory.projection.apply(batch)


def _is_within(source: Any, name: str) -> bool:
    return has_messages(source) and source.within == name


def _called(table: TableDescriptor) -> str:
    source = table.source
    name: str = _said(source) if has_messages(source) else source.__name__
    return name


def _said(source: Source[Any]) -> str:
    names = (source.service, source.name) if source.service else (source.name,)
    return f"{source.kind}({', '.join(map(repr, names))})"
