"""Restore: a backup becomes a data folder again, in whole or not at all.

Everything is read and compared before anything is written: `backup.json`, each file against its
checksum, and what each store says of itself against `backup.json`; looking into a store happens in
a child process, which damaged pages may kill. Then the stores are written into a folder beside the
target, `<target>.restoring-xxxxxxxx`, which becomes the target by one rename. Of a restore that was
killed only that folder is left; it can be removed.

All stores begin one new lineage, for what was written after the backup is gone: whoever has a
position beyond the end of what is restored (a view, a cursor, a token) sees that his history is
another one (`Store.parting`). Cluster id and positions up to there stay. The shards' epochs are
raised at the first start, as at every start.

Blocking code over an iterator: nothing serves while it runs.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Generator
from hashlib import blake2b
from pathlib import Path

import msgspec

from actorkalix.errors import BackupDamaged, TargetUnusable, UnsupportedFormat
from actorkalix.runtime.backup_format import (
    Manifest,
    StoreFile,
    identity_of,
    lineage_hex,
    marks_of,
    read_manifest,
)
from actorkalix.runtime.layout import store_folder
from actorkalix_storage.api import StoreError
from actorkalix_storage.api import UnsupportedFormat as NewerStore
from actorkalix_storage.lmdbstore.backup import contents_of, take_over
from actorkalix_storage.lmdbstore.child import Check, run_check
from actorkalix_storage.lmdbstore.environment import DATA_FILE, RESERVE_BYTES
from actorkalix_storage.lmdbstore.folder import sync_folder
from actorkalix_storage.lmdbstore.newfile import DIGEST_BYTES, PIECE_BYTES, NewFile

TELL_BYTES = 64 * PIECE_BYTES


class Checking(msgspec.Struct, frozen=True, tag_field="event", tag="checking"):
    """A store's file is compared with its checksum: `done` bytes of `total`."""

    store: int
    done: int
    total: int


class Writing(msgspec.Struct, frozen=True, tag_field="event", tag="writing"):
    """A store is written: `done` bytes of `total`."""

    store: int
    done: int
    total: int


class Checked(msgspec.Struct, frozen=True, tag_field="event", tag="checked"):
    """A backup is whole: every byte is what was written, every record can be read.

    Attributes:
        backup: its folder.
        service: whose it is.
        taken: when it was begun, ISO 8601 in UTC.
        stores, shards: their numbers.
        bytes: of all files.
        records: looked at.
        damaged: shards that were damaged when it was taken, with what was found.
        seconds: how long it took.
    """

    backup: str
    service: str
    taken: str
    stores: int
    shards: int
    bytes: int
    records: int
    damaged: dict[int, str]
    seconds: float


class Restored(msgspec.Struct, frozen=True, tag_field="event", tag="restored"):
    """The data folder is there and on disk.

    Attributes:
        data: the folder.
        service: whose it is.
        taken: when the backup was begun, ISO 8601 in UTC.
        lineage: the new one, in hex.
        stores, shards: their numbers.
        bytes: of all stores.
        damaged: shards that were damaged when the backup was taken, with what was found.
        seconds: how long it took.
    """

    data: str
    service: str
    taken: str
    lineage: str
    stores: int
    shards: int
    bytes: int
    damaged: dict[int, str]
    seconds: float


RestoreEvent = Checking | Writing | Checked | Restored


def check(backup: Path, data: Path | None = None) -> Generator[RestoreEvent]:
    """Check a backup to its last record; nothing is written.

    Args:
        backup: its folder.
        data: where it would be restored to; checked too.

    Raises: as `restore`.
    """
    since = time.monotonic()
    if data is not None:
        _usable(data, backup)
    manifest = yield from _checked(backup)
    records = 0
    for store in manifest.stores:
        findings = run_check(store_folder(backup, store.store), Check.FULL)
        if findings.fatal or not (findings.ok or store.damaged):
            raise BackupDamaged(f"{backup / store.file}: {findings.first}")
        records += findings.records
    yield Checked(
        str(backup),
        manifest.service,
        manifest.taken,
        len(manifest.stores),
        manifest.shards,
        sum(store.bytes for store in manifest.stores),
        records,
        _damaged(manifest),
        round(time.monotonic() - since, 3),
    )


