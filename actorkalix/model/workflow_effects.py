"""Effects of workflows: a new state, what comes next, and how to undo what was done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

import msgspec

from actorkalix.model.calls import Call, positive
from actorkalix.model.effects import Decided, Decision, Effect, Effects, constant, not_none
from actorkalix.model.names import check_promise_name, check_reason
from actorkalix.model.steps import BoundStep
from actorkalix.model.transitions import (
    ChildEnd,
    Compensate,
    End,
    Next,
    Pause,
    StartChildren,
    ToStep,
    WaitFor,
)

if TYPE_CHECKING:
    from typing import Self

S = TypeVar("S")
R = TypeVar("R")
T = TypeVar("T")
P = ParamSpec("P")
T_co = TypeVar("T_co", covariant=True)


class Promise(Generic[T_co]):
    """Something that somebody outside will say: see `Workflow.promise`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = check_promise_name(name)

    def __repr__(self) -> str:
        return f"<promise {self.name!r}>"


class StepEffect(Decided):
    """What a workflow does next."""

    __slots__ = ()

    def with_undo(self, call: Call[Any], /) -> Self:
        """Register how to undo what this step has done; see `effects.compensate`.

        Args:
            call: unsent. It counts from when this effect is durable.
        """
        call.spend("handed to .with_undo(...)")
        return self._with(undo=(*self.decision.undo, call))

    def notify(self, message: object, /) -> Self:
        """Tell this to those who listen by now, when this effect is durable; see `notifications`.

        Args:
            message: of the type that the workflow's `@notifications` method streams.
        """
        return self._with(notes=(*self.decision.notes, message))


class Transition(StepEffect):
    """A next step, as a step returns it; with `then_reply` an `Effect`, as a command returns it."""

    __slots__ = ()

    def then_reply(self, reply: R, /) -> Effect[R]:
        """Reply with this value when state and transition are durable."""
        return Effect(msgspec.structs.replace(self.decision, reply=constant(reply)))


class Transitions:
    """What may come after a workflow's command or step."""

    __slots__ = ("_owner",)

    def __init__(self, owner: type[Any] = object) -> None:
        self._owner = owner  # class of the workflow

    def _decided(self) -> Decision:
        return Decision()

    def transition_to(self, step: BoundStep[P], /, *args: P.args, **kwargs: P.kwargs) -> Transition:
        """Go on with this step (`self.deposit`) and its input."""
        return self._transition(ToStep(self._step(step, "transition_to"), args, kwargs))

    def pause(
        self,
        reason: str = "",
        /,
        *,
        timeout: timedelta | None = None,
        then: BoundStep[[]] | Callable[[], Effect[Any]] | None = None,
    ) -> Transition:
        """Wait for a command.

        Args:
            reason: for those who look; not blank.
            timeout: after this time it goes on by itself, with `then`.
            then: a step without input (`self.give_up`), or a command without parameters, which is
                run as if somebody had called it.

        Raises:
            ValueError: `timeout` and `then` go together, and one is missing.
        """
        if (timeout is None) is not (then is None):
            raise ValueError("timeout= says when, then= with which step: a pause has both or none")
        until = None if timeout is None else positive(timeout, "timeout of a pause")
        step = self._step(then, "then=") if isinstance(then, BoundStep) else None
        command = None if then is None or isinstance(then, BoundStep) else self._command(then)
        return self._transition(Pause(check_reason(reason), until, step, command))

    def wait_for(
        self,
        promise: Promise[T],
        /,
        *,
        then: BoundStep[[T]] | BoundStep[[]],
        timeout: timedelta | None = None,
        on_timeout: BoundStep[[]] | None = None,
    ) -> Transition:
        """Wait until somebody resolves a promise; no process waits meanwhile.

        It is resolved by `POST /{workflow}/{id}/promises/{name}`, or by
        `client.workflow(T, id).resolve(name, value)`.

        Args:
            promise: `self.promise("approval", bool)`.
            then: the step that goes on with its value, if it takes one.
            timeout: how long at most.
            on_timeout: the step with which it goes on then.

        Raises:
            ValueError: `timeout` and `on_timeout` go together, and one is missing.
        """
        if (timeout is None) is not (on_timeout is None):
            raise ValueError("timeout= says when, on_timeout= with which step: give both or none")
        until = None if timeout is None else positive(timeout, "timeout of a promise")
        late = None if on_timeout is None else self._step(on_timeout, "on_timeout=")
        _check_promise(promise)
        return self._transition(WaitFor(promise.name, self._step(then, "then="), until, late))

    def start_child(self, call: Call[Any], /, *, then: BoundStep[[ChildEnd]]) -> Transition:
        """Start another workflow, and go on when it has ended.

        It is terminated when this one ends otherwise: by its timeout, or terminated.

        Args:
            call: unsent, of a command of a workflow: `self.client.workflow(T, id).start(...)`.
            then: the step that goes on with how it ended.
        """
        return self._children((call,), self._step(then, "then="), single=True)

    def start_children(self, *calls: Call[Any], then: BoundStep[[list[ChildEnd]]]) -> Transition:
        """Start other workflows, and go on when all have ended; see `start_child`.

        Args:
            calls: at least one, of different workflows.
            then: the step that goes on with how they ended, in the order of the calls.
        """
        if not calls:
            raise ValueError("start_children(...) takes at least one call")
        return self._children(calls, self._step(then, "then="), single=False)

    def compensate(self, reason: str = "", /, *, then: BoundStep[[]] | None = None) -> Transition:
        """Undo what was done: make the undo calls that were registered, the newest first.

        Each is made again until it succeeds, as by a timer.

        Args:
            reason: of the end; not blank.
            then: the step with which it goes on after that; without it the workflow ends.
        """
        step = None if then is None else self._step(then, "then=")
        return self._transition(Compensate(step, check_reason(reason)))

    def end(self, reason: str = "", /) -> Transition:
        """The workflow is done; queries still see its state."""
        return self._transition(End(check_reason(reason)))

    def delete_workflow(self, reason: str = "", /) -> Transition:
        """The workflow is done and its state goes."""
        return self._transition(End(check_reason(reason), delete=True))

    def _children(self, calls: tuple[Call[Any], ...], then: str, *, single: bool) -> Transition:
        for call in calls:
            if not getattr(call.request.component, "_is_workflow", False):
                raise TypeError(f"{call!r} starts no workflow: call a command of one")
            call.spend("handed to effects.start_child(...)")
        return self._transition(StartChildren(calls, then, single))

    def _step(self, step: object, where: str) -> str:
        """WF-05: a step of another class would not be found when it is to run."""
        if not isinstance(step, BoundStep):
            raise TypeError(
                f"{where} takes a step of this workflow, as in self.deposit; got {step!r}"
            )
        if self._owner is not object and not issubclass(self._owner, step.owner):
            raise TypeError(
                f"{where}: {step.name} is a step of {step.owner.__name__}, "
                f"not of {self._owner.__name__}"
            )
        return step.name

    def _command(self, handler: Callable[[], Effect[Any]]) -> str:
        name = getattr(handler, "__name__", "")
        bound = getattr(handler, "__self__", None)
        if not name or bound is None or not isinstance(bound, self._owner):
            raise TypeError(
                "then= takes a step or a command of this workflow, as in self.give_up; "
                f"got {handler!r}"
            )
        return str(name)

    def _transition(self, transition: Next) -> Transition:
        return Transition(msgspec.structs.replace(self._decided(), transition=transition))


