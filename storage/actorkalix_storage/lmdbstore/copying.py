"""The child process of a backup: `python -m actorkalix_storage.lmdbstore.copying <task> <folder>`.

`copy` writes the size of a copy (`SIZE`) to stdout, waits for a byte of stdin, and then writes the
copy itself, as one read transaction sees the table that begins now. It takes part in LMDB's table
of readers, so another process may write meanwhile, and it ends by itself when nobody reads its
output any more.

`read` writes the `Contents` of a copy at rest as JSON: identity and home table, and the shards'
positions, for which it replays the log after the checkpoint as opening the store would.
"""

from __future__ import annotations

import enum
import struct
import sys
import tempfile
from pathlib import Path

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

from .environment import DATA_FILE, Environment
from .folder import FolderLock, is_short
from .opening import _recover, identity_row
from .options import Options

FAILED, UNSUPPORTED = 1, 2  # exit codes
SIZE = struct.Struct(">Q")


class Task(enum.Enum):
    """What the child does."""

    COPY = "copy"
    READ = "read"


class Contents(msgspec.Struct, frozen=True):
    """What a copy says of itself.

    Attributes:
        identity: whose store it is.
        homes: the home table as this store knows it.
        positions: newest durable position of every shard that has one.
        damaged: shards that must not be served, with what was found.
    """

    identity: StoreIdentity
    homes: HomeTable | None
    positions: dict[int, Position]
    damaged: dict[int, str]


def copy(folder: Path, fd: int) -> None:
    """Write size and, when told to by a byte on stdin, copy of the table to a file descriptor."""
    environment = Environment(folder, readonly=True)
    with open(fd, "wb", buffering=0, closefd=False) as out:
        out.write(SIZE.pack(environment.used_bytes()))
    if sys.stdin.buffer.read(1):  # else nobody wants it any more
        environment.copy_to(fd)
    environment.close()


def read(folder: Path) -> Contents:
    """Look into a copy; no other process has it open.

    Raises:
        StoreError, lmdb.Error: it is none that could be opened.
    """
    if is_short(folder):
        raise Damaged(f"{folder / DATA_FILE} ends before its last page")
    environment = Environment(folder, readonly=True, lock=False)
    row = identity_row(environment, folder)
    identity = StoreIdentity(row.cluster, row.service, row.number, row.shards, row.lineage)
    # Nobody else has a copy open, and no file is to come into it that was not copied; so the store
    # is given the lock of another folder.
    with tempfile.TemporaryDirectory() as empty:
        lock = FolderLock(Path(empty), identity.service)
        store = _recover(environment, identity, lock, Options())
        durable = {shard: store.durable(shard) for shard in range(identity.shards)}
        positions = {shard: position for shard, position in durable.items() if position.offset}
        contents = Contents(identity, store.homes(), positions, store.damaged_shards())
        store.abandon()
    return contents


def main(task: Task, folder: Path) -> int:
    """Do a task; what went wrong is one line on stderr."""
    try:
        if task is Task.COPY:
            copy(folder, sys.stdout.fileno())
        else:
            sys.stdout.buffer.write(msgspec.json.encode(read(folder)))
    except (StoreError, lmdb.Error, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return UNSUPPORTED if isinstance(error, UnsupportedFormat) else FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(Task(sys.argv[1]), Path(sys.argv[2])))
