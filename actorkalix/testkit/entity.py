"""`EntityTestKit`: one entity without a runtime, by the engine that serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar, cast

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.engine import Instance, behavior_for
from actorkalix.errors import ActorkalixError, InvalidPayload
from actorkalix.failures import error_of
from actorkalix.model.component import ComponentClass
from actorkalix.model.handlers import HandlerRef
from actorkalix.runtime.development import development
from actorkalix_cluster.shardhost.behavior import BehaviorError, BehaviorFault, Step
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_storage.api import (
    Head,
    History,
    Position,
    Record,
    RecordKind,
    Snapshot,
    StoredRecord,
)

from .results import Result, forwarded

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
E = TypeVar("E")
C = TypeVar("C")

_START_MS = 1_700_000_000_000


class EntityTestKit(Generic[C, S, E]):
    """Plays commands and queries against one entity; keeps its state from call to call (TK-01).

    Everything that crosses is written to bytes and read back, as in a running service, and an error
    says what cannot make the round trip (TK-08). A handler that changes the state in place is an
    error too, and so is one that waits (sleeps, uses a socket, starts a process).

    Args:
        entity: the class of an event sourced or a value entity.
        entity_id: its id.
        state: state to start from, as if it had been stored.
        events: events to start from (event sourced entities), applied to `state` or the empty
            state.
    """

    def __init__(
        self,
        entity: ComponentClass[C, S, E],
        entity_id: str = "test",
        /,
        *,
        state: S | None = None,
        events: Sequence[E] = (),
    ) -> None:
        self._class = cast("type[Any]", entity)
        self._descriptor = descriptor_of(self._class)
        self._behavior = development(behavior_for(self._descriptor))
        self._codec = codecs_for(self._descriptor)
        self._now_ms = _START_MS
        self._metadata: tuple[tuple[str, str], ...] = ()
        self._stored: list[StoredRecord] = []
        self._base: Snapshot | None = None
        self._instance: Instance = self._behavior.empty(entity_id)
        if state is not None or events:
            self._begin(entity_id, state, events)

    # ---- what it holds ---------------------------------------------------------------------------
    @property
    def state(self) -> S:
        """The state now."""
        return cast("S", self._instance.state)

    @property
    def sequence_number(self) -> int:
        """Number of changes so far."""
        return self._instance.number

    @property
    def deleted(self) -> bool:
        """The entity was deleted or has expired."""
        return self._instance.deleted_ms > 0

    @property
    def all_events(self) -> list[E]:
        """Every event so far, those that the kit started from included."""
        return self._events(stored.record for stored in self._stored)

    # ---- what it does ----------------------------------------------------------------------------
    def with_metadata(self, metadata: Mapping[str, str], /) -> EntityTestKit[C, S, E]:
        """This kit; its next call carries the metadata."""
        self._metadata = tuple(metadata.items())
        return self

    def call(
        self, handler: HandlerRef[C, P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result[S, E, R]:
        """Run one handler; the kit then holds the new state.

        Raises:
            InvalidPayload: an argument is not of its declared type.
            NotEncodable, InvalidEffect, HandlerFailed: what the handler made breaks a rule.
            HandlerWaits: the handler slept, used a socket or started a process.
            AssertionError: the handler changed the state in place, or the state does not survive
                storage.
            Exception: whatever else the handler raised.
        """
        name = handler.name
        if name not in self._descriptor.handlers:
            raise TypeError(f"{self._class.__name__} has no handler {name!r}")
        message = self._message(name, args, kwargs)
        try:
            step = self._behavior.step(self._instance, message, self._now_ms)
        except BehaviorFault as fault:
            raise _error_of(fault) from fault.__cause__
        except BehaviorError as refused:
            error = _error_of(refused)
            if isinstance(error, InvalidPayload):
                raise error from None  # a mistake of the test, not an answer of the entity
            return Result(None, error, [], self.state, deleted=self.deleted)
        self._take(step)
        return self._result(name, step)

    def advance(self, by: timedelta, /) -> None:
        """Let time pass; an entity whose time to live is over is deleted (ES-54)."""
        self._now_ms += by // timedelta(milliseconds=1)
        expire = Message(MessageKind.EXPIRE, self._descriptor.component_id, self._instance.entity)
        self._take(self._behavior.step(self._instance, expire, self._now_ms))

    def restart(self) -> None:
        """Forget the instance and rebuild it from what was stored, as after a crash (ES-41)."""
        entity = self._instance.entity
        if not self._stored and self._base is None:
            self._instance = self._behavior.empty(entity)
        else:
            self._instance = self._behavior.restore(entity, self._history())

    # ---- within ----------------------------------------------------------------------------------
    def _begin(self, entity: str, state: S | None, events: Sequence[E]) -> None:
        codec, kind = self._codec.stored, RecordKind.EVENT
        payloads = [codec.encode_event(event) for event in events]
        if state is not None and self._descriptor.kind == "value":
            kind, payloads = RecordKind.STATE, [codec.encode_state(state)]
        elif state is not None:
            self._base = Snapshot(1, 0, 0, codec.encode_state(state))
        component = self._descriptor.component_id
        self._store(
            Record(kind, component, entity, number, self._now_ms, payload)
            for number, payload in enumerate(payloads, 1)
        )
        self._instance = self._behavior.restore(entity, self._history())

    def _message(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Message:
        metadata, self._metadata = self._metadata, ()
        is_query = self._descriptor.handlers[name].kind == "query"
        return Message(
            MessageKind.QUERY if is_query else MessageKind.COMMAND,
            self._descriptor.component_id,
            self._instance.entity,
            name,
            self._codec.arguments[name].encode(args, dict(kwargs), Encoding.MSGPACK),
            Encoding.MSGPACK,
            Encoding.MSGPACK,
            metadata=metadata,
        )

    def _take(self, step: Step[Instance]) -> None:
        self._store(step.records)
        self._instance = step.instance
        if not step.records:
            return
        state, image = self._instance.state, self._image()
        if not self._is_same(self._codec.stored.decode_state(image), state, image):
            raise AssertionError(
                f"{self._class.__name__}: the state read back from a snapshot is not the state"
            )
        self.restart()
        if not self._is_same(self._instance.state, state, image):
            raise AssertionError(
                f"{self._class.__name__}: the state after a restart is not the state before it; "
                "apply_event must depend on state and event alone"
            )

    def _is_same(self, other: Any, state: Any, image: bytes) -> bool:
        """The other state equals the state, or its bytes do: sets have an order only in bytes."""
        return other == state or self._codec.stored.encode_state(other) == image

    def _store(self, records: Any) -> None:
        for record in records:
            version = len(self._stored) + 1
            position = Position(0, 1, version)
            self._stored.append(StoredRecord(0, position, (1, version - 1), version, 1, record))

    def _history(self) -> History:
        last = self._stored[-1].record if self._stored else None
        version = len(self._stored)
        deleted_ms = next(
            (s.record.time_ms for s in self._stored if s.record.kind is RecordKind.DELETED), 0
        )
        head = Head(
            version,
            last.number if last else 0,
            1,
            1,
            version,
            deleted_ms=deleted_ms,
            expires_ms=last.expires_ms if last else 0,
        )
        wanted = RecordKind.STATE if self._descriptor.kind == "value" else RecordKind.EVENT
        records = tuple(stored for stored in self._stored if stored.record.kind is wanted)
        return History(head, self._base, records[-1:] if wanted is RecordKind.STATE else records)

    def _result(self, name: str, step: Step[Instance]) -> Result[S, E, Any]:
        reply = step.reply
        error = error_of(reply.failure) if reply.failure else None
        value = None
        if error is None and reply.forward is None:
            value = self._codec.replies[name].decode(reply.payload, Encoding.MSGPACK)
        expires_ms = step.records[-1].expires_ms if step.records else 0
        return Result(
            value,
            error,
            self._events(step.records),
            self.state,
            did_persist=bool(step.records),
            deleted=self.deleted,
            expires_after=timedelta(milliseconds=expires_ms - self._now_ms) if expires_ms else None,
            metadata=dict(reply.metadata),
            forward=None if reply.forward is None else forwarded(reply.forward),
        )

    def _events(self, records: Any) -> list[E]:
        decode = self._codec.stored.decode_event
        return [decode(record.payload)[0] for record in records if record.kind is RecordKind.EVENT]

    def _image(self) -> bytes:
        """The state's bytes."""
        return self._behavior.snapshot(self._instance).payload


def _error_of(refused: BehaviorError) -> ActorkalixError:
    failure = refused.reply.failure
    assert failure is not None, "a refusal says why"
    return error_of(failure)
