"""Simulated processes: who runs what, who stands still for a while, and who runs nothing any more.

Theory of operation. Everything that the loop runs, a *handle*, belongs to a process: the one in
whose context (`contextvars`) it was asked for. Contexts are inherited, so all that starts in a
process stays in it, whatever it awaits; what was never started in one belongs to the world.

    runs     its handles run
    paused   its handles, also those of timers that fall due, are put aside until it is resumed
    dead     its handles are put aside for good, and its tasks stay where they were

Handles are put aside when their turn comes, not when the process is paused. So on `resume` those
put aside are older than all that still wait, and go before them: their order is kept.

A dead process's tasks must not be collected as garbage, for a coroutine that is closed runs its
`finally` blocks, and no process did that after a SIGKILL. They are kept until the simulation is
over; then `bury` closes them, when nothing that they call has an effect any more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextvars import Context, ContextVar
from typing import Any, TypeVar

from .names import name_of, name_of_task

T = TypeVar("T")

PROCESS: ContextVar[Process] = ContextVar("process")
"""Who runs what runs in a context; not set in the world's."""

CLOSES_MAX = 1_000
"""Of a task: of each coroutine in it, and as often again as their `finally` blocks await."""
TASKS_SWEPT_MIN = 64


class Handle(asyncio.TimerHandle):
    """A call that is still to come.

    Attributes:
        callback: to call; None when it was cancelled.
        args: with what.
        context: in which.
        owner: the process that asked for it.
        at_us: when it falls due; timers alone have it.
    """

    __slots__ = ("args", "at_us", "callback", "context", "owner")
    at_us: int

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context,
        owner: Process,
    ) -> None:
        # Not asyncio's initializer: it would keep all of it a second time. This is half of the cost
        # of a call, so it sets nothing that most have no use for.
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self.context = context
        self.owner = owner

    def __eq__(self, other: object) -> bool:
        return self is other  # asyncio's compares times

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __repr__(self) -> str:
        return f"<{name_of(self.callback)} of {self.owner.name}>"

    def cancel(self) -> None:
        """It does not come."""
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.callback is None

    def when(self) -> float:
        """When it falls due, on the loop's clock, in seconds."""
        return self.at_us / 1e6

    def get_context(self) -> Context:
        """The context that it runs in."""
        return self.context


class Process:
    """A simulated process; `SimulationLoop.process` makes them.

    Attributes:
        name: for people.
        alive: it was not killed.
        paused: it stands still.
        runs: it is alive and not paused.
        former: another one has its store by now, as if no lock were held.
        tasks: that may be pending, in the order in which they were made.
        aside: handles whose turn came while it did not run.
        on_kill: is called when it has been killed.
    """

    __slots__ = (
        "_context",
        "_resumed",
        "_sweep_at",
        "alive",
        "aside",
        "former",
        "name",
        "on_kill",
        "paused",
        "runs",
        "tasks",
    )

    def __init__(self, name: str, resumed: Callable[[list[Handle]], object]) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.runs = True
        self.former = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.aside: list[Handle] = []
        self.on_kill: Callable[[], object] | None = None
        self._resumed = resumed
        self._sweep_at = TASKS_SWEPT_MIN
        self._context = Context()
        self._context.run(PROCESS.set, self)

    def __repr__(self) -> str:
        state = "runs" if self.runs else "paused" if self.alive else "dead"
        return f"<process {self.name}: {state}>"

    def context(self) -> Context:
        """A new context of this process, which has nothing else of whoever asks."""
        return self._context.copy()

    def run(self, call: Callable[..., T], /, *args: Any) -> T:
        """Call now, whatever the state of the process; what is started by it belongs to it."""
        return self.context().run(call, *args)

    def pause(self) -> None:
        """Let nothing of it run; what runs at the moment comes to its end."""
        self.paused = True
        self.runs = False

    def resume(self) -> None:
        """Let all of it run that was put aside, in its order."""
        if not self.paused or not self.alive:
            return
        self.paused = False
        self.runs = True
        aside, self.aside = self.aside, []
        self._resumed(aside)

    def kill(self) -> None:
        """Let nothing of it run ever again; a second time is none."""
        if not self.alive:
            return
        self.alive = False
        self.paused = False
        self.runs = False
        self.sweep()  # of what ended before, a failure that nobody saw is still to be told
        if self.on_kill is not None:
            self.on_kill()

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a task of this process: nobody else may, and it is not to end as garbage."""
        self.tasks.append(task)
        if len(self.tasks) >= self._sweep_at:
            self.sweep()

    def sweep(self) -> None:
        """Let go of tasks that are done."""
        self.tasks = [task for task in self.tasks if not task.done()]
        self._sweep_at = max(TASKS_SWEPT_MIN, 2 * len(self.tasks))


def bury(processes: Sequence[Process]) -> list[str]:
    """Close the tasks of processes, when nothing that they still call has an effect.

    Returns:
        names of coroutines that cannot be closed.
    """
    immortal: list[str] = []
    while any(process.tasks for process in processes):  # finally blocks may make further ones
        for process in processes:
            tasks, process.tasks = process.tasks, []
            immortal += [name_of_task(task) for task in tasks if not (task.done() or _close(task))]
    for process in processes:
        process.aside.clear()
    return immortal


def _close(task: asyncio.Task[Any]) -> bool:
    """Close a task's coroutine, from what it awaits innermost outwards; whether that was possible.

    Closing the outermost alone would leave an inner one that awaits on its way out to be closed
    as garbage, some time.
    """
    outermost: Any = task.get_coro()
    for _ in range(CLOSES_MAX):
        coroutine: Any = outermost
        inner: Any = getattr(outermost, "cr_await", None)
        while getattr(inner, "cr_frame", None) is not None:
            coroutine, inner = inner, inner.cr_await
        # Whatever its finally blocks raise says something about the end of the world alone, and a
        # RuntimeError may say that it awaits on its way out: then it is closed there next.
        with contextlib.suppress(Exception, GeneratorExit, asyncio.CancelledError):
            coroutine.close()
        if getattr(outermost, "cr_frame", None) is None:
            return True
    return False
