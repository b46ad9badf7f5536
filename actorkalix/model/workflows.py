"""Workflows: durable processes of steps."""

from __future__ import annotations

from datetime import timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    Never,
    TypeAlias,
    TypeVar,
    overload,
)

from actorkalix.model.calls import Call
from actorkalix.model.client import Client
from actorkalix.model.component import Component
from actorkalix.model.effects import Effect
from actorkalix.model.handlers import command
from actorkalix.model.parallel import Branch, Parallel, Pending, Wait, branches_of
from actorkalix.model.steps import BoundStep as BoundStep
from actorkalix.model.steps import Recovery as Recovery
from actorkalix.model.steps import Step as Step
from actorkalix.model.steps import compensate as compensate
from actorkalix.model.steps import failover_to as failover_to
from actorkalix.model.steps import max_retries as max_retries
from actorkalix.model.steps import step as step
from actorkalix.model.timers import Timers
from actorkalix.model.workflow_effects import Promise, WorkflowEffects

if TYPE_CHECKING:
    from typing import Self

S = TypeVar("S")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
R = TypeVar("R")
MaybeNone: TypeAlias = Any  # "may be None, but asking every time would be worse" (typeshed's word)

CONTROLS = ("suspend", "resume", "terminate", "restart", "resolve")
"""Commands that every workflow has; the engine answers them, no code of the user's runs."""


