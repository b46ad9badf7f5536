"""The LMDB environment: how it is opened, and what its errors mean.

A commit of LMDB writes pages that nothing refers to, syncs them, writes a meta page that refers to
them, syncs that (mdb.c, `mdb_txn_commit`). So:

- An error before the meta page leaves the file as it was. No space, a full map: `StoreFull`, and
  the store goes on. That the meta page was not reached is checked: the number of the last
  transaction is the same, and a new transaction can begin (LMDB refuses one after a failed meta
  write). LMDB reports the short write of a disk that fills up as EIO (mdb.c, `mdb_page_flush`); it
  counts as no space when there is none left.
- Any other error of a commit leaves it unknown what is on disk: `DurabilityLost`, and nothing is
  tried again, since the kernel may report a failed sync once and then forget the lost pages.

Space is watched too: below a reserve, commits are refused while checkpoints and reclaiming, which
make room, go on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from actorkalix_storage.api import Damaged, DurabilityLost, StoreFull, Unreadable

MAP_BYTES = 256 * 1024**3  # address space, not memory; fixed at open
READERS_MAX = 512
RESERVE_BYTES = 64 * 1024**2
SPACE_CHECK_COMMITS = 64
LAST_BYTES = 4 * 1024**2  # less than a few commits: a short write is one for want of space
DATA_FILE = "data.mdb"
META_PAGES = 2

_BROKEN = (lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Environment:
    """One LMDB environment; writes come from one thread.

    Args:
        path: the folder; it exists.
        map_bytes: upper bound of the data file.
        reserve_bytes: free space of the file system below which commits are refused.
        readonly: open for reading alone, beside a process that may have it open.
        lock: take part in LMDB's table of readers; False only when no other process has it open.

    Raises:
        Damaged, StoreFull, Unreadable: it cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        map_bytes: int = MAP_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
        readonly: bool = False,
        lock: bool = True,
    ) -> None:
        try:
            self._env = lmdb.Environment(
                str(path),
                map_size=map_bytes,
                readonly=readonly,
                create=not readonly,
                readahead=False,
                meminit=False,
                max_readers=READERS_MAX,
                max_spare_txns=8,
                lock=lock,
            )
        except _BROKEN as error:
            raise Damaged(str(error)) from error  # LMDB's message begins with the path
        except lmdb.Error as error:
            kind = StoreFull if error.code in _NO_SPACE else Unreadable
            raise kind(str(error)) from error
        self._path = path
        self._reserve_bytes = reserve_bytes
        self._commits = 0
        self._low = False
        self.lost = ""
        if lock and not readonly:
            self._env.reader_check()

    @contextmanager
    def write(self, *, watch_space: bool = False) -> Generator[lmdb.Transaction[bytes], None, None]:
        """A write transaction; on leaving, what was put is on disk.

        Raises:
            StoreFull: nothing was stored.
            DurabilityLost: what is stored is not known.
        """
        if self.lost:
            raise DurabilityLost(self.lost)
        if watch_space:
            self._watch_space()
        before = self._env.info()["last_txnid"]
        try:
            transaction = self._env.begin(write=True)
        except lmdb.Error as error:
            raise self._lose(error) from error
        try:
            yield transaction
        except lmdb.Error as error:
            transaction.abort()
            if self._is_full(error):
                raise StoreFull(f"{self._path}: {error}; nothing was stored") from error
            raise self._lose(error) from error
        except BaseException:
            transaction.abort()
            raise
        try:
            self.commit(transaction)
        except lmdb.Error as error:
            if self._is_full(error) and self._untouched(before):
                raise StoreFull(f"{self._path}: {error}; nothing was stored") from error
            raise self._lose(error) from error

    def commit(self, transaction: lmdb.Transaction[bytes]) -> None:
        """Commit with both syncs; tests put a failing one in its place."""
        transaction.commit()

    def read(self) -> lmdb.Transaction[memoryview]:
        """A read transaction, to be ended within 50 ms: pages it can see are not used again."""
        return self._env.begin(buffers=True)

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._path

    @property
    def reserve_bytes(self) -> int:
        """Free space of the file system below which commits are refused."""
        return self._reserve_bytes

    def used_bytes(self) -> int:
        """Size of a copy made now: all pages but free ones, and two meta pages."""
        stat = self._env.stat()
        pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        return (pages + META_PAGES) * stat["psize"]

    def copy_to(self, fd: int) -> None:
        """Write a copy to a file descriptor; until it is all there one read transaction is open."""
        self._env.copyfd(fd, compact=True)

    def reader_check(self) -> None:
        """Forget readers of processes that are gone."""
        self._env.reader_check()

    def is_empty(self) -> bool:
        return self._env.stat()["entries"] == 0

    def close(self) -> None:
        self._env.close()

    def _untouched(self, before: int) -> bool:
        try:
            self._env.begin(write=True).abort()
        except lmdb.Error:
            return False
        return self._env.info()["last_txnid"] == before

    def _lose(self, error: lmdb.Error) -> DurabilityLost:
        self.lost = f"{self._path}: {error}; what is on disk is not known"
        return DurabilityLost(self.lost)

    def _watch_space(self) -> None:
        self._commits += 1
        if self._low or self._commits % SPACE_CHECK_COMMITS == 1:
            free = self._free_bytes()
            self._low = free < self._reserve_bytes
            if self._low:
                reserve = self._reserve_bytes
                raise StoreFull(f"{self._path}: {free} bytes free, {reserve} are kept in reserve")

    def _is_full(self, error: lmdb.Error) -> bool:
        if isinstance(error, lmdb.MapFullError) or error.code in _NO_SPACE:
            return True
        is_last = self._free_bytes() < max(self._reserve_bytes, LAST_BYTES)
        return error.code == errno.EIO and is_last

    def _free_bytes(self) -> int:
        status = os.statvfs(self._path)
        return status.f_bavail * status.f_frsize
