"""The data folder of a run: whose it is, who has it, and what the run itself keeps there.

Besides the stores (see `layout`) there lie `run.lock`, held by the run process and by its reaper
until the last process of the run is gone; `ray-token`, which alone opens the run's Ray; and the
note of `presence`. The lock says who holds it, the OS releases it, so nothing that is left over can
lock anybody out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
import time
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec

from actorkalix.errors import FolderInUse, FolderUnusable, ForeignFolder, catalog
from actorkalix.runtime import layout
from actorkalix_storage.api import Damaged, StoreError, Unreadable
from actorkalix_storage.lmdbstore import holder, read_identity

LOCK_NAME = "run.lock"
TOKEN_NAME = "ray-token"
TOKEN_BYTES = 32
END_S_MAX = 20.0  # for the rest of a killed run; its reaper needs well below one second
_LOOK_EVERY_S = 0.05


class DataFolder(msgspec.Struct, frozen=True):
    """A data folder that this process has to itself.

    Attributes:
        path: absolute.
        lock: file descriptor that holds it; a process that inherits it holds the folder too.
    """

    path: Path
    lock: int

    def token_file(self) -> Path:
        """Holds the token of the run's Ray: 64 hex digits, mode 0600, made at the first run.

        Raises:
            FolderUnusable: it cannot be written.
        """
        file = self.path / TOKEN_NAME
        try:
            if not file.exists():
                waiting = self.path / f".{TOKEN_NAME}"
                waiting.unlink(missing_ok=True)
                waiting.touch(mode=0o600)
                waiting.write_text(secrets.token_hex(TOKEN_BYTES))
                waiting.replace(file)
            file.chmod(0o600)
        except OSError as error:
            raise FolderUnusable(f"{file} cannot be written: {error.strerror}") from error
        return file


@contextlib.contextmanager
def taken(path: Path, service: str, waiting: Callable[[], None]) -> Generator[DataFolder]:
    """The data folder, made if it is not there, for this process alone while the block runs.

    Args:
        path: of the folder.
        service: whose it has to be.
        waiting: called once, before waiting for the rest of a killed run.

    Raises:
        FolderUnusable: not a folder, cannot be made, or cannot be written.
        ForeignFolder: it is another service's.
        FolderInUse: another process has it; the message names it.
        UnsupportedFormat, StoredDataDamaged: as they say.
    """
    path = path.absolute()
    if path.exists() and not path.is_dir():
        raise FolderUnusable(f"{path} is not a folder")
    _check_owner(path, service)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FolderUnusable(f"{path} cannot be written: {error.strerror}") from error
    try:
        _lock(path, lock, waiting)
        for folder in layout.found(path).values():
            held = holder(folder)
            if held is not None:
                raise FolderInUse(f"{folder} is open in process {_shown(held.pid)}")
        yield DataFolder(path, lock)
    finally:
        os.close(lock)


def _check_owner(path: Path, service: str) -> None:
    """Refuse what is not this service's data folder before anything is written to it."""
    for folder in layout.found(path).values():
        try:
            layout.check_whole(path)
            owner = read_identity(folder).service
        except (Unreadable, Damaged):
            continue  # opening it looks closer
        except StoreError as error:
            raise catalog()[error.number](str(error)) from error
        if owner != service:
            raise ForeignFolder(
                f"{path} is the data folder of the service {owner!r}, not {service!r}"
            )


def _lock(path: Path, lock: int, waiting: Callable[[], None]) -> None:
    until = time.monotonic() + END_S_MAX
    told = False
    while not _try_lock(lock):
        pid = int(os.pread(lock, 20, 0) or b"0")
        if _alive(pid) or time.monotonic() > until:
            raise FolderInUse(f"{path} is in use by process {_shown(pid)}")
        if told:
            time.sleep(_LOOK_EVERY_S)
        else:
            told = True
            waiting()
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    except OSError as error:
        raise FolderUnusable(f"{path} cannot be written: {error.strerror}") from error


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0 and _state(pid) not in "ZX"


def _state(pid: int) -> str:
    """One letter of proc(5); a zombie has let go of its files already."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _shown(pid: int) -> str:
    """`1234 (actorkalix run shop:service)`."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return str(pid)
    return f"{pid} ({shlex.join(word for word in words if word)[:120]})"
