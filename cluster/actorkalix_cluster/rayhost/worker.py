"""What a worker of Ray does for a task: an errand, with what a factory has made in its process.

Ray reuses its workers, and so what was imported and made stays. Works run one after the other on a
loop, which has a thread of its own. There they ask the service (`Line`), and there a batch is
looked after that takes longer than it was thought (`Watch`): answers that are there are said, and
what stands behind a slow work is left to others. What may block runs on the main thread, where
libraries expect to be and Ray interrupts (`ray.cancel`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import uvloop

from actorkalix_cluster.rayhost.batching import ALONE_MS
from actorkalix_cluster.rayhost.contract import CallRefused, value_of
from actorkalix_cluster.rayhost.entering import enter
from actorkalix_cluster.rayhost.errands import (
    METHOD,
    PROTOCOL,
    Crew,
    Done,
    Errand,
    Heard,
    HostGone,
    Question,
    Result,
    Said,
    Work,
    factory_named,
)
from actorkalix_cluster.rayhost.launch import module
from actorkalix_cluster.rayhost.process import TASKS
from actorkalix_cluster.rayhost.slips import Slip

log = logging.getLogger("actorkalix.tasks")

T = TypeVar("T")

POLL_S = 0.05  # until a wait looks whether it was interrupted
LOOK_MS = 10.0  # twice the budget of a batch: who waits longer than that waits for too long

Call = Callable[[bytes], "concurrent.futures.Future[bytes]"]
"""Says something to a host."""

_crews: dict[bytes, Worker] = {}
_refused: dict[bytes, tuple[float, bytes]] = {}
REFUSED_S = 5.0  # until it is tried again to make a worker; an import that fails may cost seconds


def run_errand(crew: bytes, errand: bytes) -> bytes:
    """Do an errand; the function of all tasks.

    Args:
        crew: a `Crew` in msgpack.
        errand: an `Errand` in msgpack.

    Returns:
        A `Done` in msgpack.
    """
    worker = _crews.get(crew)
    if worker is None:
        until_s, refused = _refused.get(crew, (0.0, b""))
        if time.monotonic() < until_s:
            return refused
        try:
            worker = Worker(msgspec.msgpack.decode(crew, type=Crew))
        except Exception as error:
            log.exception("a worker cannot be made")
            refused = msgspec.msgpack.encode(Done((), f"{type(error).__name__}: {error}"))
            _refused[crew] = (time.monotonic() + REFUSED_S, refused)
            return refused
        _crews[crew] = worker
    done = worker.run(msgspec.msgpack.decode(errand, type=Errand))
    return msgspec.msgpack.encode(done)


class Worker:
    """This process, as it works for a crew."""

    def __init__(self, crew: Crew) -> None:
        if crew.protocol != PROTOCOL:
            raise RuntimeError(f"protocol {crew.protocol} of the host, {PROTOCOL} of this worker")
        enter(crew.making, "worker")
        self._namespace = crew.making.namespace
        self._loop = uvloop.new_event_loop()
        self._line = Line(self._loop)
        self._calls: dict[str, Call] = {}
        self._slips: dict[str, Slip] = {}
        self._for_main: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._work: Work = factory_named(crew.factory)(crew.config, self)
        threading.Thread(target=self._run_loop, name="loop", daemon=True).start()

    # ---- what a work finds around it ----------------------------------------------------------
    async def ask(self, text: bytes) -> bytes:
        """See `Around`."""
        return await self._line.ask(text)

    async def on_main(self, fn: Callable[[], T]) -> T:
        """See `Around`."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            with Raised(future):
                future.set_result(fn())

        self._for_main.put(run)
        return await asyncio.wrap_future(future)

    # ---- errands ------------------------------------------------------------------------------
    def run(self, errand: Errand) -> Done:
        """Do what is to be done; on the main thread."""
        if not errand.works:
            return Done()
        running = Running(errand, self._slip(errand.slip))
        call = self._call(errand.actor)
        self._line.begin(errand.batch, call)
        if len(errand.works) > 1:
            self._loop.call_soon_threadsafe(Watch(running, call, self._loop).start)
        try:
            self._loop.call_soon_threadsafe(self._begin, errand, running)
            self._serve()
        except KeyboardInterrupt:  # nobody waits any more
            self._loop.call_soon_threadsafe(lambda: running.task.cancel())
            self._serve()
        self._line.end()
        if running.task.cancelled():
            running.finish(None)
        else:
            running.task.result()
        return Done(running.close())

    def _begin(self, errand: Errand, running: Running) -> None:
        running.task = self._loop.create_task(self._do(errand, running))
        running.task.add_done_callback(lambda _: self._for_main.put(None))

    async def _do(self, errand: Errand, running: Running) -> None:
        for place, work in enumerate(errand.works):
            if not running.start(place):
                break
            running.finish(await self._work.do(work))

    def _serve(self) -> None:
        """Call what is to be called on this thread, until the errand is over."""
        while True:
            with contextlib.suppress(queue.Empty):
                # A wait without an end would not be interrupted: Ray's signal is none of the OS.
                call = self._for_main.get(timeout=POLL_S)
                if call is None:
                    return
                call()

    def _slip(self, path: str) -> Slip:
        slip = self._slips.get(path)
        if slip is None:
            slip = self._slips[path] = Slip(path)
        return slip

    def _call(self, actor: str) -> Call:
        if actor not in self._calls:
            handle: Any = module("ray").get_actor(actor, namespace=self._namespace)
            self._calls[actor] = HostCall(handle)
        return self._calls[actor]

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


