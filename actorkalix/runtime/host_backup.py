"""A host's part of a backup: it copies its own store when the coordinator asks it to.

All copies of a service have one moment. The coordinator lets every host get ready (`start`, then
`hold`, which stops its commits), then every copy begins (`cut`), then commits go on (`release`):
between the last `hold` and the first `release` nothing is written anywhere, and every copy began
there. Who is held for longer than `HOLD_S_MAX` goes on by itself, and its backup fails.

The copy is made on a thread of its own. It goes on only while somebody asks for it: a coordinator
that has ended leaves no copy behind that nobody wants. A file is removed only while it is the very
one that was made here, so a host that was paused for an hour cannot harm a backup that was taken to
the same place meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from actorkalix.errors import (
    ActorkalixError,
    BackupInProgress,
    BackupStopped,
    InternalError,
    catalog,
)
from actorkalix.ports import HostMethod
from actorkalix.runtime.host_methods import host_method
from actorkalix_storage.api import StoreError
from actorkalix_storage.lmdbstore import LmdbStore
from actorkalix_storage.lmdbstore import backup as copies
from actorkalix_storage.lmdbstore.backup import StoreCopy, back_up

log = logging.getLogger("actorkalix.runtime")

LEASE_S = 60.0
HOLD_S_MAX = 2.0
"""No commit waits longer for a backup to begin; it takes some 20 ms where all hosts are well."""

READY_S_MAX = 30.0  # a child starts and opens the store
Write = Callable[[Callable[[], bool]], Awaitable[bool]]
"""Does a job on the thread that writes to the store, in the place of a commit."""


class CopyOrder(msgspec.Struct, frozen=True):
    """What the coordinator asks a host: about the copy of its store into the folder `target`."""

    target: str


class CopyProgress(msgspec.Struct, frozen=True):
    """How far a host is; `copy` when it is done."""

    done: int
    total: int
    copy: StoreCopy | None


def backup_methods(store: LmdbStore, write: Write | None = None) -> Mapping[str, HostMethod]:
    """What a host offers to `ServiceBackup`, as `backup.start` and so on: see `HostBackup`.

    Args:
        store: its own.
        write: stands in the way of commits; None where there are none.
    """
    host = HostBackup(store, write)
    return {
        "backup.start": host_method(CopyOrder, host.start),
        "backup.hold": host_method(CopyOrder, host.hold),
        "backup.cut": host_method(CopyOrder, host.cut),
        "backup.release": host_method(CopyOrder, host.release),
        "backup.progress": host_method(CopyOrder, host.progress),
        "backup.cancel": host_method(CopyOrder, host.cancel),
    }


class HostBackup:
    """Copies of one store, one at a time. Its methods run on the host's loop."""

    def __init__(self, store: LmdbStore, write: Write | None) -> None:
        self._store = store
        self._write = write
        self._copy: _Copy | None = None

    async def start(self, order: CopyOrder) -> None:
        """Begin a copy.

        Raises:
            BackupInProgress: one is being made.
        """
        if self._copy is not None and self._copy.thread.is_alive():
            raise BackupInProgress(f"store {self._number} is being copied to {self._copy.target}")
        self._copy = _Copy(self._store, Path(order.target))
        self._copy.thread.start()

    async def hold(self, order: CopyOrder) -> None:
        """Stop commits when the copy is ready to begin; they go on after `release`.

        Raises:
            BackupStopped: it did not get ready, or what else is said of the copy.
        """
        copy = self._known(order)
        if not await asyncio.to_thread(copy.readied.wait, READY_S_MAX):
            raise BackupStopped(f"the copy of store {self._number} did not begin in time")
        if copy.error is not None:
            raise copy.error
        if self._write is not None and copy.held is None:
            held = asyncio.Event()
            loop = asyncio.get_running_loop()

            def stand_in_the_way() -> bool:
                loop.call_soon_threadsafe(held.set)
                return copy.let_go.wait(HOLD_S_MAX)

            copy.held = asyncio.ensure_future(self._write(stand_in_the_way))
            await held.wait()

    async def cut(self, order: CopyOrder) -> None:
        """Begin the copy; on return what is committed from now on is not in it.

        Raises:
            BackupStopped: it did not begin, or what else is said of the copy.
        """
        copy = self._known(order)
        copy.go.set()
        if not await asyncio.to_thread(copy.began.wait, HOLD_S_MAX):
            raise BackupStopped(f"the copy of store {self._number} did not begin in time")
        if copy.error is not None:
            raise copy.error

    async def release(self, order: CopyOrder) -> None:
        """Let commits go on.

        Raises:
            BackupStopped: they went on by themselves, before.
        """
        copy = self._known(order)
        copy.let_go.set()
        if copy.held is not None and not await copy.held:
            raise BackupStopped(
                f"store {self._number} was held for {HOLD_S_MAX:g} s and other hosts were not "
                "ready: take the backup when they answer"
            )

    async def progress(self, order: CopyOrder) -> CopyProgress:
        """How far the copy is; asking keeps it going.

        Raises:
            BackupStopped: this host is making none to that target, or has given it up.
            ActorkalixError: what went wrong with it.
        """
        copy = self._known(order)
        copy.asked_s = time.monotonic()
        if copy.error is not None:
            raise copy.error
        return CopyProgress(*copy.progress, copy.result)

    async def cancel(self, order: CopyOrder) -> None:
        """Stop the copy if it is being made; on return nothing writes to the target any more."""
        copy = self._asked_for(order)
        if copy is not None:
            copy.cancelled.set()
            copy.go.set()
            copy.let_go.set()
            await asyncio.to_thread(copy.thread.join)

    @property
    def _number(self) -> int:
        return self._store.identity.number

    def _known(self, order: CopyOrder) -> _Copy:
        copy = self._asked_for(order)
        if copy is None:
            raise BackupStopped(f"the host of store {self._number} ended and another replaced it")
        return copy

    def _asked_for(self, order: CopyOrder) -> _Copy | None:
        copy = self._copy
        return copy if copy is not None and str(copy.target) == order.target else None


