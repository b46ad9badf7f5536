"""The event loop of simulations: virtual time, a seeded scheduler, processes that pause and die.

Theory of operation. `scheduler` says what runs next, `processes` whose it is; the loop makes the
handles, gives them to both, and is what asyncio's own parts (tasks, futures, timeouts, queues) run
on. It is written against asyncio's public interface alone.

When nothing is left to run and no timer is left, whatever still waits waits forever: `Deadlock`.
Nothing depends on addresses, hashes, or the machine's clock. After `close` nothing that is called
has an effect: `finally` blocks of what is thrown away then meet a world that is over.

A failure that nobody looks at goes to `problems`. asyncio notices those of tasks and futures when
they are thrown away, and the loop lets go of tasks at the end of each run at the latest; where they
are part of a cycle of references, it takes a garbage collection.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, Literal, TypeVar, TypeVarTuple

from .chance import Chance
from .names import line_of_failure, name_of, name_of_task
from .processes import PROCESS, Handle, bury
from .processes import Process as Process
from .real_world import RealWorld, SealedLoop
from .scheduler import Scheduler, Stop, up_to_us

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]
Scheduling = Literal["seeded", "fifo"]
"""Which of those that are ready runs next: drawn, as far as asyncio allows; or the oldest."""

STEPS_MAX = 10_000_000
"""Some 10 s of a core; the simulations of this house take some 10,000."""
LAST_NAMED = 16
COLLECTED_EVERY = 20_000
"""Steps between collections of garbage: always at the same ones, for what is collected may tell
that nobody looked at its failure; and seldom, for by itself Python spends an eighth of a run there.
"""
WAITING_NAMED_MAX = 20


class Deadlock(RuntimeError):
    """Nothing is left to run, and what was waited for has not come."""


class Livelock(RuntimeError):
    """More steps were taken than were allowed, and what was waited for has not come."""


class SimulationLoop(SealedLoop):
    """An event loop on virtual time; nothing outside of it has an influence on what it does.

    Args:
        chance: what the scheduler draws from.
        scheduling: "seeded", or "fifo" for the order of asyncio.

    Attributes:
        problems: failures that nobody looked at.
        world: the process of all that belongs to none; it is never paused and never killed.
    """

    def __init__(self, chance: Chance, scheduling: Scheduling = "seeded") -> None:
        self.problems: list[str] = []
        self._scheduler = Scheduler(chance if scheduling == "seeded" else None, self._failed)
        self.world = Process("world", self._scheduler.put_back)
        self._processes = [self.world]
        self._named = 0  # number of tasks
        self._generators: weakref.WeakKeyDictionary[AsyncGenerator[Any, Any], Process] = (
            weakref.WeakKeyDictionary()
        )
        self._exception_handler: ExceptionHandler | None = None
        self._thread = threading.get_ident()
        self._is_running = False
        self._closed = False

    @property
    def now_us(self) -> int:
        """Virtual time, in microseconds from the start."""
        return self._scheduler.now_us

    @property
    def steps(self) -> int:
        """Number of handles that were run."""
        return self._scheduler.steps_taken

    # ---- processes ------------------------------------------------------------------------------
    def process(self, name: str) -> Process:
        """A new process, in which nothing runs yet."""
        process = Process(name, self._scheduler.put_back)
        self._processes.append(process)
        return process

    def spawn(
        self, process: Process, coro: Coroutine[Any, Any, T], *, name: str | None = None
    ) -> asyncio.Task[T]:
        """Run a coroutine in a process; all that is started by it belongs to the process."""
        return self.create_task(coro, name=name, context=process.context())

    def call_in(self, process: Process, callback: Callable[..., object], *args: Any) -> Handle:
        """Call soon, in a process; never if it is dead, and later if it is paused."""
        handle = Handle(callback, args, process.context(), process)
        if not self._closed:
            self._scheduler.put(handle)
        return handle

    def later_in(
        self, process: Process, delay_us: int, callback: Callable[..., object], *args: Any
    ) -> Handle:
        """Call later, in a process; never if it is dead then, and later yet if it is paused."""
        handle = Handle(callback, args, process.context(), process)
        if not self._closed:
            self._scheduler.put_at(self._scheduler.now_us + delay_us, handle)
        return handle

    def world_later(self, delay_us: int, callback: Callable[..., object], *args: Any) -> Handle:
        """Call later on behalf of the world: whoever asks may be paused or killed meanwhile."""
        return self.later_in(self.world, delay_us, callback, *args)

    def _owner(self) -> Process:
        """The process that runs at the moment."""
        return PROCESS.get(self.world)

    # ---- calls ----------------------------------------------------------------------------------
    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        """Call as soon as it is its turn."""
        if context is None:
            context = copy_context()
        handle = Handle(callback, args, context, context.get(PROCESS, self.world))
        if not self._closed:
            self._scheduler.put(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        """`call_soon`; there are no other threads in a simulation.

        Raises:
            RealWorld: there is one.
        """
        if threading.get_ident() != self._thread:
            raise RealWorld("call_soon_threadsafe, from another thread,")
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        """Call after some seconds of virtual time."""
        at_us = self._scheduler.now_us + up_to_us(delay)
        return self.call_at_us(at_us, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        """Call at a time of `time`, in seconds; at the next microsecond if it is between two."""
        now_us = self._scheduler.now_us
        at_us = now_us if when <= now_us / 1e6 else max(up_to_us(when), now_us + 1)
        return self.call_at_us(at_us, callback, *args, context=context)

    def call_at_us(
        self,
        at_us: int,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        """Call at a time, in microseconds; soon, if that is not in the future."""
        if context is None:
            context = copy_context()
        handle = Handle(callback, args, context, context.get(PROCESS, self.world))
        if not self._closed:
            self._scheduler.put_at(at_us, handle)
        return handle

    def time(self) -> float:
        """Virtual time, in seconds from the start."""
        return self.now_us / 1e6

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """A task, in the process of its context."""
        if context is None:
            context = copy_context()
        owner = context.get(PROCESS, self.world)
        self._named += 1  # asyncio's own names count the tasks of all loops that there ever were
        task = asyncio.Task(
            coro, loop=self, name=name or f"{owner.name}/{self._named}", context=context
        )
        owner.keep(task)
        return task

    # ---- running --------------------------------------------------------------------------------
    def run_until_complete(
        self, future: Generator[Any, None, T] | Awaitable[T], *, steps_max: int = STEPS_MAX
    ) -> T:
        """Run until a future is done.

        Args:
            future: or a coroutine, which becomes a task of the world.
            steps_max: how many handles may be run for that.

        Returns:
            its result.

        Raises:
            Deadlock: nothing is left to run, or only in processes that stand still.
            Livelock: `steps_max` was reached.
        """
        self._check_startable()
        if isinstance(future, Generator):
            raise TypeError("a generator is no coroutine: it has to be made by `async def`")
        task = asyncio.ensure_future(future, loop=self)
        task.add_done_callback(self._ended)
        try:
            self._run(steps_max)
        finally:
            task.remove_done_callback(self._ended)
        if not task.done():
            raise RuntimeError("the loop was stopped before its future was done")
        return task.result()

    def run_forever(self) -> None:
        """Run until `stop`; it is a `Deadlock` when nothing is left to run before."""
        self._check_startable()
        self._run(STEPS_MAX)

    def stop(self) -> None:
        """Run nothing more."""
        self._scheduler.stopping = True

    def is_running(self) -> bool:
        """Whether it runs at the moment."""
        return self._is_running

    def is_closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    def _check_startable(self) -> None:
        if self._closed:
            raise RuntimeError("the simulation is over: its loop is closed")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("a simulation cannot be run from within an event loop")

    def _ended(self, _: asyncio.Future[Any]) -> None:
        self._scheduler.stopping = True

    def _run(self, steps_max: int) -> None:
        scheduler = self._scheduler
        limit = scheduler.steps_taken + steps_max
        last: list[str] = []
        with self._running():
            stop: Stop = "limit"
            while stop == "limit" and scheduler.steps_taken < limit - LAST_NAMED:
                turns = min(limit - LAST_NAMED, scheduler.steps_taken + COLLECTED_EVERY)
                stop = scheduler.take_turns(turns)
                gc.collect(0)
            while stop == "limit" and scheduler.steps_taken < limit:
                stop = scheduler.take_turns(scheduler.steps_taken + 1)
                if (handle := scheduler.last) is not None:
                    last.append(f"{handle.owner.name}: {name_of(handle.callback)}")
        if stop == "idle":
            raise Deadlock(self._who_waits())
        if stop == "limit":
            raise Livelock(
                f"no end after {steps_max:,} steps, at {self.now_us:,} us; the last were "
                + ", ".join(last)
            )

    @contextmanager
    def _running(self) -> Generator[None]:
        """Be the running loop."""
        hooks = sys.get_asyncgen_hooks()
        self._thread = threading.get_ident()
        self._is_running = True
        collects = gc.isenabled()
        gc.disable()
        sys.set_asyncgen_hooks(firstiter=self._generator_begins, finalizer=self._generator_left)
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            if collects:
                gc.enable()
            self._is_running = False
            self._scheduler.stopping = False
            for process in self._processes:
                if process.alive:
                    process.sweep()

    def _who_waits(self) -> str:
        """Who waits forever."""
        tasks = [
            f"{process.name}{' (paused)' if process.paused else ''}: {name_of_task(task)}"
            for process in self._processes
            if process.alive
            for task in process.tasks
            if not task.done()
        ]
        named = ", ".join(tasks[:WAITING_NAMED_MAX]) or "none"
        more = len(tasks) - WAITING_NAMED_MAX
        return (
            f"nothing is left to run at {self.now_us:,} us, and no timer; tasks that wait: {named}"
            + (f", and {more} more" if more > 0 else "")
        )

    # ---- failures -------------------------------------------------------------------------------
    def set_exception_handler(self, handler: ExceptionHandler | None) -> None:
        """Let failures that nobody looks at go there, and not to `problems`."""
        self._exception_handler = handler

    def get_exception_handler(self) -> ExceptionHandler | None:
        """Where they go; None is `problems`."""
        return self._exception_handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Put a failure into `problems`."""
        self.problems.append(line_of_failure(context))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A failure that nobody looked at; when the simulation is over, nobody has to."""
        if self._closed:
            return
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)

    def _failed(self, handle: Handle, error: BaseException) -> None:
        if handle.owner.alive:  # else it died on the way, and what unwound its stack is no failure
            message = f"{handle.owner.name}: {name_of(handle.callback)} failed"
            self.call_exception_handler({"message": message, "exception": error})

    # ---- the end --------------------------------------------------------------------------------
    def close(self) -> None:
        """It is over: throw away all that is still to come, and all that waits.

        Coroutines that wait are closed, which runs their `finally` blocks; nothing that these call
        on this loop has an effect. Of async generators not even that is run.
        """
        if self._is_running:
            raise RuntimeError("a loop that runs cannot be closed")
        if self._closed:
            return
        self._closed = True
        with warnings.catch_warnings():
            # Coroutines that were to be awaited by others that never began.
            warnings.simplefilter("ignore", RuntimeWarning)
            immortal = bury(self._processes)
            self._scheduler.clear()
        self.problems += [f"{name} awaits on its way out, forever" for name in immortal]

    async def shutdown_asyncgens(self) -> None:
        """Close async generators of processes that live."""
        for generator, owner in list(self._generators.items()):
            if owner.alive:
                await generator.aclose()

    def _generator_begins(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators[generator] = self._owner()

    def _generator_left(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Nobody refers to an async generator: its finally blocks are run by a task."""
        if self._owner().alive and not self._closed:
            _ = self.create_task(_closed(generator), context=self._owner().context())


async def _closed(generator: AsyncGenerator[Any, Any]) -> None:
    await generator.aclose()
