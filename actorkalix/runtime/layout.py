"""Where the stores of a data folder lie.

    DATA/store-0, store-1, ...   one folder a store
    DATA/views/<view>/               the files of a view, see `views.files`
    DATA/moving.json             there while stores are made or shards move between them
    DATA/run.lock ...            of the run itself, see `folders` and `presence`

Version 0.1 kept its only store in DATA itself. `upgrade` moves its files into `store-0`: by rename,
for a store knows its data file by the inode, and the data file last, so that a kill in between
leaves a folder that is of 0.1 still, and is upgraded at the next start.

A store is there when its data file is. Folders without one are what a killed run has left of making
or removing a store.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import msgspec

from actorkalix.errors import ForeignFolder
from actorkalix.views.serving import VIEWS
from actorkalix_storage.lmdbstore import read_homes, read_identity
from actorkalix_storage.lmdbstore.environment import DATA_FILE
from actorkalix_storage.lmdbstore.folder import LOCK_FILE, FolderLock, sync_folder

MARK_NAME = "moving.json"
_STORE = re.compile(r"store-(0|[1-9][0-9]{0,3})")
_READERS_FILE = "lock.mdb"  # LMDB's table of readers; it makes another


class Mark(msgspec.Struct, frozen=True):
    """What a run has begun to make of a data folder; `hosts` is how many stores it is to have."""

    hosts: int


def store_folder(data: Path, number: int) -> Path:
    """The folder of a store."""
    return data / f"store-{number}"


def views_folder(data: Path) -> Path:
    """The folder of all views."""
    return data / VIEWS


def found(data: Path) -> dict[int, Path]:
    """The stores that are there, by number, ascending.

    A folder that is itself a store (of version 0.1, or one of a data folder's) is that one alone.

    Raises:
        ForeignFolder: it is a store and has stores in it.
    """
    stores: dict[int, Path] = {}
    for path in data.glob("store-*"):
        name = _STORE.fullmatch(path.name)
        if name is not None and (path / DATA_FILE).exists():
            stores[int(name[1])] = path
    if not is_store(data):
        return dict(sorted(stores.items()))
    if stores:
        raise ForeignFolder(
            f"{data} has a store of version 0.1 in {data / DATA_FILE} beside those of a later "
            f"version: the two know nothing of each other; move the one that you do not want away"
        )
    own = _STORE.fullmatch(data.name)
    return {int(own[1]) if own is not None else 0: data}


def is_store(path: Path) -> bool:
    """Whether a folder is itself a store, as the data folders of version 0.1 are."""
    return (path / DATA_FILE).exists()


def check_whole(path: Path) -> None:
    """Refuse one store of a data folder where a data folder is asked for.

    Raises:
        ForeignFolder: it is one.
        UnsupportedFormat, Damaged, Unreadable: it does not say.
    """
    if is_store(path) and (read_homes(path) is not None or read_identity(path).number):
        raise ForeignFolder(
            f"{path} is one store of the data folder {path.absolute().parent}: give that one"
        )


def upgrade(data: Path, service: str) -> None:
    """Move the store of version 0.1 into a folder of its own; nothing where there is none.

    Args:
        data: the data folder, taken by this run.
        service: who says so, for the lock.

    Raises:
        ForeignFolder, StoreInUse, UnsupportedFormat, Damaged, Unreadable: nothing was moved.
        OSError: the folder cannot be written.
    """
    if not is_store(data):
        return
    found(data)
    check_whole(data)
    lock = FolderLock(data, service)
    try:
        folder = store_folder(data, 0)
        folder.mkdir(exist_ok=True)
        (data / _READERS_FILE).unlink(missing_ok=True)
        for name in (LOCK_FILE, DATA_FILE):
            (data / name).rename(folder / name)
            sync_folder(folder)
            sync_folder(data)
    finally:
        lock.release(clean=lock.was_closed)


def remove(folder: Path) -> None:
    """Remove a store; it is gone as soon as its data file is.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / DATA_FILE).unlink(missing_ok=True)
    sync_folder(folder)
    shutil.rmtree(folder)


def put_mark(data: Path, mark: Mark) -> None:
    """Say durably what is begun.

    Raises:
        OSError: the folder cannot be written.
    """
    waiting = data / f".{MARK_NAME}"
    with waiting.open("wb") as file:
        file.write(msgspec.json.encode(mark) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(data / MARK_NAME)
    sync_folder(data)


def get_mark(data: Path) -> Mark | None:
    """What a run has begun and not ended, if it says so readably."""
    try:
        return msgspec.json.decode((data / MARK_NAME).read_bytes(), type=Mark)
    except (OSError, msgspec.MsgspecError):
        return None


def is_marked(data: Path) -> bool:
    """Whether a run has begun something and not ended it."""
    return (data / MARK_NAME).exists()


def remove_mark(data: Path) -> None:
    """Say durably that all is done.

    Raises:
        OSError: the folder cannot be written.
    """
    (data / MARK_NAME).unlink(missing_ok=True)
    sync_folder(data)
