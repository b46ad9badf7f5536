"""A host's part of a backup: it copies its own store when the coordinator asks it to.

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
from collections.abc import Mapping
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


class CopyOrder(msgspec.Struct, frozen=True):
    """What the coordinator asks a host: about the copy of its store into the folder `target`."""

    target: str


class CopyProgress(msgspec.Struct, frozen=True):
    """How far a host is; `copy` when it is done."""

    done: int
    total: int
    copy: StoreCopy | None


def backup_methods(store: LmdbStore) -> Mapping[str, HostMethod]:
    """What a host offers to `ServiceBackup`: `backup.start`, `backup.progress`, `backup.cancel`."""
    host = HostBackup(store)
    return {
        "backup.start": host_method(CopyOrder, host.start),
        "backup.progress": host_method(CopyOrder, host.progress),
        "backup.cancel": host_method(CopyOrder, host.cancel),
    }


class HostBackup:
    """Copies of one store, one at a time. Its methods run on the host's loop."""

    def __init__(self, store: LmdbStore) -> None:
        self._store = store
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

    async def progress(self, order: CopyOrder) -> CopyProgress:
        """How far the copy is; asking keeps it going.

        Raises:
            BackupStopped: this host is making none to that target, or has given it up.
            ActorkalixError: what went wrong with it.
        """
        copy = self._asked_for(order)
        if copy is None:
            raise BackupStopped(f"the host of store {self._number} ended and another replaced it")
        copy.asked_s = time.monotonic()
        if copy.error is not None:
            raise copy.error
        return CopyProgress(*copy.progress, copy.result)

    async def cancel(self, order: CopyOrder) -> None:
        """Stop the copy if it is being made; on return nothing writes to the target any more."""
        copy = self._asked_for(order)
        if copy is not None:
            copy.cancelled.set()
            await asyncio.to_thread(copy.thread.join)

    @property
    def _number(self) -> int:
        return self._store.identity.number

    def _asked_for(self, order: CopyOrder) -> _Copy | None:
        copy = self._copy
        return copy if copy is not None and str(copy.target) == order.target else None


class _Copy:
    """One copy and the thread that makes it; the thread writes the attributes, the loop reads."""

    def __init__(self, store: LmdbStore, target: Path) -> None:
        self._store = store
        self.target = target
        self.progress = (0, 0)
        self.result: StoreCopy | None = None
        self.error: ActorkalixError | None = None
        self.cancelled = threading.Event()
        self.asked_s = time.monotonic()
        # A daemon: a host that ends does not wait for it, and its child ends with its output.
        self.thread = threading.Thread(target=self._run, name="backup", daemon=True)

    def _run(self) -> None:
        try:
            self.result = back_up(self._store, self.target, watch=self._watch)
        except StoreError as error:
            self.error = catalog().get(error.number, ActorkalixError)(str(error))
        except Exception as error:
            log.exception("the copy of store %s failed", self._store.identity.number)
            self.error = InternalError(f"{type(error).__name__}: {error}")

    def _watch(self, done: int, total: int) -> None:
        self.progress = (done, total)
        if self.cancelled.is_set():
            raise copies.BackupStopped("the backup was cancelled")
        if time.monotonic() - self.asked_s > LEASE_S:
            raise copies.BackupStopped(f"nobody has asked for the backup for {LEASE_S:g} s")
