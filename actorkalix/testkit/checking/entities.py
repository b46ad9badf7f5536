"""The sequential model of an entity: the user's own class, run by the engine that serves it.

What an entity does alone, one message after the other, is its specification; so nobody writes one a
second time. States are equal when their bytes, sequence numbers, ends and remembered replies are.
Replies are equal when their JSON is, or the values that it stands for (sets have no order).

Time stands still in a model, for nobody knows when between call and return an operation had its
moment. An entity whose time to live ends within the history therefore has no model, and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.engine import Instance, behavior_for
from actorkalix.errors import HistoryUnreadable, ModelFailed
from actorkalix.limits import Limits
from actorkalix.testkit.history import Operation, cut
from actorkalix_cluster.shardhost.behavior import BehaviorError, Step, image_of
from actorkalix_cluster.shardhost.messages import (
    Encoding,
    Failure,
    Message,
    MessageKind,
    Reply,
)

_NOW_MS = 1_700_000_000_000
_canonical = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class EntityState:
    """An entity between two operations; equal to whatever behaves alike.

    Attributes:
        image: bytes of the state.
        number: sequence number; handlers can read it.
        deleted: it takes no more changes.
        remembered: hashes of idempotency keys, with the replies kept under them.
        instance: what the engine goes on with.
    """

    image: bytes
    number: int
    deleted: bool
    remembered: frozenset[tuple[bytes, bytes]]
    instance: Instance = field(compare=False)


def model_of(
    component: type[Any], *, limits: Limits | None = None, lasts_ms: int = 0
) -> EntityModel:
    """The sequential model of an event sourced or a value entity.

    Args:
        component: its class.
        limits: of its service; the defaults when not given.
        lasts_ms: how long the history lasts, in milliseconds of the service's clock.

    Raises:
        NotInThisVersion: the component is of another kind.
    """
    return EntityModel(component, limits, lasts_ms)


class EntityModel:
    """A `Model` over `EntityState`; `model_of` makes it."""

    def __init__(self, component: Any, limits: Limits | None, lasts_ms: int) -> None:
        self._descriptor = descriptor_of(component)
        self._name = self._descriptor.cls.__name__
        self._behavior = behavior_for(self._descriptor, limits)
        self._image = image_of(self._behavior)
        self._replies = codecs_for(self._descriptor).replies
        self._lasts_ms = lasts_ms

    def initial(self, entity: str, /) -> EntityState:
        """As an id without records."""
        return self._state(self._behavior.empty(entity), frozenset())

    def step(self, state: EntityState, operation: Operation, /) -> tuple[bool, EntityState]:
        """Run the handler.

        Raises:
            ModelFailed: it changed the state in place, or time would matter.
            HistoryUnreadable: a command is called a query, or the other way round.
        """
        reply, after = self._run(state, operation)
        if operation.outcome == "unknown":
            return True, after
        return (True, after) if self._fits(operation, reply) else (False, state)

    def is_read(self, operation: Operation, /) -> bool:
        """Queries; and commands that were refused, unless the refusal is kept under a key."""
        refused = operation.outcome == "error" and not operation.key
        return operation.kind == "query" or refused

    def explain(self, state: EntityState, operation: Operation, /) -> str:
        """What it would be answered."""
        reply, _ = self._run(state, operation)
        if reply.failure is None:
            return f"it would be answered {cut(reply.payload.decode())}"
        failure = reply.failure
        return f"it would be refused: {failure.number} {failure.code} {cut(failure.message)}"

    # ---- within ----------------------------------------------------------------------------------
    def _run(self, state: EntityState, operation: Operation) -> tuple[Reply, EntityState]:
        message = self._message(state, operation)
        remembered = state.remembered
        try:
            if message.key:
                stored = dict(remembered).get(self._behavior.key_hash(message))
                if stored is not None:
                    return self._behavior.remembered(message, stored), state
            step = self._step(state.instance, message)
        except BehaviorError as refused:
            return self._unchanged(state, operation, refused.reply)
        reply, _ = self._unchanged(state, operation, step.reply)
        if reply.forward is not None:
            raise ModelFailed(
                f"{operation}: {self._name}.{operation.method} forwards, and a history does not "
                "say what that does elsewhere; leave it out (weights)"
            )
        if step.instance is state.instance:
            return reply, state
        self._check_time(step.instance, operation)
        kept = [(record.key, record.reply) for record in step.records if record.key]
        return reply, self._state(step.instance, remembered.union(kept))

    def _step(self, instance: Instance, message: Message) -> Step[Instance]:
        """What the user's handler raises becomes the answer that a host gives for it (ES-82)."""
        try:
            return self._behavior.step(instance, message, _NOW_MS)
        except BehaviorError:
            raise
        except Exception as problem:
            said = f"unexpected error ({type(problem).__name__}: {problem})"
            failure = Failure("AK2010", "internal", said)
            raise BehaviorError(Reply(failure=failure)) from problem

    def _message(self, state: EntityState, operation: Operation) -> Message:
        handler = self._descriptor.handlers.get(operation.method)
        if handler is not None and (handler.kind == "query") != (operation.kind == "query"):
            raise HistoryUnreadable(
                f"{operation}: {self._name}.{handler.name} is a {handler.kind}, "
                f"the history says {operation.kind}"
            )
        is_query = operation.kind == "query"
        return Message(
            MessageKind.QUERY if is_query else MessageKind.COMMAND,
            self._descriptor.component_id,
            state.instance.entity,
            operation.method,
            b"" if operation.arguments is None else _canonical(operation.arguments),
            key="" if is_query else operation.key,
            metadata=operation.metadata,
        )

    def _state(self, instance: Instance, remembered: frozenset[tuple[bytes, bytes]]) -> EntityState:
        image = self._image(instance)
        return EntityState(image, instance.number, instance.deleted_ms > 0, remembered, instance)

    def _unchanged(
        self, state: EntityState, operation: Operation, reply: Reply
    ) -> tuple[Reply, EntityState]:
        """The reply, and the state if it is what it was."""
        if self._image(state.instance) != state.image:
            raise ModelFailed(
                f"{operation}: {self._name}.{operation.method} changed the state in place; make a "
                "new one (dataclasses.replace) and hand it to an effect"
            )
        return reply, state

    def _check_time(self, instance: Instance, operation: Operation) -> None:
        if 0 < instance.expires_ms <= _NOW_MS + self._lasts_ms:
            raise ModelFailed(
                f"{operation}: {self._name}.{operation.method} gives it a time to live of "
                f"{instance.expires_ms - _NOW_MS} ms, which ends within the history of "
                f"{self._lasts_ms} ms; time stands still in a model"
            )

    def _fits(self, operation: Operation, reply: Reply) -> bool:
        if reply.failure is not None:
            return operation.outcome == "error" and _is_refusal(operation, reply.failure)
        return operation.outcome == "ok" and self._is_value(operation, reply.payload)

    def _is_value(self, operation: Operation, payload: bytes) -> bool:
        recorded = _canonical(operation.value)
        if recorded == payload or recorded == _canonical(msgspec.json.decode(payload)):
            return True
        decode = self._replies[operation.method].decode
        try:
            given: Any = decode(recorded, Encoding.JSON)
        except (msgspec.MsgspecError, ValueError):
            return False
        return bool(given == decode(payload, Encoding.JSON))


def _is_refusal(operation: Operation, failure: Failure) -> bool:
    """The error that was recorded, as far as it was, is this one."""
    error = operation.error
    assert error is not None, "a history holds together"
    if error.code != failure.code or error.number not in ("", failure.number):
        return False
    if failure.number != "AK2001":  # what the machinery says of a fault varies with its place
        return True
    details: Any = msgspec.json.decode(failure.details) if failure.details else None
    is_same = error.details is None or _canonical(error.details) == _canonical(details)
    return is_same and error.message in ("", failure.message)
