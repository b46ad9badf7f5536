"""Steps of workflows: their mark, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

import msgspec

from actorkalix.limits import STEP_BACKOFF_CAP, STEP_BACKOFF_INITIAL

if TYPE_CHECKING:
    from actorkalix.model.workflow_effects import StepEffect
    from actorkalix.model.workflows import Workflow

P = ParamSpec("P")
W = TypeVar("W", bound="Workflow[Any]")
W_co = TypeVar("W_co", covariant=True)


class Backoff(msgspec.Struct, frozen=True):
    """How long a failed step waits for its next attempt.

    Attributes:
        initial: before the second attempt.
        factor: by which each wait is longer than the one before, 1 and up.
        cap: that no wait exceeds.
        jitter: share of each wait that is left to chance, 0 to 1: so failed steps do not come
            back in waves.
        max_elapsed: no attempt begins later than this after the first one; None without end.
    """

    initial: timedelta = STEP_BACKOFF_INITIAL
    factor: float = 2.0
    cap: timedelta = STEP_BACKOFF_CAP
    jitter: float = 0.2
    max_elapsed: timedelta | None = None


class Recovery:
    """What to do when a step fails: try again, then go on with another step, or undo.

    Attributes:
        retries: after the first attempt; None without end.
        step: name of the step to go on with, or None.
        args: input of that step.
        backoff: between attempts.
        final: errors that no further attempt can mend.
        undoes: what was done is undone before that step, or before the workflow fails.
    """

    __slots__ = ("args", "backoff", "final", "retries", "step", "undoes")

    def __init__(
        self,
        retries: int | None,
        step: str | None = None,
        args: tuple[Any, ...] = (),
        *,
        backoff: Backoff | None = None,
        final: tuple[type[BaseException], ...] = (),
        undoes: bool = False,
    ) -> None:
        self.retries = retries
        self.step = step
        self.args = args
        self.backoff = Backoff() if backoff is None else backoff
        self.final = final
        self.undoes = undoes

    def failover_to(self, step: str, /, *args: Any) -> Recovery:
        """After the last retry go on with this step."""
        return self._ending(step, args, undoes=False)

    def compensate(self, *, then: str | None = None) -> Recovery:
        """After the last retry undo what was done; see `effects.compensate`.

        Args:
            then: name of a step without input to go on with after that; without it the workflow
                has failed.
        """
        return self._ending(then, (), undoes=True)

    def _ending(self, step: str | None, args: tuple[Any, ...], *, undoes: bool) -> Recovery:
        backoff, final = self.backoff, self.final
        return Recovery(self.retries, step, args, backoff=backoff, final=final, undoes=undoes)


def max_retries(
    retries: int | None,
    /,
    *,
    initial: timedelta = STEP_BACKOFF_INITIAL,
    factor: float = 2.0,
    cap: timedelta = STEP_BACKOFF_CAP,
    jitter: float = 0.2,
    max_elapsed: timedelta | None = None,
    final: tuple[type[BaseException], ...] = (),
) -> Recovery:
    """Try a failing step again.

    After the last attempt the workflow has failed, unless `.failover_to(...)` or
    `.compensate(...)` says otherwise.

    Args:
        retries: after the first attempt, 0 and up; None without end.
        initial: wait before the second attempt.
        factor: by which each wait is longer than the one before, 1 and up.
        cap: that no wait exceeds.
        jitter: share of each wait that is left to chance, 0 to 1.
        max_elapsed: no attempt begins later than this after the first one; None without end.
        final: errors after which no attempt follows: `final=(CardRefused,)`.
    """
    backoff = Backoff(initial, factor, cap, jitter, max_elapsed)
    return Recovery(retries, backoff=backoff, final=final)


def failover_to(step: str, /, *args: Any) -> Recovery:
    """Go on with this step at once when a step fails."""
    return Recovery(0, step, args)


def compensate(*, then: str | None = None) -> Recovery:
    """Undo what was done at once when a step fails; see `effects.compensate`.

    Args:
        then: name of a step without input to go on with after that; without it the workflow has
            failed.
    """
    return Recovery(0).compensate(then=then)


class BoundStep(Generic[P]):
    """`self.withdraw`: not callable, only a target of `transition_to` (P is its input).

    Attributes:
        name: of the step.
        owner: class that the step stands in.
    """

    __slots__ = ("name", "owner")

    def __init__(self, name: str, owner: type[Any] = object) -> None:
        self.name = name
        self.owner = owner

    def __repr__(self) -> str:
        return f"<step {self.owner.__name__}.{self.name}>"


class Step(Generic[W_co, P]):
    """A step as its class holds it.

    Attributes:
        fn: the function that the user wrote.
        attribute: name of the method.
        owner: class that it stands in.
        name: of the step: stored with workflows that are in it.
        timeout: of one attempt; None is that of the workflow's class.
        recover: what to do when it fails; None is what the workflow's class says.
        resources: what its Ray task needs, as given.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        timeout: timedelta | None,
        recover: Recovery | None,
        *,
        name: str | None = None,
        resources: Mapping[str, Any] | None = None,
    ) -> None:
        self.fn = fn
        self.attribute: str = getattr(fn, "__name__", "")
        self.owner: type[Any] = object
        self._given = name
        self.timeout = timeout
        self.recover = recover
        self.resources: Mapping[str, Any] = dict(resources or {})
        self.__doc__ = fn.__doc__

    @property
    def name(self) -> str:
        """Of the step: the given one, or that of its method."""
        return self.attribute if self._given is None else self._given

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.attribute, self.owner = name, owner

    @overload
    def __get__(self, obj: None, owner: type[Any], /) -> Step[W_co, P]: ...
    @overload
    def __get__(self, obj: object, owner: type[Any] | None = None, /) -> BoundStep[P]: ...
    def __get__(self, obj: object, owner: type[Any] | None = None, /) -> Any:
        """A target of `transition_to` on an instance, the step itself on the class."""
        return self if obj is None else BoundStep(self.name, self.owner)