class Raised:
    """Whoever waits gets what the block raises; not an interrupt: the errand is cancelled for it.

    Args:
        future: what they wait for.
    """

    def __init__(self, future: concurrent.futures.Future[T]) -> None:
        self._future = future

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if error is None or isinstance(error, KeyboardInterrupt):
            return False
        self._future.set_exception(error)
        return True


class HostCall:
    """Calls a host's actor, on the threads that it has for workers."""

    def __init__(self, handle: Any) -> None:
        self._method = handle.call.options(concurrency_group=TASKS)

    def __call__(self, said: bytes) -> concurrent.futures.Future[bytes]:
        future: concurrent.futures.Future[bytes] = self._method.remote(METHOD, said).future()
        return future


class Running:
    """An errand as it is done; on the loop, and looked at by the main thread when it is over."""

    def __init__(self, errand: Errand, slip: Slip) -> None:
        self.batch = errand.batch
        self._slip = slip
        self._until = len(errand.works)
        self._place = -1
        self._since = 0.0
        self._results: list[Result] = []
        self._said = 0  # of the results
        self.over = False
        self.task: asyncio.Task[None]

    def start(self, place: int) -> bool:
        """A work begins; False when it was left to others."""
        if place >= self._until:
            return False
        self._slip.note(self.batch, place + 1)
        self._place, self._since = place, time.perf_counter()
        return True

    def finish(self, value: bytes | None) -> None:
        """It ended."""
        took_us = int((time.perf_counter() - self._since) * 1e6)
        self._results.append(Result(self._place, took_us, value))

    def close(self) -> tuple[Result, ...]:
        """Everything ended; gives all results."""
        self.over = True
        return tuple(self._results)

    def unsaid(self) -> Said | None:
        """What is to be said now; leaves to others what stands behind a slow work."""
        new = tuple(self._results[self._said :])
        self._said = len(self._results)
        left = None
        slow = (time.perf_counter() - self._since) * 1e3 >= ALONE_MS
        if slow and len(self._results) == self._place and self._place + 1 < self._until:
            left = self._until = self._place + 1
        return Said(self.batch, results=new, left=left) if new or left is not None else None


class Watch:
    """Looks after a batch from time to time, on the loop."""

    def __init__(self, running: Running, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self._running = running
        self._call = call
        self._loop = loop

    def start(self) -> None:
        """Look later."""
        if not self._running.over:
            self._loop.call_later(LOOK_MS / 1e3, self._look)

    def _look(self) -> None:
        if self._running.over:
            return
        said = self._running.unsaid()
        if said is not None:
            self._call(msgspec.msgpack.encode(said)).add_done_callback(_looked_at)
        self.start()


def _looked_at(future: concurrent.futures.Future[bytes]) -> None:
    """What could not be said early is said at the end."""
    future.exception()


class Line:
    """Asks the host that has sent the errand; questions that come together go in one call.

    While any is open one call listens for answers. `begin` and `end` are called on the main thread,
    everything else on the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._errand: tuple[int, Call] | None = None
        self._number = 0
        self._open: dict[int, asyncio.Future[bytes]] = {}
        self._unsent: list[Question] = []
        self._calls = 0  # that have not returned

    def begin(self, batch: int, call: Call) -> None:
        """An errand begins."""
        self._errand = (batch, call)

    def end(self) -> None:
        """It ended: what is still open is nobody's."""
        errand, self._errand = self._errand, None
        if errand is not None and (self._open or self._unsent):
            with contextlib.suppress(RuntimeError):  # the process ends
                self._loop.call_soon_threadsafe(self._fail, "its handler has ended")

    async def ask(self, text: bytes) -> bytes:
        """Ask the service something.

        Cancellation: the question was sent, and is answered to nobody.

        Raises:
            HostGone: see there.
            RuntimeError: no handler runs.
        """
        if self._errand is None:
            raise RuntimeError("a call was sent when its handler had ended")
        self._number += 1
        number = self._number
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._open[number] = future
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(Question(number, text))
        try:
            answer: bytes = await future
            return answer
        finally:
            self._open.pop(number, None)

    def _send(self) -> None:
        questions, self._unsent = self._unsent, []
        if self._errand is None or not questions:
            return
        self._say(self._errand, tuple(questions))

    def _say(self, errand: tuple[int, Call], questions: tuple[Question, ...]) -> None:
        batch, call = errand
        said = Said(batch, questions, waits=True)
        self._calls += 1
        call(msgspec.msgpack.encode(said)).add_done_callback(
            lambda ended: self._loop.call_soon_threadsafe(self._heard, errand, ended)
        )

    def _heard(self, errand: tuple[int, Call], ended: concurrent.futures.Future[bytes]) -> None:
        self._calls -= 1
        try:
            heard = msgspec.msgpack.decode(value_of(ended.result()), type=Heard)
        except (CallRefused, module("ray.exceptions").RayError) as error:
            self._fail(str(error).partition("\n")[0])
            return
        for number, answer in heard.answers:
            future = self._open.get(number)
            if future is not None and not future.done():
                future.set_result(answer)
        waits = any(not future.done() for future in self._open.values())
        if waits and not self._calls and self._errand is errand:
            self._say(errand, ())

    def _fail(self, reason: str) -> None:
        self._unsent.clear()
        for future in self._open.values():
            if not future.done():
                future.set_exception(HostGone(reason))
