"""The folder of a store: who has it open, whose it is, whether it was left in order.

`lock` is held with flock from open to close. While it is held its text names the holder; after a
clean close it says so; whatever else it says means that the last owner was killed.

`data.mdb` is not mapped before its size was compared with its meta pages (mdb.c, `MDB_meta`:
reading a page beyond the end of a mapped file kills the process with SIGBUS). LMDB may leave pages
at the very end unwritten that it allocated and freed in one transaction (mdb.c, `mdb_env_copyfd0`,
"Check for short file"), so a short file is not damaged for certain: it asks for a full check in a
process that may die.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from actorkalix_storage.api import Damaged, StoreInUse, Unreadable

from .environment import DATA_FILE

LOCK_FILE = "lock"
LOCK_ATTEMPTS_MAX, LOCK_RETRY_S = 20, 0.01
CLOSED = b'{"closed":true}\n'

_META_MAGIC = 0xBEEFC0DE
_PAGE_HEADER_BYTES = 16
# magic, version, address, map, page size, ... last page, transaction
_META = struct.Struct("=II QQ I44x 48x QQ")
_META_LAST_PAGE, _META_TRANSACTION = 5, 6


class Holder(msgspec.Struct, frozen=True):
    """The process that has a store open.

    Attributes:
        pid: its process id on `host`, 0 when it has not said.
        host: its machine.
        service: the service of the store.
        started: when it opened the store, ISO 8601 in UTC.
        command: its command line.
    """

    pid: int = 0
    host: str = ""
    service: str = ""
    started: str = ""
    command: str = ""


class FolderLock:
    """The lock of a folder, held from construction to `release`.

    Attributes:
        was_closed: the last owner closed the store.

    Raises:
        StoreInUse: another process, or this one, has it open.
        Unreadable: the lock file cannot be opened.
    """

    def __init__(self, path: Path, service: str) -> None:
        try:
            self._fd = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Unreadable(f"{path}: {error.strerror or error}") from error
        if not self._take(path):
            os.close(self._fd)
            raise StoreInUse(f"{path} is open in {_named(_read_holder(path))}")
        self.was_closed = os.pread(self._fd, len(CLOSED) + 1, 0) == CLOSED
        holder = Holder(
            os.getpid(),
            socket.gethostname(),
            service,
            datetime.now(UTC).isoformat(timespec="seconds"),
            " ".join(sys.orig_argv)[:500],
        )
        self._write(msgspec.json.encode(holder) + b"\n")

    def release(self, *, clean: bool) -> None:
        """Give the folder back; `clean`: all that the log says is in the tables."""
        if clean:
            self._write(CLOSED)
        os.close(self._fd)

    def _take(self, path: Path) -> bool:
        for _ in range(LOCK_ATTEMPTS_MAX):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if _is_alive(_read_holder(path)):
                    return False
                time.sleep(LOCK_RETRY_S)  # someone asks who the holder is, or has not said it yet
            else:
                return True
        return False

    def _write(self, text: bytes) -> None:
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text, 0)
        os.fsync(self._fd)


def holder(path: str | os.PathLike[str]) -> Holder | None:
    """Who has the store open, or None."""
    try:
        fd = os.open(Path(path) / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(Path(path))
    finally:
        os.close(fd)
    return None


def is_short(path: Path) -> bool:
    """Whether the data file ends before the last page that its newest meta page knows.

    Raises:
        Damaged: neither meta page can be read.
    """
    file = path / DATA_FILE
    with file.open("rb") as data:
        size = os.fstat(data.fileno()).st_size
        first = _meta(data.read(_PAGE_HEADER_BYTES + _META.size))
        page_bytes = first[4] if first else os.sysconf("SC_PAGE_SIZE")
        data.seek(page_bytes)
        second = _meta(data.read(_PAGE_HEADER_BYTES + _META.size))
    metas = [meta for meta in (first, second) if meta]
    if not metas:
        raise Damaged(f"{file}: {size} bytes without a meta page of LMDB")
    newest = max(metas, key=lambda meta: meta[_META_TRANSACTION])
    return size < (newest[_META_LAST_PAGE] + 1) * page_bytes


def sync_folder(path: Path) -> None:
    """Make new names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _meta(page: bytes) -> tuple[int, ...] | None:
    if len(page) < _PAGE_HEADER_BYTES + _META.size:
        return None
    meta: tuple[int, ...] = _META.unpack_from(page, _PAGE_HEADER_BYTES)
    return meta if meta[0] == _META_MAGIC and meta[4] else None


def _read_holder(path: Path) -> Holder:
    try:
        return msgspec.json.decode((path / LOCK_FILE).read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return Holder()


def _is_alive(holder: Holder) -> bool:
    """Whether the named process may live; of other machines nothing is known."""
    if not holder.pid or holder.host != socket.gethostname():
        return bool(holder.pid)
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _named(holder: Holder) -> str:
    if not holder.pid:
        return "another process"
    who = f"process {holder.pid} on {holder.host}"
    return f"{who}, service {holder.service!r}, since {holder.started} ({holder.command})"