class StepMark:
    """`@step(timeout=..., recover=...)`."""

    def __init__(
        self,
        timeout: timedelta | None,
        recover: Recovery | None,
        name: str | None,
        resources: Mapping[str, Any],
    ) -> None:
        self._timeout = timeout
        self._recover = recover
        self._name = name
        self._resources = resources

    def __call__(
        self, fn: Callable[Concatenate[W, P], Coroutine[Any, Any, StepEffect] | StepEffect], /
    ) -> Step[W, P]:
        """Mark the method."""
        return Step(fn, self._timeout, self._recover, name=self._name, resources=self._resources)


@overload
def step(
    fn: Callable[Concatenate[W, P], Coroutine[Any, Any, StepEffect] | StepEffect], /
) -> Step[W, P]: ...
@overload
def step(
    *,
    name: str | None = None,
    timeout: timedelta | None = None,
    recover: Recovery | None = None,
    on_failure: Recovery | None = None,
    num_cpus: float = 0,
    num_gpus: float = 0,
    memory: int | None = None,
    runtime_env: Mapping[str, Any] | None = None,
) -> StepMark: ...
def step(
    fn: Any = None,
    /,
    *,
    name: str | None = None,
    timeout: timedelta | None = None,
    recover: Recovery | None = None,
    on_failure: Recovery | None = None,
    num_cpus: float = 0,
    num_gpus: float = 0,
    memory: int | None = None,
    runtime_env: Mapping[str, Any] | None = None,
) -> Any:
    """Mark a step of a workflow.

    An `async def` runs on its host's event loop; a plain `def` as a Ray task, where it may block.

    Args:
        fn: the method, when the mark is written without parentheses.
        name: under which it is stored, by default that of the method: so methods may be renamed.
        timeout: of one attempt (default 5 seconds).
        recover: what to do when it fails (default: again after 3 to 30 seconds, without end).
        on_failure: what to do after the last attempt that `recover` grants (or after the first):
            `failover_to(...)` or `compensate(...)`.
        num_cpus: CPUs that its Ray task takes.
        num_gpus: GPUs that its Ray task takes.
        memory: bytes that its Ray task takes.
        runtime_env: environment of its Ray task, as Ray takes it.
    """
    given = {
        "num_cpus": num_cpus,
        "num_gpus": num_gpus,
        "memory": memory,
        "runtime_env": runtime_env,
    }
    resources = {key: value for key, value in given.items() if value}
    mark = StepMark(timeout, _merged(recover, on_failure), name, resources)
    return mark if fn is None else mark(fn)


def _merged(recover: Recovery | None, on_failure: Recovery | None) -> Recovery | None:
    """One says how often, the other what then."""
    if recover is None or on_failure is None:
        return recover or on_failure
    return recover._ending(on_failure.step, on_failure.args, undoes=on_failure.undoes)
