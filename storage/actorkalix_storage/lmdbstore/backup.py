"""Copies of a store: taken while it is written to, and made into a store again.

A backup is one read transaction that stays open until the last byte of the copy is read, the one
exception to "no read transaction outlives 50 ms". Pages that it sees are not used again, so the
store's file grows by whatever is written meanwhile and never shrinks (measured: 0.5 GB/s at worst).
So a copy is watched piece by piece, and stopped when that gets too expensive: free space of either
file system, growth of the source.

The transaction lives in a child process (`copying`), whose output is the copy:

- a damaged page kills the child, not the host that serves the store;
- a stop is a kill, at any moment, also of a child that hangs;
- nothing of it holds the interpreter of the host, whose commits go on.

The child is ready before it is told to begin the transaction. So whoever copies several stores can
hold their commits for the instant in which all transactions begin (`Cut`): what one store has sent
and another has taken is then in both copies or in none.

A killed child leaves its row in LMDB's table of readers, which would hold the pages it saw until
the next `reader_check`; so one follows at once.

The copy is compact (no free pages) and keeps the identity of its source, inode included, so it is
refused as a store until `take_over` gives it a lineage of its own.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Protocol

import lmdb
import msgspec

from actorkalix_storage.api import (
    Damaged,
    HomeTable,
    Position,
    StoreError,
    StoreIdentity,
    UnsupportedFormat,
)

from .child import child_of, signal_name
from .copying import SIZE, UNSUPPORTED, Contents, Task
from .environment import DATA_FILE, Environment
from .folder import sync_folder
from .newfile import PIECE_BYTES, NewFile
from .opening import IDENTITY, identity_row
from .store import LmdbStore

RESERVES = 2  # at one reserve the store refuses commits: a copy stops well before
GROWTH_BYTES_MIN = 1024**3
GROWTH_FACTOR = 4
TICK_MS = 250

Watch = Callable[[int, int], None]
"""Told bytes done and bytes expected, every piece and every `TICK_MS`; it may raise to stop."""


class Cut(Protocol):
    """Chooses the moment of a copy; both are called on the thread that copies."""

    def ready(self) -> None:
        """All is ready; returns when the transaction may begin, or raises to stop."""
        ...

    def taken(self) -> None:
        """The transaction has begun: what is committed from now on is not in the copy."""
        ...


class BackupStopped(StoreError):
    """The copy was given up before it was whole; what was written of it is removed."""

    number = "AK4009"


class BackupInProgress(StoreError):
    """Another copy of this store is being made."""

    number = "AK4010"


class TargetUnusable(StoreError):
    """The folder for a copy is there already, or cannot be made."""

    number = "AK4007"


class StoreCopy(msgspec.Struct, frozen=True):
    """A copy that is on disk.

    Attributes:
        identity: whose store it is.
        began_ms: milliseconds since 1970; what was durable before then is in the copy.
        bytes: size of its file.
        blake2b: 64 hex digits of the file's blake2b-256.
        homes: the home table as this store knows it.
        positions: newest durable position of every shard that has one.
        damaged: shards that must not be served, with what was found.
    """

    identity: StoreIdentity
    began_ms: int
    bytes: int
    blake2b: str
    homes: HomeTable | None
    positions: dict[int, Position]
    damaged: dict[int, str]


def back_up(store: LmdbStore, target: Path, *, watch: Watch, cut: Cut | None = None) -> StoreCopy:
    """Copy a store as it is at one moment, while it is written to. Blocks: give it a thread.

    Args:
        store: open in this process.
        target: folder for the copy; it must not be there, its parent must.
        watch: see `Watch`; what it raises ends the copy and is passed on.
        cut: chooses the copy's moment; as soon as possible when not given.

    Durability: the copy's file and its name are on disk when this returns.

    Raises:
        BackupInProgress: another copy of this store is being made.
        TargetUnusable: the target is there, or cannot be made.
        BackupStopped: too little space, too much growth, or the disk failed.
        Damaged: the store cannot be copied, or the copy cannot be read.
    """
    source = store.environment.path
    with _alone(source), _folder(target):
        with _file(target) as file:
            began_ms = _copy(store, file, watch, cut or _AtOnce())
            digest = file.finish()
        sync_folder(target)
        sync_folder(target.parent)
        contents = contents_of(target)
        return StoreCopy(
            contents.identity,
            began_ms,
            file.size,
            digest,
            contents.homes,
            contents.positions,
            contents.damaged,
        )


def take_over(folder: Path, lineage: int) -> StoreIdentity:
    """Make a store of a copy that lies in its final file: it begins a lineage of its own.

    Args:
        folder: has the copy's data file; no process has it open.
        lineage: of this and of all other stores of the data folder.

    Durability: the new identity is on disk when this returns.

    Raises:
        StoreError: it is none, or of another format.
    """
    environment = Environment(folder, reserve_bytes=0)
    try:
        inode = (folder / DATA_FILE).stat().st_ino
        row = msgspec.structs.replace(
            identity_row(environment, folder), inode=inode, lineage=lineage
        )
        with environment.write() as rows:
            rows.put(IDENTITY, msgspec.msgpack.encode(row))
    finally:
        environment.close()
    sync_folder(folder)
    return StoreIdentity(row.cluster, row.service, row.number, row.shards, row.lineage)


def contents_of(folder: Path) -> Contents:
    """What a copy at rest says of itself, read in a child process.

    Raises:
        Damaged: it cannot be read.
    """
    with _child(Task.READ, folder) as child:
        assert child.stdout is not None
        found = child.stdout.read()
    try:
        return msgspec.json.decode(found, type=Contents)
    except msgspec.MsgspecError as error:
        raise Damaged(f"{folder}: the copy cannot be read: {error}") from error


# ---- one at a time, all or nothing -----------------------------------------------------------
_busy: set[Path] = set()
_busy_lock = threading.Lock()


@contextlib.contextmanager
def _alone(source: Path) -> Generator[None]:
    key = source.resolve()
    with _busy_lock:
        if key in _busy:
            raise BackupInProgress(f"{source} is being copied already")
        _busy.add(key)
    try:
        yield
    finally:
        with _busy_lock:
            _busy.discard(key)


@contextlib.contextmanager
def _folder(target: Path) -> Generator[None]:
    """A new folder; removed again, when it is empty, if the block fails."""
    try:
        target.mkdir(mode=0o700)
    except OSError as error:
        raise TargetUnusable(f"{target}: {error.strerror or error}") from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # another copy's by now, or removed already
            target.rmdir()
        raise


@contextlib.contextmanager
def _file(target: Path) -> Generator[NewFile]:
    """The data file in a target; removed again if the block fails."""
    try:
        file = NewFile(target / DATA_FILE)
    except OSError as error:
        raise TargetUnusable(f"{target}: {error.strerror or error}") from error
    try:
        yield file
    except OSError as error:
        file.remove()
        raise BackupStopped(f"{file.path}: {error.strerror or error}") from error
    except BaseException:
        file.remove()
        raise
    finally:
        file.close()


# ---- the copy --------------------------------------------------------------------------------
class _AtOnce:
    """A `Cut` that does not wait."""

    def ready(self) -> None:
        """Go on."""

    def taken(self) -> None:
        """Nobody waits for it."""


def _copy(store: LmdbStore, file: NewFile, watch: Watch, cut: Cut) -> int:
    """Copy; milliseconds since 1970 of a time before the transaction began."""
    source = store.environment.path
    costs = _Costs(source, file.path.parent, store.environment.reserve_bytes)
    try:
        with _child(Task.COPY, source) as child:
            expected = began_ms = 0
            for n, piece in enumerate(_pieces(child, SIZE.size)):
                if n == 0:
                    expected = SIZE.unpack(piece)[0]
                    cut.ready()
                    began_ms = time.time_ns() // 1_000_000
                    _go(child)
                else:
                    if piece and not file.size:
                        cut.taken()
                    file.write(piece)
                costs.check(max(0, expected - file.size))
                watch(file.size, max(expected, file.size))
    except BaseException:
        with contextlib.suppress(lmdb.Error):  # the store was closed meanwhile
            store.environment.reader_check()
        raise
    return began_ms


def _go(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended, and its output says so
        child.stdin.write(b"\n")
        child.stdin.flush()


class _Costs:
    """What a copy may cost: `check` raises when it is too much."""

    def __init__(self, source: Path, target: Path, reserve_bytes: int) -> None:
        self._file = source / DATA_FILE
        self._folders = (target, source)
        self._least = RESERVES * reserve_bytes
        self._size = self._file.stat().st_size
        self._growth_max = max(GROWTH_BYTES_MIN, GROWTH_FACTOR * self._size)

    def check(self, missing: int) -> None:
        """Raise `BackupStopped` when the copy's last `missing` bytes must not be written."""
        for folder, needed in zip(self._folders, (missing, 0), strict=True):
            free = shutil.disk_usage(folder).free
            if free < needed + self._least:
                raise BackupStopped(
                    f"{folder}: {free:,} bytes free; the copy needs {needed:,} more, and "
                    f"{self._least:,} are kept free for the store"
                )
        growth = self._file.stat().st_size - self._size
        if growth > self._growth_max:
            raise BackupStopped(
                f"{self._file} has grown by {growth:,} bytes since the copy began, more than the "
                f"{self._growth_max:,} that a copy may cost: copy when less is written"
            )