class Workflow(Component, Generic[S]):
    """A durable process: commands and steps with a state of its own.

    Commands start it and change its course, steps do its work: each runs at least once, again after
    a failure or a crash, and state and next step are stored together. A new object is made for
    every command and step: only the state stays.

    Class options: `id`; `timeout` of the whole workflow, with `on_timeout`, the step that may run
    then; `step_timeout` and `recover`, for steps that say nothing themselves; `expire_after`: so
    long after its end, of whatever kind, it is deleted; `snapshot_every` so many records (0 never);
    or `abstract=True` for a base of your own. Subclasses have the options of their bases, but for
    `id`, unless they give them themselves.
    """

    _asked_by: ClassVar[str] = "client.workflow({}, workflow_id)"
    _is_workflow: ClassVar[bool] = True

    if TYPE_CHECKING:

        @overload
        def __init_subclass__(
            cls,
            *,
            id: str,
            timeout: timedelta | None = None,
            on_timeout: str | Recovery | None = None,
            step_timeout: timedelta = ...,
            recover: Recovery | None = None,
            expire_after: timedelta | None = None,
            snapshot_every: int = 100,
        ) -> None: ...
        @overload
        def __init_subclass__(
            cls,
            *,
            abstract: Literal[True],
            timeout: timedelta | None = None,
            on_timeout: str | Recovery | None = None,
            step_timeout: timedelta = ...,
            recover: Recovery | None = None,
            expire_after: timedelta | None = None,
            snapshot_every: int = 100,
        ) -> None: ...
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
        effects: WorkflowEffects[S] = WorkflowEffects(type(self))
        return self._during("effects", effects)

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
            RuntimeError: no step runs.
        """
        timers: Timers = self._seen("timers")
        return timers

    @property
    def resources(self) -> Any:
        """What `Service(resources=...)` made in this process.

        Raises:
            RuntimeError: no step runs.
        """
        return self._seen("resources")

    @overload
    def promise(self, name: str, /) -> Promise[Any]: ...
    @overload
    def promise(self, name: str, type: type[T], /) -> Promise[T]: ...
    def promise(self, name: str, type: Any = None, /) -> Promise[Any]:
        """Something that somebody outside will say, for `effects.wait_for`.

        Args:
            name: 1 to 256 bytes of UTF-8 without "/": `POST /{workflow}/{id}/promises/{name}`
                resolves it, from when the effect of this handler is durable.
            type: of its value, for checkers; the step that takes the value decides.
        """
        promise: Promise[Any] = Promise(name)
        if self._live is not None and name not in self._live.noted.promises:
            self._live.noted.promises.append(name)
        return promise

    def undo_by(self, call: Call[Any], /) -> None:
        """Register how to undo what this step is about to do; see `effects.compensate`.

        Say it before the call that may have to be undone: it counts also when this attempt fails
        after that, for nobody knows then what the call has done. So what it calls must do no harm
        where there is nothing to undo. `effects....with_undo(call)` counts when the step succeeds.

        Args:
            call: unsent. A second attempt that registers the same replaces it.

        Raises:
            RuntimeError: no handler runs.
        """
        if self._live is None:
            raise self._unseen("undo_by")
        call.spend("handed to self.undo_by(...)")
        self._live.noted.undo.append(call)

    @overload
    def parallel(self, call: Call[A] | Branch[A], /) -> Pending[tuple[A]]: ...
    @overload
    def parallel(
        self, call: Call[A] | Branch[A], call_2: Call[B] | Branch[B], /
    ) -> Pending[tuple[A, B]]: ...
    @overload
    def parallel(
        self,
        call: Call[A] | Branch[A],
        call_2: Call[B] | Branch[B],
        call_3: Call[C] | Branch[C],
        /,
    ) -> Pending[tuple[A, B, C]]: ...
    @overload
    def parallel(
        self, *calls: Call[R] | Branch[R], wait: Literal["all"] | int = ...
    ) -> Pending[tuple[R, ...]]: ...
    @overload
    def parallel(self, *calls: Call[R] | Branch[R], wait: Literal["first"]) -> Pending[R]: ...
    def parallel(self, *calls: Call[Any] | Branch[Any], wait: Wait = "all") -> Pending[Any]:
        """Make calls at the same time: `await` it in a step, or take `.result()` in a plain one.

        With "all", the replies in the order of the calls; when branches fail, the error of the
        first of them in that order, after all have ended. With "first", the reply of the first
        branch that succeeds. With a number, the replies of so many as they come. Branches that are
        not waited for any more are cancelled; what they did stays. When too many fail, the error of
        the first in the order of the calls is raised.

        Args:
            calls: unsent, at least one; `branch(call, recover=..., otherwise=...)` makes one
                recover by itself.
            wait: "all", "first", or a number of branches.

        Raises:
            RuntimeError: no step runs.
        """
        return Pending(self._parallel, branches_of(calls, wait), wait)

    def _parallel(self) -> Parallel:
        parallel: Parallel = self._seen("parallel")
        return parallel

    # ---- control from outside, by `client.workflow(T, id)` --------------------------------------
    @command
    def suspend(self, reason: str = "") -> Effect[str]:
        """Stop it for now: the step that runs is cut off, none begins; its timers run on.

        Replies its status. It does nothing where it is suspended, or has ended.
        """
        raise _only_clients("suspend")

    @command
    def resume(self) -> Effect[str]:
        """Let a suspended workflow go on where it was; replies its status.

        It does nothing where it is not suspended; a pause ends by a command, not by this.
        """
        raise _only_clients("resume")

    @command
    def terminate(self, reason: str = "") -> Effect[str]:
        """End it at once, for good, wherever it is; replies its status. Its state stays.

        It does nothing where it has ended. An id that was never started is terminated too.
        """
        raise _only_clients("terminate")

    @command
    def restart(self, step: str = "", anew: bool = False) -> Effect[str]:
        """Run a step again with the input that it had the last time; replies its status.

        A step that was never completed (it runs, has failed, or was cut off) goes on: those of its
        calls that have counted do not count twice, as long as their keys are kept. A step that was
        completed is run anew, and so are all of its calls: what they have done before stays done.
        Undo calls that were registered, and not made yet, stay registered.

        Args:
            step: name of one that has run before; "" is the newest.
            anew: make all of its calls anew, whatever has counted; for a step whose code makes
                other calls than before, which would be refused under the keys of the former ones.
        """
        raise _only_clients("restart")

    @command
    def resolve(self, name: str, value: Any = None) -> Effect[str]:
        """Say what a promise waits for; replies its status.

        Args:
            name: of the promise.
            value: any JSON; what the step that goes on takes.
        """
        raise _only_clients("resolve")


def _only_clients(name: str) -> RuntimeError:
    return RuntimeError(
        f"self.{name}(...) does nothing inside a workflow: steps and commands return an effect, "
        f"others write client.workflow(T, id).{name}(...)"
    )
