"""Workflows and their steps. They run in a later version."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Concatenate,
    Generic,
    Literal,
    Never,
    ParamSpec,
    TypeAlias,
    TypeVar,
    overload,
)

from actorkalix.model.client import Client
from actorkalix.model.component import Component
from actorkalix.model.effects import StepEffect, WorkflowEffects
from actorkalix.model.timers import Timers

if TYPE_CHECKING:
    from typing import Self

P = ParamSpec("P")
S = TypeVar("S")
W = TypeVar("W", bound="Workflow[Any]")
W_co = TypeVar("W_co", covariant=True)
MaybeNone: TypeAlias = Any  # "may be None, but asking every time would be worse" (typeshed's word)

_WORKFLOW: WorkflowEffects[Any] = WorkflowEffects()


class Recovery:
    """What to do when a step fails: try again, then go on with another step.

    Attributes:
        retries: after the first attempt.
        step: name of the step to go on with, or None: the workflow fails.
        args: input of that step.
    """

    __slots__ = ("args", "retries", "step")

    def __init__(self, retries: int, step: str | None = None, args: tuple[Any, ...] = ()) -> None:
        self.retries = retries
        self.step = step
        self.args = args

    def failover_to(self, step: str, /, *args: Any) -> Recovery:
        """After the last retry go on with this step."""
        return Recovery(self.retries, step, args)


def max_retries(retries: int, /) -> Recovery:
    """Try a failing step this often again (0 and up)."""
    return Recovery(retries)


def failover_to(step: str, /, *args: Any) -> Recovery:
    """Go on with this step at once when a step fails."""
    return Recovery(0, step, args)


class BoundStep(Generic[P]):
    """`self.withdraw`: not callable, only a target of `transition_to` (P is its input)."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Step(Generic[W_co, P]):
    """A step as its class holds it.

    Attributes:
        fn: the function that the user wrote.
        name: of the step.
        timeout: of one attempt; None is 5 seconds.
        recover: what to do when it fails; None tries again without end.
    """

    def __init__(
        self, fn: Callable[..., Any], timeout: timedelta | None, recover: Recovery | None
    ) -> None:
        self.fn = fn
        self.name = fn.__name__
        self.timeout = timeout
        self.recover = recover
        self.__doc__ = fn.__doc__

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, obj: None, owner: type[Any], /) -> Step[W_co, P]: ...
    @overload
    def __get__(self, obj: object, owner: type[Any] | None = None, /) -> BoundStep[P]: ...
    def __get__(self, obj: object, owner: type[Any] | None = None, /) -> Any:
        """A target of `transition_to` on an instance, the step itself on the class."""
        return self if obj is None else BoundStep(self.name)


class StepMark:
    """`@step(timeout=..., recover=...)`."""

    def __init__(self, timeout: timedelta | None, recover: Recovery | None) -> None:
        self._timeout = timeout
        self._recover = recover

    def __call__(
        self, fn: Callable[Concatenate[W, P], Coroutine[Any, Any, StepEffect] | StepEffect], /
    ) -> Step[W, P]:
        """Mark the method."""
        return Step(fn, self._timeout, self._recover)


@overload
def step(
    fn: Callable[Concatenate[W, P], Coroutine[Any, Any, StepEffect] | StepEffect], /
) -> Step[W, P]: ...
@overload
def step(*, timeout: timedelta | None = None, recover: Recovery | None = None) -> StepMark: ...
def step(
    fn: Any = None, /, *, timeout: timedelta | None = None, recover: Recovery | None = None
) -> Any:
    """Mark a step of a workflow.

    Args:
        fn: the method, when the mark is written without parentheses.
        timeout: of one attempt (default 5 seconds).
        recover: what to do when it fails (default: again after 3 to 30 seconds, without end).
    """
    mark = StepMark(timeout, recover)
    return mark if fn is None else mark(fn)


class Workflow(Component, Generic[S]):
    """Durable steps with a state. Runs in a later version.

    Class options: `id`; `timeout` of the whole workflow; or `abstract=True` for a base of your own.
    """

    _asked_by: ClassVar[str] = "client.workflow({}, workflow_id)"

    if TYPE_CHECKING:

        @overload
        def __init_subclass__(cls, *, id: str, timeout: timedelta | None = None) -> None: ...
        @overload
        def __init_subclass__(cls, *, abstract: Literal[True]) -> None: ...
        def __init_subclass__(cls, **options: Any) -> None: ...

        @classmethod
        def _types(cls) -> tuple[Self, S, Never]: ...

    @property
    def entity_id(self) -> str:
        """The id of this instance.

        Raises:
            RuntimeError: no handler runs.
        """
        entity_id: str = self._seen("entity_id")
        return entity_id

    @property
    def state(self) -> S | MaybeNone:
        """The state; None until a command has stored one (so only commands need to ask).

        Raises:
            RuntimeError: no handler runs.
        """
        state: S | MaybeNone = self._seen("state")
        return state

    @property
    def effects(self) -> WorkflowEffects[S]:
        """What a command or step may decide.

        Raises:
            RuntimeError: no handler runs.
        """
        return self._during("effects", _WORKFLOW)

    @property
    def client(self) -> Client:
        """Calls other components from steps.

        Raises:
            RuntimeError: no handler runs.
        """
        client: Client = self._seen("client")
        return client

    @property
    def timers(self) -> Timers:
        """Keeps calls for later.

        Raises:
            RuntimeError: no handler runs.
        """
        timers: Timers = self._seen("timers")
        return timers

    @property
    def resources(self) -> Any:
        """What `Service(resources=...)` made in this process.

        Raises:
            RuntimeError: no handler runs.
        """
        return self._seen("resources")
