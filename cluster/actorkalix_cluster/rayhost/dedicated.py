"""Places of a host's actors in processes of their own: `shardhost.elsewhere.Places` by Ray actors.

    open --> Ray has room --> begin: imports --> here: it is watched --> ready
      every step may end in: ended (Ray says so, the kernel says so, or it was refused)

An actor is made on the host's node when that has what it needs, else on another one; until one has,
Ray keeps it waiting, and so does whoever opened it. On the host's own node its end is seen through
a pidfd, at once; on another one by the next request. `close` kills it: nothing in it is worth a
farewell, and what it had set aside is free at once.

Everything runs on the host's loop; Ray tells on threads of its own. What may block there, because
gcs does not answer or a large request has to find room in the object store, is done aside.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actorkalix_cluster.rayhost.actors import Making, aside
from actorkalix_cluster.rayhost.contract import CallRefused, value_of
from actorkalix_cluster.rayhost.dedicated_process import Begun, DedicatedProcess, DedicatedSpec
from actorkalix_cluster.rayhost.launch import module
from actorkalix_cluster.rayhost.tasks import TaskOptions
from actorkalix_cluster.rayhost.usage import Usage, usage_of

log = logging.getLogger("actorkalix.entity")

INLINE_BYTES_MAX = 100_000  # larger arguments go through Ray's object store, which may have to wait


class PlaceSeen(msgspec.Struct, frozen=True):
    """A look at a place.

    Attributes:
        component, entity: who runs there.
        pid, node: of the process, 0 and "" until it has begun.
        usage: of the process, where it is on the host's node.
    """

    component: str
    entity: str
    pid: int
    node: str
    usage: Usage


class PlacesTally:
    """What became of the processes of a component since the host began.

    Attributes:
        started, deaths: how many; a death is an end that the host did not want.
        over_cpu_s: seconds of processor time of those that have ended, as last seen.
    """

    def __init__(self) -> None:
        self.started = self.deaths = 0
        self.over_cpu_s = 0.0


class DedicatedPlaces:
    """Makes processes for actors; on the loop of a host of the run.

    Args:
        making: of the run.
        factory, config: see `DedicatedSpec`.
        options: what the processes of an actor kind need of Ray, by component.
    """

    def __init__(
        self, making: Making, factory: str, config: bytes, options: Mapping[str, TaskOptions]
    ) -> None:
        context: Any = module("ray").get_runtime_context()
        self.node = str(context.get_node_id())
        self._making = making
        self._spec = msgspec.msgpack.encode(
            DedicatedSpec(factory, config, making, self.node, os.getpid())
        )
        self._options = options
        self._open: set[DedicatedPlace] = set()
        self.tallies = {component: PlacesTally() for component in options}

    @property
    def standing(self) -> list[PlaceSeen]:
        """The places that there are now."""
        return [place.seen() for place in self._open]

    def open(
        self,
        component: str,
        entity: str,
        ready: Callable[[], object],
        ended: Callable[[str], object],
        /,
    ) -> DedicatedPlace:
        """Begin to make a process."""
        tally = self.tallies[component]

        def died(reason: str) -> None:
            tally.deaths += 1
            ended(reason)

        def gone(place: DedicatedPlace) -> None:
            self._open.discard(place)
            tally.over_cpu_s += place.cpu_s

        place = DedicatedPlace((component, entity), self.node, ready, died, gone)
        self._open.add(place)
        tally.started += 1
        place.start(lambda: self._made(f"{component}/{entity}", self._options[component]))
        return place

    def _made(self, name: str, options: TaskOptions) -> Any:
        """A Ray actor; it may be long until it has room."""
        wanted = dict(options.of_ray())
        if self._making.environment:
            environment = dict(wanted.get("runtime_env", {}))
            given = environment.get("env_vars", {})
            environment["env_vars"] = {**self._making.environment, **given}
            wanted["runtime_env"] = environment
        strategies: Any = module("ray.util.scheduling_strategies")
        near = strategies.NodeAffinitySchedulingStrategy(
            self.node, soft=True, _spill_on_unavailable=True
        )
        actor: Any = module("ray").remote(DedicatedProcess)
        return actor.options(
            max_restarts=0, max_task_retries=0, scheduling_strategy=near, **wanted
        ).remote(self._spec)


class DedicatedPlace:
    """A process of one actor. Made by `DedicatedPlaces`.

    Attributes:
        pid: of the process, 0 until it has begun.
        cpu_s: its processor time when it was last seen.
    """

    def __init__(
        self,
        who: tuple[str, str],
        node: str,
        ready: Callable[[], object],
        ended: Callable[[str], object],
        gone: Callable[[DedicatedPlace], object],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._who = who
        self._node = node
        self._ready = ready
        self._tell_ended = ended
        self._gone = gone
        self._at = ""
        self.cpu_s = 0.0
        self._handle: Any = None
        self._pidfd = -1
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.pid = 0

    def start(self, make: Callable[[], Any]) -> None:
        """Make the process."""
        self._spawn(self._start(make))

    def seen(self) -> PlaceSeen:
        """A look at it."""
        usage = usage_of(self.pid) if self.pid and self._at == self._node else Usage()
        self.cpu_s = max(self.cpu_s, usage.cpu_s)
        return PlaceSeen(*self._who, self.pid, self._at, usage)

    def call(self, request: bytes, done: Callable[[bytes], object], /) -> None:
        """Send a request."""
        if len(request) > INLINE_BYTES_MAX:
            self._spawn(self._call_aside(request, done))
        else:
            self._follow(self._handle.ask.remote(request), done)

    def close(self) -> None:
        """Kill the process; nothing is told any more."""
        if not self._closed:
            self.seen()
            self._gone(self)
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._kill()

    # ---- on the way ---------------------------------------------------------------------------
    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, make: Callable[[], Any]) -> None:
        (begun,) = await asyncio.gather(self._begin(make), return_exceptions=True)
        if isinstance(begun, BaseException):
            self._end(_cause(begun))
        else:
            self.pid, self._at = begun.pid, begun.node
            self._ready()

    async def _begin(self, make: Callable[[], Any]) -> Begun:
        making = asyncio.ensure_future(aside(make))
        try:
            self._handle = await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(_killed)
            raise
        answer: bytes = await self._handle.begin.remote()
        begun = msgspec.msgpack.decode(value_of(answer), type=Begun)
        if begun.node == self._node:
            self._watch(begun.pid)
        await self._handle.here.remote()
        return begun

    def _watch(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # Ray will tell
            self._pidfd = os.pidfd_open(pid)
            self._loop.add_reader(self._pidfd, self._end, "it was killed or crashed")

    async def _call_aside(self, request: bytes, done: Callable[[bytes], object]) -> None:
        asked = asyncio.ensure_future(self._asked(request))
        await asyncio.wait((asked,))
        if (error := asked.exception()) is not None:
            self._end(_cause(error))
        else:
            self._follow(asked.result(), done)

    async def _asked(self, request: bytes) -> Any:
        ref: Any = await aside(lambda: self._handle.ask.remote(request))
        return ref

    def _follow(self, ref: Any, done: Callable[[bytes], object]) -> None:
        future: concurrent.futures.Future[bytes] = ref.future()
        future.add_done_callback(lambda told: self._back(told, done))

    def _back(
        self, told: concurrent.futures.Future[bytes], done: Callable[[bytes], object]
    ) -> None:
        """On a thread of Ray's."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: this host ends as well
            self._loop.call_soon_threadsafe(self._answered, told, done)

    def _answered(
        self, told: concurrent.futures.Future[bytes], done: Callable[[bytes], object]
    ) -> None:
        if self._closed:
            told.exception()  # nobody else looks at it
            return
        error = told.exception()
        if error is None:
            done(told.result())
        else:
            self._end(_cause(error))

    # ---- the end ------------------------------------------------------------------------------
    def _end(self, reason: str) -> None:
        if self._closed:
            return
        self.close()
        self._tell_ended(reason)

    def _kill(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._handle is not None:
            _kill_aside(self._handle)


def _killed(made: asyncio.Future[Any]) -> None:
    """It was closed before there was anything to kill."""
    if not made.cancelled() and made.exception() is None:
        _kill_aside(made.result())


def _kill_aside(handle: Any) -> None:
    """Ray forgets it, and what it had set aside is free."""
    killing = asyncio.ensure_future(aside(lambda: module("ray").kill(handle)))
    _kept.add(killing)
    killing.add_done_callback(_looked_at)


_kept: set[asyncio.Future[Any]] = set()


def _looked_at(killing: asyncio.Future[Any]) -> None:
    _kept.discard(killing)
    if not killing.cancelled():
        killing.exception()


def _cause(error: BaseException) -> str:
    """One line of Ray's many."""
    if isinstance(error, CallRefused):
        return f"it could not be made: {error}"
    words = {
        "ActorDiedError": "it was killed or crashed",
        "ActorUnavailableError": "it cannot be reached",
        "ActorUnschedulableError": "no node will ever have the resources that it asks for",
        "OutOfMemoryError": "it was killed, for the machine was out of memory",
        "RuntimeEnvSetupError": "its runtime_env cannot be made",
    }
    name = type(error).__name__
    first = (str(error).splitlines() or [name])[0]
    return next((words[each] for each in words if each in name), f"{name}: {first}")
