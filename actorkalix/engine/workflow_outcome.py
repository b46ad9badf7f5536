"""From what a command or a step of a workflow has decided to what travels and is stored.

One function for both: a command is decided in the engine, a step wherever it runs. What it makes is
bytes, so that a step may run in another process than the workflow; what cannot become bytes is the
handler's fault, found while it can still fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from actorkalix.codec import codecs_for
from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.errors import InvalidEffect, InvalidPayload, ResultTooLarge
from actorkalix.limits import Limits
from actorkalix.model.calls import Call
from actorkalix.model.effects import Decision
from actorkalix.model.transitions import (
    Compensate,
    End,
    Pause,
    StartChildren,
    ToStep,
    WaitFor,
)
from actorkalix_cluster.shardhost.messages import Encoding, Message
from actorkalix_cluster.shardhost.outgoing import pack_messages

from .requests import caused_by, keyed
from .workflow_messages import (
    Finish,
    GoTo,
    PauseFor,
    StartAll,
    StepOutcome,
    UndoAll,
    WaitOn,
    WireNext,
)

SIDE_EFFECTS_FROM = 1_000_000
"""Number of the first side effect among the calls of its handler; a step sends others itself, which
are counted from 0, and two of one number would be one call to whoever is called."""

_MS = timedelta(milliseconds=1)


def outcome_of(
    descriptor: ComponentDescriptor,
    decision: Decision,
    cause: Message,
    limits: Limits,
    *,
    opened: tuple[str, ...] = (),
) -> StepOutcome:
    """What a decision comes to.

    Args:
        descriptor: of the workflow.
        decision: of its command or step; whoever asks has looked for an error in it.
        cause: the message whose handler decided.
        limits: bounds of what is stored.
        opened: promises that the handler has named.

    Raises:
        InvalidEffect: it names what the workflow has not, or gives a step an input that it does not
            take.
        NotEncodable, ResultTooLarge: something in it cannot be stored.
        UnknownRoute, TypeError, InvalidEntityId, InvalidIdempotencyKey: a call in it is none.
    """
    made = _Made(descriptor, cause, limits)
    calls = [
        caused_by(cause, keyed(cause, call.request, SIDE_EFFECTS_FROM + nth))
        for nth, call in enumerate(decision.side_effects)
    ]
    return StepOutcome(
        made.next(decision),
        made.state(decision.state) if decision.has_state else None,
        tuple(made.call(call) for call in decision.undo),
        pack_messages(calls) if calls else b"",
        opened,
        notes=made.notes(decision.notes) if decision.notes else (),
    )


def input_of(
    descriptor: ComponentDescriptor,
    step: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None = None,
) -> bytes:
    """The input of a step in MessagePack, read back once.

    Raises:
        InvalidEffect: there is no such step, or it does not take this.
    """
    where = descriptor.cls.__name__
    codec = codecs_for(descriptor).steps.get(step)
    if codec is None:
        known = ", ".join(sorted(descriptor.steps)) or "none"
        raise InvalidEffect(f"{where} has no step {step!r}; they are {known}")
    try:
        arguments = codec.encode(args, kwargs or {}, Encoding.MSGPACK)
        codec.decode(arguments, Encoding.MSGPACK)
    except (TypeError, InvalidPayload) as problem:
        raise InvalidEffect(f"{where} goes on with step {step!r}: {problem}") from problem
    return arguments if descriptor.steps[step].handler.parameters else b""


class _Made:
    """What a decision's parts come to."""

    def __init__(self, descriptor: ComponentDescriptor, cause: Message, limits: Limits) -> None:
        self._descriptor = descriptor
        self._cause = cause
        self._limits = limits

    def state(self, state: Any) -> bytes:
        encoded = codecs_for(self._descriptor).stored.encode_state(state)
        self._check_size("state", len(encoded), self._limits.state_bytes_max)
        return encoded

    def call(self, call: Call[Any]) -> bytes:
        """An undo call, or one that starts a child: the workflow gives it its key."""
        packed = pack_messages([caused_by(self._cause, call.request)])
        self._check_size("a call", len(packed), self._limits.payload_bytes_max)
        return packed

    def notes(self, notes: tuple[Any, ...]) -> tuple[bytes, ...]:
        handlers = self._descriptor.handlers.values()
        name = next((each.name for each in handlers if each.kind == "notifications"), None)
        if name is None:
            where = self._descriptor.cls.__name__
            raise InvalidEffect(
                f"{where} has nobody to notify: no method of it is marked @notifications"
            )
        codec = codecs_for(self._descriptor).replies[name]
        told = tuple(codec.encode(note, Encoding.MSGPACK) for note in notes)
        size = sum(map(len, told))
        self._check_size("notifications of an effect", size, self._limits.payload_bytes_max)
        return told

    def next(self, decision: Decision) -> WireNext | None:
        if decision.delete:
            return Finish(delete=True)
        match decision.transition:
            case ToStep(step, args, kwargs):
                return GoTo(step, self._input(step, args, kwargs))
            case Pause(reason, timeout, then, command):
                return self._pause(reason, _ms(timeout), then or "", command or "")
            case WaitFor(promise, then, timeout, on_timeout):
                self._has(then)
                if on_timeout:
                    self._input(on_timeout)
                return WaitOn(promise, then, _ms(timeout), on_timeout or "")
            case StartChildren(calls, then, single):
                self._has(then)
                return StartAll(tuple(self.call(call) for call in calls), then, single)
            case Compensate(then, reason):
                if then:
                    self._input(then)
                return UndoAll(then or "", reason)
            case End(reason, delete):
                return Finish(reason, delete)
            case None:
                return None

    def _pause(self, reason: str, timeout_ms: int, step: str, command: str) -> PauseFor:
        if step:
            self._input(step)
        handler = self._descriptor.handlers.get(command)
        if command and (handler is None or handler.kind != "command"):
            where = self._descriptor.cls.__name__
            raise InvalidEffect(f"{where} has no command {command!r} to run after a pause")
        return PauseFor(reason, timeout_ms, step, command)

    def _input(
        self, step: str, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> bytes:
        arguments = input_of(self._descriptor, step, args, kwargs)
        self._check_size(f"input of step {step!r}", len(arguments), self._limits.payload_bytes_max)
        return arguments

    def _has(self, step: str) -> None:
        if step not in self._descriptor.steps:
            known = ", ".join(sorted(self._descriptor.steps)) or "none"
            where = self._descriptor.cls.__name__
            raise InvalidEffect(f"{where} has no step {step!r}; they are {known}")

    def _check_size(self, what: str, size: int, size_max: int) -> None:
        if size > size_max:
            where = self._descriptor.component_id
            raise ResultTooLarge(f"{where}: {what} of {size} bytes, the limit is {size_max}")


def _ms(wait: timedelta | None) -> int:
    """Parts of a millisecond count as a whole one: nothing ends early."""
    return 0 if wait is None else -(-wait // _MS)
