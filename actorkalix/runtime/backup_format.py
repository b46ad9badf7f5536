"""The format of a backup: a folder with `backup.json` and `store-N/data.mdb` for each store.

`backup.json` is written last and appears in whole or not at all: a folder without it is no backup.
It carries a checksum of itself and those of all other files, so that a backup is known to be what
was written before anything is made of it. It is plain JSON, for people and for other programs.

The stores' files are of one moment, for which their commits were held (`host_backup`): what one
store's entities have asked of another's (side effects, subscriptions, timers, topics) is either
done in both, or the asking store still has it to do, and the other drops by its key what it has.
Each store has `moment_ms` (whatever was durable before then is in its copy) and the position of
every shard.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import msgspec

from actorkalix.errors import BackupDamaged, UnsupportedFormat
from actorkalix.runtime.layout import store_folder
from actorkalix_storage.api import HomeTable, Position, StoreIdentity
from actorkalix_storage.lmdbstore.backup import StoreCopy
from actorkalix_storage.lmdbstore.environment import DATA_FILE
from actorkalix_storage.lmdbstore.folder import sync_folder
from actorkalix_storage.lmdbstore.newfile import DIGEST_BYTES, NewFile

FORMAT = 1
MANIFEST = "backup.json"
UNFINISHED = f".{MANIFEST}"

Hex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
_CHECKSUM = re.compile(rb'("checksum": ")([0-9a-f]{%d})(")' % (2 * DIGEST_BYTES))


class ShardMark(msgspec.Struct, frozen=True):
    """A position; the lineage in hex, for 64 bits are too many for a number in JSON."""

    lineage: Hex
    epoch: int
    offset: int


class StoreFile(msgspec.Struct, frozen=True):
    """One store's copy.

    Attributes:
        store: its number.
        file: path in the backup.
        bytes, blake2b: size and blake2b-256 of the file.
        moment_ms: milliseconds since 1970; what was durable before then is in the file.
        shards: newest position of every shard that has one.
        damaged: shards that were not served, with what was found.
    """

    store: int
    file: str
    bytes: int
    blake2b: str
    moment_ms: int
    shards: dict[int, ShardMark]
    damaged: dict[int, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What `backup.json` says.

    Attributes:
        format: of the backup.
        actorkalix: version that took it.
        taken: when it was begun, ISO 8601 in UTC.
        service, cluster, lineage, shards: whose it is; see `StoreIdentity`.
        homes: which store has a shard's records; None of a service that has never run.
        stores: all stores of the service.
        checksum: blake2b-256 of the document with this value empty.
    """

    format: int = FORMAT
    actorkalix: str
    taken: str
    service: str
    cluster: str
    lineage: Hex
    shards: int
    homes: HomeTable | None
    stores: tuple[StoreFile, ...]
    checksum: str = ""


class _Probe(msgspec.Struct):
    """What all formats have."""

    format: int


def store_file(number: int) -> Path:
    """File of a store below a backup, which has stores where a data folder has them."""
    return store_folder(Path(), number) / DATA_FILE


def lineage_hex(lineage: int) -> str:
    """A lineage as JSON carries it."""
    return f"{lineage:016x}"


def file_of(copy: StoreCopy) -> StoreFile:
    """What `backup.json` says of a copy."""
    return StoreFile(
        copy.identity.number,
        str(store_file(copy.identity.number)),
        copy.bytes,
        copy.blake2b,
        copy.began_ms,
        marks_of(copy.positions),
        copy.damaged,
    )


def marks_of(positions: dict[int, Position]) -> dict[int, ShardMark]:
    """Positions as `backup.json` has them."""
    return {
        shard: ShardMark(lineage_hex(position.lineage), position.epoch, position.offset)
        for shard, position in sorted(positions.items())
    }


def identity_of(manifest: Manifest, store: int) -> StoreIdentity:
    """Whose a store's file must be."""
    return StoreIdentity(
        manifest.cluster, manifest.service, store, manifest.shards, int(manifest.lineage, 16)
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a backup of a folder that has all else.

    Durability: everything is on disk when this returns.

    Raises:
        OSError: the folder cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    text = text.replace(b'"checksum": ""', b'"checksum": "%s"' % _digest(text).encode())
    file = NewFile(folder / UNFINISHED)
    try:
        file.write(text)
        file.finish()
    finally:
        file.close()
    file.path.rename(folder / MANIFEST)
    sync_folder(folder)
    sync_folder(folder.parent)


def read_manifest(folder: Path) -> Manifest:
    """What a backup says of itself.

    Raises:
        BackupDamaged: there is none, or it is not what was written.
        UnsupportedFormat: a newer version has written it.
    """
    file = folder / MANIFEST
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupDamaged(
            f"{folder} has no {MANIFEST}: it is no backup, or one that was not finished"
        ) from error
    except OSError as error:
        raise BackupDamaged(f"{file} cannot be read: {error.strerror or error}") from error
    try:
        format_ = msgspec.json.decode(text, type=_Probe).format
        if format_ > FORMAT:
            raise UnsupportedFormat(
                f"{file} is of format {format_}, this version reads {FORMAT} at most: restore it "
                "with the version that took it, or a newer one"
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupDamaged(f"{file} is not what actorkalix has written: {error}") from error
    if _digest(_CHECKSUM.sub(rb"\1\3", text)) != manifest.checksum:
        raise BackupDamaged(f"{file} has been changed: its checksum does not match")
    _check_stores(file, manifest)
    return manifest


def _digest(text: bytes) -> str:
    return blake2b(text, digest_size=DIGEST_BYTES).hexdigest()


def _check_stores(file: Path, manifest: Manifest) -> None:
    """A document with a good checksum may still not be one of ours."""
    there = {store.store for store in manifest.stores}
    homes = manifest.homes
    missing = sorted(set(homes.stores()) - there) if homes else []
    if missing:
        raise BackupDamaged(f"{file}: shards have their home in store {missing[0]}, not in here")
    if homes and len(homes.homes) != manifest.shards:
        raise BackupDamaged(f"{file}: homes of {len(homes.homes)} shards, not {manifest.shards}")
    for store in manifest.stores:
        expected = str(store_file(store.store))
        if store.file != expected:
            raise BackupDamaged(f"{file}: store {store.store} is in {store.file!r}, not {expected}")
    if not there or len(there) != len(manifest.stores):
        raise BackupDamaged(f"{file}: it names no store, or one twice")
