"""Steps of workflows: from a STEP message to what the attempt has decided.

Theory of operation. Each attempt gets a fresh object of the user's class (WF-04): state and input
are decoded from bytes, what is decided leaves as bytes, wherever it runs: on the loop of a host, in
a Ray task, in a test kit. Whatever the step does, an outcome comes of it: what it raises, garbage
that it returns, a state that is too large, an input that does not fit (any more), a step that is
not there (any more) are failed attempts, and the workflow's recovery says what follows.

Fields of `self` end with the attempt; that they were set is told, for who sets them means
otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe.descriptors import ComponentDescriptor, StepDescriptor
from actorkalix.errors import (
    ActorkalixError,
    CommandError,
    HandlerFailed,
    InvalidEffect,
    NotEncodable,
    UnknownStep,
)
from actorkalix.failures import failure_of
from actorkalix.limits import FAILURE_CHARS_MAX, Limits
from actorkalix.model.component import Context, Live, Noted
from actorkalix.model.effects import Decision, Effect
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix.model.workflow_effects import StepEffect
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message
from actorkalix_cluster.shardhost.outgoing import pack_messages

from .action import Report, Threads
from .replies import raised
from .requests import caused_by
from .workflow_messages import StepFailed, StepInput, StepOutcome, unpack_input
from .workflow_outcome import outcome_of

Fields = Callable[[Message, tuple[str, ...]], object]
"""Is told of a step that has set fields of `self`, and of which."""


class StepCode:
    """Runs the steps of a workflow.

    Args:
        descriptor: of the workflow.
        limits: bounds of states; the defaults when not given.
        report: is told of steps that failed otherwise than by a domain error.
        passing: exceptions that end whatever runs the step, not the step alone.
        threads: where plain functions run; without it they run in `run` itself.
        fields: see `Fields`; nobody is told when not given.
    """

    def __init__(
        self,
        descriptor: ComponentDescriptor,
        limits: Limits | None = None,
        *,
        report: Report,
        passing: tuple[type[BaseException], ...] = (GeneratorExit,),
        threads: Threads[Any] | None = None,
        fields: Fields | None = None,
    ) -> None:
        codec = codecs_for(descriptor)
        self._descriptor = descriptor
        self._cls = descriptor.cls
        self._steps = descriptor.steps
        self._inputs = codec.steps
        self._stored = codec.stored
        self._limits = limits or Limits()
        self._report = report
        self._passing = passing
        self._threads = threads
        self._fields = fields

    async def run(self, message: Message, live: Live) -> StepOutcome:
        """Run the step that a message names.

        Args:
            message: of the kind STEP.
            live: its client, timers and resources; the rest of it is filled in.

        Cancellation: cancels the step.
        """
        component: Any = self._cls()
        try:
            given = unpack_input(message.payload)
            step = self._step(message.method)
            args, kwargs = self._inputs[message.method].decode(given.arguments, Encoding.MSGPACK)
            self._fill(live, message, given)
            before = _fields(component)
            component._live = live
            returned = await self._returned(step, component, args, kwargs)
            self._tell_fields(component, before, message)
            decision = self._decision(step, returned)
            decision = msgspec.structs.replace(decision, undo=(*live.noted.undo, *decision.undo))
            opened = tuple(live.noted.promises)
            return outcome_of(self._descriptor, decision, message, self._limits, opened=opened)
        except BaseException as problem:
            if isinstance(problem, self._passing):
                raise
            return self.failed(problem, message, live.noted)
        finally:
            component._live = None

    def failed(self, problem: BaseException, message: Message, noted: Noted) -> StepOutcome:
        """The outcome of an attempt that ended by this."""
        failure = self._failure(problem, message)
        named = StepFailed(failure, tuple(_names(type(problem))))
        try:
            timeless = msgspec.structs.replace(message, deadline_ms=0)
            undo = [pack_messages([caused_by(timeless, one.request)]) for one in noted.undo]
            return StepOutcome(failed=named, undo=tuple(undo))
        except (ActorkalixError, TypeError) as unfit:
            self._report(message, unfit)
            return StepOutcome(failed=named)

    # ---- running ---------------------------------------------------------------------------------
    def _step(self, name: str) -> StepDescriptor:
        step = self._steps.get(name)
        if step is None:
            known = ", ".join(self._steps) or "none"
            raise UnknownStep(
                f"{self._cls.__name__} has no step {name!r} (any more), it has {known}; "
                "write it again, or restart the workflow from another step"
            )
        return step

    def _fill(self, live: Live, message: Message, given: StepInput) -> None:
        live.state = None if given.state is None else self._stored.decode_state(given.state)
        live.entity_id = message.entity
        live.context = Context(
            name=message.method,
            metadata=Metadata(message.metadata) if message.metadata else NO_METADATA,
            sequence_number=given.sequence_number,
            subject=message.entity,
            delivery_id=message.key,
            attempt=given.attempt,
        )

    async def _returned(
        self, step: StepDescriptor, component: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        fn = step.handler.fn
        if self._threads is None or step.is_async:
            returned = fn(component, *args, **kwargs)
        else:
            returned = await self._threads(lambda: fn(component, *args, **kwargs))
        return await returned if hasattr(returned, "__await__") else returned

    def _decision(self, step: StepDescriptor, returned: Any) -> Decision:
        if isinstance(returned, StepEffect):
            return returned.decision
        if inspect.isgenerator(returned) or inspect.iscoroutine(returned):
            returned.close()
        where = f"{self._cls.__name__}.{step.attribute}"
        got, hint = type(returned).__name__, "return self.effects.transition_to(...) or .end()"
        if isinstance(returned, Effect):
            hint = "a step has no reply, leave .then_reply(...) out"
        elif hasattr(returned, "transition_to"):
            hint = "say what comes next: .transition_to(...), .pause(...) or .end()"
        raise InvalidEffect(f"{where} returned {got}, no step's effect; {hint}")

    def _tell_fields(self, component: Any, before: dict[str, Any], message: Message) -> None:
        if self._fields is None:
            return
        changed = tuple(
            name
            for name, value in _fields(component).items()
            if name != "_live" and (name not in before or before[name] is not value)
        )
        if changed:
            self._fields(message, changed)

    # ---- failures --------------------------------------------------------------------------------
    def _failure(self, problem: BaseException, message: Message) -> Failure:
        if isinstance(problem, CommandError):
            try:
                return _cut(failure_of(problem))
            except NotEncodable as unfit:
                problem = unfit
        if isinstance(problem, ActorkalixError):
            if problem.number.startswith("AK20"):
                self._report(message, problem)
            return _cut(failure_of(problem))
        self._report(message, problem)
        said = raised(f"{self._cls.__name__}.{message.method}", problem)
        return _cut(failure_of(HandlerFailed(said)))


def _fields(component: object) -> dict[str, Any]:
    """The fields of an object as they are now."""
    return dict(component.__dict__)


def _names(kind: type[BaseException]) -> Iterator[str]:
    """An exception's class and its bases, as `final=` compares them."""
    return (one.__name__ for one in kind.__mro__ if issubclass(one, BaseException))


def _cut(failure: Failure) -> Failure:
    """Every attempt is a record: what is written of it has a bound."""
    if len(failure.message) <= FAILURE_CHARS_MAX:
        return failure
    return msgspec.structs.replace(failure, message=failure.message[:FAILURE_CHARS_MAX] + "…")