class _Copy:
    """One copy and the thread that makes it; the thread writes the attributes, the loop reads.

    A `Cut`: the thread is told when its moment is.
    """

    def __init__(self, store: LmdbStore, target: Path) -> None:
        self._store = store
        self.target = target
        self.progress = (0, 0)
        self.result: StoreCopy | None = None
        self.error: ActorkalixError | None = None
        self.cancelled = threading.Event()
        self.readied, self.go, self.began = (threading.Event() for _ in range(3))
        self.let_go = threading.Event()
        self.held: asyncio.Future[bool] | None = None  # commits wait; whether until `release`
        self.asked_s = time.monotonic()
        # A daemon: a host that ends does not wait for it, and its child ends with its output.
        self.thread = threading.Thread(target=self._run, name="backup", daemon=True)

    def _run(self) -> None:
        try:
            self.result = back_up(self._store, self.target, watch=self._watch, cut=self)
        except StoreError as error:
            self.error = catalog().get(error.number, ActorkalixError)(str(error))
        except Exception as error:
            log.exception("the copy of store %s failed", self._store.identity.number)
            self.error = InternalError(f"{type(error).__name__}: {error}")
        finally:
            self.readied.set()
            self.began.set()

    def ready(self) -> None:
        """Wait for `HostBackup.cut`."""
        self.readied.set()
        while not self.go.wait(LEASE_S / 60):
            self._watch(0, 0)

    def taken(self) -> None:
        """The transaction has begun."""
        self.began.set()

    def _watch(self, done: int, total: int) -> None:
        self.progress = (done, total)
        if self.cancelled.is_set():
            raise copies.BackupStopped("the backup was cancelled")
        if time.monotonic() - self.asked_s > LEASE_S:
            raise copies.BackupStopped(f"nobody has asked for the backup for {LEASE_S:g} s")