@contextlib.contextmanager
def _child(task: Task, folder: Path) -> Generator[subprocess.Popen[bytes]]:
    """A child at work; killed if the block fails, otherwise it must have done its task."""
    command, environ = child_of("copying", task.value, str(folder))
    child = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pipesize=PIECE_BYTES,
    )
    with child:
        try:
            yield child
        except BaseException:
            child.kill()
            raise
        said = child.communicate()[1].decode(errors="replace").strip()
        if child.returncode < 0:
            by = signal_name(-child.returncode)
            raise Damaged(f"{folder}: reading it ended a process by {by}: verify it")
        if child.returncode:
            kind = UnsupportedFormat if child.returncode == UNSUPPORTED else Damaged
            raise kind(f"{folder}: {said.splitlines()[-1] if said else 'it cannot be copied'}")


def _pieces(child: subprocess.Popen[bytes], head: int) -> Iterator[bytes]:
    """What the child writes: first `head` bytes, then pieces; b"" when there is none in a tick."""
    assert child.stdout is not None
    fd = child.stdout.fileno()
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    missing = head
    first = b""
    while missing:
        piece = os.read(fd, missing)
        if not piece:
            return
        first += piece
        missing -= len(piece)
    yield first
    while True:
        if not poll.poll(TICK_MS):
            yield b""
        elif piece := os.read(fd, PIECE_BYTES):
            yield piece
        else:
            return
