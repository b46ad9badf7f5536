"""The host: a Ray actor that runs what its factory makes, on an event loop of its own.

States: made -> `prepare` (imports, sockets; a spare host stays here) -> `start` (serving) -> `stop`
-> killed by who made it. The actor is detached, has `num_cpus=0`, `max_restarts=0`,
`max_task_retries=0`: Ray is never to bring it back by itself, for `supervise` has to see its
store's lock released first.

The loop is not Ray's: with a thread of our own, `health` and `stop` answer while a handler holds
the loop, and what Ray schedules on its loop never stands between a request and its reply. Ray calls
the methods on its own threads (`CALLS_MAX` at a time).

It ends the process at once, with `os._exit`, when the run process ends (a thread waits on its
pidfd), when the factory says `fatal`, and when the loop's thread dies. That is safe at any instant:
what was acknowledged is on disk, and the OS releases the store's lock.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import select
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec
import uvloop

from actorkalix_cluster.rayhost.contract import (
    Hosted,
    HostSpec,
    NotStarted,
    Started,
    StartReply,
    factory_named,
)
from actorkalix_cluster.rayhost.sockets import take

T = TypeVar("T")

CALLS_MAX = 4
"""Methods that Ray runs at a time: `stop` and `health` beside a `start` that hangs."""

EXIT_FATAL = 70  # EX_SOFTWARE of sysexits.h
EXIT_ORPHANED = 71


class HostActor:
    """Made by `supervise` through Ray; see the module.

    Args:
        spec: a `HostSpec` in msgpack.
    """

    def __init__(self, spec: bytes) -> None:
        self._spec = msgspec.msgpack.decode(spec, type=HostSpec)
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="host", daemon=True)
        self._hosted: Hosted | None = None

    def prepare(self) -> bytes:
        """Import everything and fetch the sockets; returns a `StartReply` without facts."""
        return _told(self._prepare)

    def start(self) -> bytes:
        """Serve; returns a `StartReply` in msgpack."""
        return _told(lambda: self._on_loop(self._prepared().start()))

    def health(self) -> bytes:
        """What the hosted says of itself."""
        return self._on_loop(self._prepared().health())

    def stop(self, grace_s: float) -> bytes:
        """Drain and close; the process itself goes on until it is killed. Returns nothing, b""."""
        self._on_loop(self._prepared().stop(grace_s))
        return b""

    def _prepare(self) -> bytes:
        spec = self._spec
        sys.path[:] = [path for path in sys.path if path not in spec.unwanted_paths]
        taken = take(Path(spec.scratch), spec.ticket)
        threading.Thread(
            target=_die_with, args=(taken.run.pidfd,), name="run-watch", daemon=True
        ).start()
        log, *listeners = taken.files
        # Python's streams alone: what Ray's own code writes to 1 and 2 stays in Ray's log files.
        sys.stdout = sys.stderr = os.fdopen(log, "w", buffering=1, errors="replace")
        sockets = [socket.socket(fileno=fd) for fd in listeners]
        self._hosted = factory_named(spec.factory)(spec.config, sockets, self._fatal)
        self._thread.start()
        return b""

    def _prepared(self) -> Hosted:
        assert self._hosted is not None, "prepare comes first"
        return self._hosted

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._fatal("the host's event loop ended")

    def _fatal(self, reason: str) -> NoReturn:
        """Leave the reason where `supervise` looks for it, and end."""
        try:
            last_words(Path(self._spec.scratch), os.getpid()).write_text(reason)
        finally:
            os._exit(EXIT_FATAL)


def last_words(scratch: Path, pid: int) -> Path:
    """The file in which a host that ends itself leaves the reason."""
    return scratch / f"last-words.{pid}"


def _die_with(pidfd: int) -> NoReturn:
    """Wait for the end of the run process, then end."""
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    ended.poll()
    os._exit(EXIT_ORPHANED)


def _told(work: Callable[[], bytes]) -> bytes:
    """A `StartReply` in msgpack: what the work returned, or why it could not."""
    reply: StartReply
    try:
        reply = Started(work())
    except Exception as error:  # noqa: BLE001  told to the run process, which decides
        number = getattr(error, "number", "")
        if not number:
            traceback.print_exception(error)
        reply = NotStarted(number, str(error) if number else f"{type(error).__name__}: {error}")
    return msgspec.msgpack.encode(reply)
