"""A process of a run: a Ray actor that runs what its factory makes, on an event loop of its own.

States: made -> `prepare` (imports, sockets; a standby stays here) -> calls -> killed by who made
it. Actors are detached, have `num_cpus=0`, `max_restarts=0`, `max_task_retries=0`: Ray is never to
bring one back by itself, for `fleet` has to see its store's lock released first.

The loop is not Ray's: with a thread of our own, `beat` answers while a handler holds the loop, and
what Ray schedules on its loop never stands between a request and its reply. Ray calls the methods
on its own threads, in groups (`GROUPS`): a sign of life never waits behind a call, and batches of
other hosts never behind either. For that no method of the class may be a coroutine: with one among
them Ray runs all of a group on one thread, and a call that waits holds up the others.

It ends itself at once, with `os._exit`, when the run process ends (a thread waits on its pidfd),
when what it runs says `fatal`, and when the loop's thread dies. That is safe at any instant: what
was acknowledged is on disk, and the OS releases the store's lock.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec
import uvloop

from actorkalix_cluster.rayhost import members
from actorkalix_cluster.rayhost.contract import (
    PROTOCOL,
    Answer,
    Answered,
    Beat,
    Hosted,
    NotPrepared,
    ProcessSpec,
    Refused,
    Roll,
    Transport,
    factory_named,
)
from actorkalix_cluster.rayhost.lease import hold_lease
from actorkalix_cluster.rayhost.nodes import this_node
from actorkalix_cluster.rayhost.sockets import Taken, take
from actorkalix_cluster.rayhost.transport import RayTransport
from actorkalix_cluster.shardhost.collector import look_rarely

T = TypeVar("T")

BEATS, LINKS, TASKS = "beats", "links", "tasks"
GROUPS = {BEATS: 1, LINKS: 2, TASKS: 36}
"""Threads of Ray's for signs of life, for batches of other hosts, and for workers of tasks."""
CALLS_MAX = 8
"""Calls that run at a time: to stop and to look beside a start that hangs."""


EXIT_FATAL = 70  # EX_SOFTWARE of sysexits.h
EXIT_ORPHANED = 71


class Process:
    """Made by `actors` through Ray; see the module.

    Args:
        spec: a `ProcessSpec` in msgpack.
    """

    def __init__(self, spec: bytes) -> None:
        self._spec = msgspec.msgpack.decode(spec, type=ProcessSpec)
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="loop", daemon=True)
        self._hosted: Hosted | None = None
        self._preparing = threading.Lock()
        self._batches: collections.deque[bytes] = collections.deque()
        self._told = False  # the loop will look at the batches
        self._heard_s = time.monotonic()

    def prepare(self) -> bytes:
        """Import everything and fetch the sockets, once; an `Answer` with a `Beat`."""
        with self._preparing:
            return told(self._prepare if self._hosted is None else self.beat)

    def call(self, method: str, arguments: bytes) -> bytes:
        """Ask what runs here; an `Answer`."""
        return told(lambda: self._on_loop(self._prepared().call(method, arguments)))

    def beat(self) -> bytes:
        """A `Beat`, whatever the loop does."""
        self._heard_s = time.monotonic()
        return msgspec.msgpack.encode(self._prepared().beat())

    def enroll(self, roll: bytes, handles: dict[int, Any]) -> bytes:
        """Who is there; `handles` are the actors of the other hosts, by store. An `Answer`."""
        ways: dict[int, Transport] = {
            store: RayTransport(handle, self._loop) for store, handle in handles.items()
        }
        called = msgspec.msgpack.decode(roll, type=Roll)
        return told(lambda: self._on_loop(_enrolled(self._prepared(), called, ways)))

    def take(self, batch: bytes) -> bytes:
        """A batch of another host, which is here when this returns b""."""
        self._batches.append(batch)
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._deliver)
        return b""

    # ---- on the loop --------------------------------------------------------------------------
    def _deliver(self) -> None:
        self._told = False  # before looking: what comes from now on tells the loop again
        while self._batches:
            self._prepared().take(self._batches.popleft())

    # ---- inside -------------------------------------------------------------------------------
    def _prepare(self) -> bytes:
        spec = self._spec
        if spec.protocol != PROTOCOL:
            raise RuntimeError(f"protocol {spec.protocol} of the run, {PROTOCOL} of this process")
        sys.path[:] = [path for path in sys.path if path not in spec.unwanted_paths]
        taken = self._lease() if spec.far else self._enter()
        self._hosted = factory_named(spec.factory)(spec.config, taken, self._fatal)
        look_rarely()
        self._thread.start()
        return msgspec.msgpack.encode(Beat(os.getpid(), node=this_node() if spec.far else ""))

    def _enter(self) -> Taken:
        """Belong to the run on this machine."""
        spec = self._spec
        self._member = members.enter(Path(spec.scratch), spec.name)
        taken = take(Path(spec.handover), spec.ticket)
        threading.Thread(target=die_with, args=(taken.run,), name="run-watch", daemon=True).start()
        # Python's streams alone: what Ray's own code writes to 1 and 2 stays in Ray's log files.
        log = os.fdopen(os.dup(taken.log), "w", buffering=1, errors="replace")
        sys.stdout = sys.stderr = log
        return taken

    def _lease(self) -> Taken:
        """Belong to a run elsewhere; what is printed goes to Ray's log files."""
        threading.Thread(
            target=hold_lease, args=(lambda: self._heard_s,), name="lease", daemon=True
        ).start()
        return Taken(-1, sys.stderr.fileno(), ())

    def _prepared(self) -> Hosted:
        if self._hosted is None:
            raise NotPrepared("the process is starting")
        return self._hosted

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._fatal("the event loop ended")

    def _fatal(self, reason: str) -> NoReturn:
        """Leave the reason where `fleet` looks for it, and end."""
        try:
            last_words(Path(self._spec.scratch), os.getpid()).write_text(reason)
        finally:
            os._exit(EXIT_FATAL)


async def _enrolled(hosted: Hosted, roll: Roll, ways: dict[int, Transport]) -> bytes:
    hosted.enroll(roll, ways)
    return b""


def last_words(scratch: Path, pid: int) -> Path:
    """The file in which a process that ends itself leaves the reason."""
    return scratch / f"last-words.{pid}"


def die_with(pidfd: int) -> NoReturn:
    """Wait for the end of the run process, then end."""
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    ended.poll()
    os._exit(EXIT_ORPHANED)


def told(work: Callable[[], bytes]) -> bytes:
    """An `Answer` in msgpack: what the work returned, or why it could not."""
    answer: Answer
    try:
        answer = Answered(work())
    except Exception as error:  # noqa: BLE001  told to whoever called, who decides
        number = getattr(error, "number", "")
        if not number:
            traceback.print_exception(error)
        answer = Refused(number, str(error) if number else f"{type(error).__name__}: {error}")
    return msgspec.msgpack.encode(answer)