class WorkflowUpdate(Transitions, Generic[S]):
    """A workflow's new state, without what comes next."""

    __slots__ = ("_decision",)

    def __init__(self, state: S, owner: type[Any] = object) -> None:
        super().__init__(owner)
        self._decision = Decision(state=state, has_state=True)

    def _decided(self) -> Decision:
        return self._decision

    def with_undo(self, call: Call[Any], /) -> WorkflowUpdate[S]:
        """Register how to undo what this step has done; see `effects.compensate`."""
        call.spend("handed to .with_undo(...)")
        made: WorkflowUpdate[S] = WorkflowUpdate(self._decision.state, self._owner)
        undo = (*self._decision.undo, call)
        made._decision = msgspec.structs.replace(self._decision, undo=undo)
        return made

    def notify(self, message: object, /) -> WorkflowUpdate[S]:
        """Tell this to those who listen by now, when this effect is durable; see `notifications`.

        Args:
            message: of the type that the workflow's `@notifications` method streams.
        """
        made: WorkflowUpdate[S] = WorkflowUpdate(self._decision.state, self._owner)
        notes = (*self._decision.notes, message)
        made._decision = msgspec.structs.replace(self._decision, notes=notes)
        return made

    def then_reply(self, reply: R, /) -> Effect[R]:
        """Reply with this value when the state is durable, and stay where the workflow is."""
        return Effect(msgspec.structs.replace(self._decided(), reply=constant(reply)))


class WorkflowEffects(Effects, Transitions, Generic[S]):
    """What a command or step of a workflow may decide."""

    __slots__ = ()

    def update_state(self, state: S, /) -> WorkflowUpdate[S]:
        """Replace the whole state.

        Raises:
            ValueError: the state is None.
        """
        return WorkflowUpdate(not_none(state), self._owner)


def _check_promise(given: object) -> None:
    if not isinstance(given, Promise):
        raise TypeError(f'wait_for(...) takes self.promise("its name"), got {given!r}')