def restore(backup: Path, data: Path) -> Generator[RestoreEvent]:
    """Make a data folder of a backup; what was written is removed when the iteration ends early.

    Args:
        backup: its folder.
        data: the data folder to be; empty, or not there.

    Durability: all of it is on disk when `Restored` is told.

    Raises:
        BackupDamaged: a file of the backup is missing, cut off, changed, or not one of ours.
        UnsupportedFormat: a newer version has written the backup.
        TargetUnusable: `data` has something in it, cannot be written, or has no room.
    """
    since = time.monotonic()
    target = _usable(data, backup)
    manifest = yield from _checked(backup)
    size = sum(store.bytes for store in manifest.stores)
    lineage = secrets.randbits(63) + 1
    with _building(target, size) as building:
        for store in manifest.stores:
            yield from _written(backup, store, building)
            take_over(store_folder(building, store.store), lineage)
        sync_folder(building)
        building.rename(target)
        sync_folder(target.parent)
    yield Restored(
        str(data),
        manifest.service,
        manifest.taken,
        lineage_hex(lineage),
        len(manifest.stores),
        manifest.shards,
        size,
        _damaged(manifest),
        round(time.monotonic() - since, 3),
    )


# ---- the backup ------------------------------------------------------------------------------
def _checked(backup: Path) -> Generator[RestoreEvent, None, Manifest]:
    manifest = read_manifest(backup)
    for store in manifest.stores:
        yield from _hashed(backup, store)
        _compare(backup, store, manifest)
    return manifest


def _hashed(backup: Path, store: StoreFile) -> Generator[Checking]:
    """Read a store's file and compare size and checksum."""
    found = blake2b(digest_size=DIGEST_BYTES)
    size = 0
    for piece in _pieces(backup / store.file):
        found.update(piece)
        size += len(piece)
        if size % TELL_BYTES < PIECE_BYTES:
            yield Checking(store.store, size, store.bytes)
    if size != store.bytes:
        raise BackupDamaged(f"{backup / store.file} has {size:,} bytes, not {store.bytes:,}")
    if found.hexdigest() != store.blake2b:
        raise BackupDamaged(f"{backup / store.file} has been changed: its checksum does not match")
    yield Checking(store.store, size, store.bytes)


def _compare(backup: Path, store: StoreFile, manifest: Manifest) -> None:
    """What a store says of itself must be what `backup.json` says of it."""
    file = backup / store.file
    try:
        contents = contents_of(file.parent)
    except NewerStore as error:
        raise UnsupportedFormat(str(error)) from error
    except StoreError as error:
        raise BackupDamaged(f"{file} cannot be read: {error}") from error
    expected = identity_of(manifest, store.store)
    if contents.identity != expected:
        raise BackupDamaged(f"{file} is of {contents.identity}, not of {expected}")
    if marks_of(contents.positions) != store.shards:
        raise BackupDamaged(f"{file} ends at other positions than the backup says")


def _pieces(file: Path) -> Generator[bytes]:
    try:
        with file.open("rb", buffering=0) as source:
            while piece := source.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        raise BackupDamaged(f"{file} cannot be read: {error.strerror or error}") from error


def _damaged(manifest: Manifest) -> dict[int, str]:
    return {shard: what for store in manifest.stores for shard, what in store.damaged.items()}


# ---- the data folder -------------------------------------------------------------------------
def _usable(data: Path, backup: Path) -> Path:
    """The target without symbolic links, which must be empty or not there."""
    target = data.resolve()
    if target.is_relative_to(backup.resolve()):
        raise TargetUnusable(f"{data} lies in the backup {backup}: choose a folder outside")
    try:
        if not target.exists():
            return target
        if not target.is_dir():
            raise TargetUnusable(f"{data} is not a folder")
        if any(target.iterdir()):
            raise TargetUnusable(f"{data} has something in it: choose an empty folder")
    except OSError as error:
        raise TargetUnusable(f"{data}: {error.strerror or error}") from error
    return target


@contextlib.contextmanager
def _building(target: Path, size: int) -> Generator[Path]:
    """A folder beside the target; removed if the block fails."""
    building = target.with_name(f"{target.name}.restoring-{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        if free < size + RESERVE_BYTES:
            raise TargetUnusable(
                f"{target}: {free:,} bytes are free, {size + RESERVE_BYTES:,} are needed"
            )
        building.mkdir()
        yield building
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise TargetUnusable(f"{target}: {error.strerror or error}") from error
    except StoreError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise TargetUnusable(f"{target}: what was written cannot be opened: {error}") from error
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _written(backup: Path, store: StoreFile, building: Path) -> Generator[Writing]:
    """Write a store; what is written is hashed again, for the backup may change meanwhile."""
    folder = store_folder(building, store.store)
    folder.mkdir()
    file = NewFile(folder / DATA_FILE)
    try:
        for piece in _pieces(backup / store.file):
            file.write(piece)
            if file.size % TELL_BYTES < PIECE_BYTES:
                yield Writing(store.store, file.size, store.bytes)
        if file.finish() != store.blake2b:
            raise BackupDamaged(f"{backup / store.file} was changed while it was read")
    finally:
        file.close()
    yield Writing(store.store, store.bytes, store.bytes)
