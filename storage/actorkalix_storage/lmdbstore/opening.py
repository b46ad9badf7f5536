"""Opening a store: lock, look at the file, read whose it is, replay the log's tail.

Order and reasons:

1. the lock, so that nothing below is done twice at once;
2. the file's size against its meta pages, before anything is mapped;
3. after an unclean stop, a look at the log's tail in a child process: reading a damaged page can
   kill a process, and it should not be this one. A short file gets the full check there;
4. identity and format, before anything is written;
5. the replay. A frame whose checksum is wrong takes its shard out of service (`damaged_shards`); a
   log row whose directory is wrong, or a hole in the sequences, leaves nothing to trust and is
   `Damaged`.

No head is read: opening costs the shards' rows and the log's tail.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeAlias

import lmdb
import msgspec

from actorkalix_storage.api import (
    Damaged,
    ForeignStore,
    HomeTable,
    Position,
    ShardState,
    StoreIdentity,
    Unreadable,
    UnsupportedFormat,
)
from actorkalix_storage.api.keys import KeyKind, hour_key, hour_of, kind_key, meta_key, shard_of

from .basis import Basis
from .checkpoint import CHECKPOINT, get_mark
from .child import Check, run_check
from .environment import DATA_FILE, Environment
from .folder import FolderLock, is_short, sync_folder
from .log import log_rows
from .options import Options
from .rows import (
    FORMAT,
    Drop,
    IdentityRow,
    unpack_drop,
    unpack_homes,
    unpack_shard,
    unpack_source,
)
from .store import HOMES, LmdbStore

IDENTITY = meta_key("identity")
SHARDS_MAX = 65_535
LINEAGE_MAX = (1 << 64) - 1
MAKING = ".making"  # folder in the folder, while its data file is made

Rows: TypeAlias = "lmdb.Transaction[memoryview]"


def open_store(
    path: str | os.PathLike[str],
    *,
    service: str,
    shards: int = 1024,
    cluster: str | None = None,
    number: int = 0,
    lineage: int | None = None,
    create: bool = True,
    allow_copy: bool = False,
    options: Options | None = None,
) -> LmdbStore:
    """Open a store, or make it.

    Args:
        path: its folder.
        service: name of the service that it must belong to.
        shards: number of shards of the service, 1 to 65,535.
        cluster: 32 hex digits that it must belong to; None takes what it has, or makes some.
        number: number of the store in its service, 0 and up.
        lineage: of a store that is made now, 1 to 2^64 - 1; None draws one. One that exists keeps
            its own.
        create: make the folder where there is none.
        allow_copy: take a folder that was copied, under a new lineage.
        options: bounds.

    Durability: a new store's folder and identity are on disk when this returns.

    Raises:
        StoreInUse: it is open elsewhere; the message names the process.
        ForeignStore: it belongs to another service, cluster or number, or it is a copy.
        UnsupportedFormat: another version of the format has written it.
        Damaged: the file, or the log's structure, cannot be trusted.
        Unreadable: there is no such folder and `create` is False, or it cannot be used.
    """
    if not 1 <= shards <= SHARDS_MAX or number < 0:
        raise ValueError(f"store {number} of a service with {shards} shards")
    if lineage is not None and not 1 <= lineage <= LINEAGE_MAX:
        raise ValueError(f"lineage {lineage}: it is a number of 64 bits, and not 0")
    folder = Path(path)
    options = options or Options()
    _make_folder(folder, create)
    lock = FolderLock(folder, service)
    environment: Environment | None = None
    try:
        if (folder / DATA_FILE).exists():
            _look(folder, lock, options)
        else:
            _make_file(folder)
        environment = Environment(
            folder, map_bytes=options.map_bytes, reserve_bytes=options.reserve_bytes
        )
        wanted = StoreIdentity(cluster or "", service, number, shards, lineage or 0)
        identity = _identify(environment, folder, wanted, allow_copy)
        return _recover(environment, identity, lock, options)
    except BaseException:
        if environment:
            environment.close()
        lock.release(clean=False)
        raise


def read_identity(path: str | os.PathLike[str]) -> StoreIdentity:
    """Whose store a folder is, also while another process has it open (this one may not).

    Raises:
        Unreadable: there is no store, or this process has it open.
        UnsupportedFormat: another version of the format has written it.
        Damaged: the file is not whole.
    """
    folder = Path(path)
    with _beside(folder) as environment:
        return _identity_of(identity_row(environment, folder))


def read_homes(path: str | os.PathLike[str]) -> HomeTable | None:
    """The home table in a folder, None when it has none yet; otherwise as `read_identity`."""
    folder = Path(path)
    with _beside(folder) as environment:
        identity_row(environment, folder)
        transaction = environment.read()
        try:
            return homes_of(transaction)
        except lmdb.Error as error:
            raise Damaged(f"{folder / DATA_FILE}: the table cannot be read: {error}") from error
        finally:
            transaction.abort()


@contextlib.contextmanager
def _beside(folder: Path) -> Generator[Environment]:
    """The table of a folder, to be looked at; another process may have it open."""
    if not (folder / DATA_FILE).exists():
        raise Unreadable(f"{folder}: there is no store")
    if is_short(folder):
        raise Damaged(f"{folder / DATA_FILE} ends before its last page: verify it")
    environment = Environment(folder, readonly=True)
    try:
        yield environment
    finally:
        environment.close()


def _make_folder(folder: Path, create: bool) -> None:
    if not create and not (folder / DATA_FILE).exists():
        raise Unreadable(f"{folder}: there is no store")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unreadable(f"{folder}: {error.strerror or error}") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise Unreadable(f"{folder}: no permission to read and write")


def _make_file(folder: Path) -> None:
    """Make an empty table elsewhere and move it in: a data file that is there is whole."""
    making = folder / MAKING
    shutil.rmtree(making, ignore_errors=True)
    try:
        making.mkdir()
        Environment(making, reserve_bytes=0).close()
        (making / DATA_FILE).rename(folder / DATA_FILE)
    except OSError as error:
        raise Unreadable(f"{folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _look(folder: Path, lock: FolderLock, options: Options) -> None:
    """Let a child process touch the file first, where that may be its death."""
    check = None
    if is_short(folder):
        check = Check.FULL
    elif options.check and not lock.was_closed:
        check = Check.TAIL
    if check is not None:
        findings = run_check(folder, check)
        if findings.fatal:
            raise Damaged(f"{folder / DATA_FILE}: {findings.first}")


def _identify(
    environment: Environment, folder: Path, wanted: StoreIdentity, allow_copy: bool
) -> StoreIdentity:
    """Compare the folder's identity with what is wanted; write one where there is none."""
    inode = (folder / DATA_FILE).stat().st_ino
    if environment.is_empty():
        cluster = wanted.cluster or secrets.token_hex(16)
        lineage = wanted.lineage or _lineage()
        row = IdentityRow(
            FORMAT, cluster, wanted.service, wanted.number, wanted.shards, lineage, inode
        )
        _put_identity(environment, row)
        sync_folder(folder)
        sync_folder(folder.absolute().parent)
        return _identity_of(row)
    row = identity_row(environment, folder)
    _compare(folder, row, wanted)
    if row.inode != inode:
        if not allow_copy:
            raise ForeignStore(
                f"{folder} looks like a copy: its data file was made elsewhere. Two copies of a "
                f"store must never both serve. If the other one is gone for good, open this one "
                f"with allow_copy; it then begins a new lineage"
            )
        row = msgspec.structs.replace(row, inode=inode, lineage=_lineage())
        _put_identity(environment, row)
    return _identity_of(row)


def _compare(folder: Path, row: IdentityRow, wanted: StoreIdentity) -> None:
    has = _identity_of(row)
    for what, its, ours in (
        ("service", has.service, wanted.service),
        ("cluster", has.cluster, wanted.cluster or has.cluster),
        ("store number", has.number, wanted.number),
        ("number of shards", has.shards, wanted.shards),
    ):
        if its != ours:
            raise ForeignStore(
                f"{folder} has {what} {its!r}, not {ours!r}: "
                f"give the folder of {ours!r}, or an empty one"
            )


def _recover(
    environment: Environment, identity: StoreIdentity, lock: FolderLock, options: Options
) -> LmdbStore:
    transaction = environment.read()
    try:
        basis = read_basis(transaction)
        store = LmdbStore(identity, environment, lock, options, basis)
        store.recover(log_rows(transaction, basis.mark.sequence))
    except lmdb.Error as error:
        raise Damaged(f"the table cannot be read: {error}") from error
    finally:
        transaction.abort()
    return store


def read_basis(rows: Rows) -> Basis:
    """All that is kept in memory of the tables on disk; a shard that cannot be read is damaged."""
    drops = read_drops(rows)
    shards: dict[int, ShardState] = {}
    copies: dict[int, Position] = {}
    damaged: dict[int, str] = {}
    for shard, row in _rows_of_shards(rows, KeyKind.SHARD):
        if shard in drops and not drops[shard].is_swept:
            continue
        try:
            shards[shard] = unpack_shard(row)
        except Damaged as error:
            damaged[shard] = f"shard {shard}: {error}"
            continue
        source = unpack_source(row)
        if source:
            copies[shard] = source
    mark, hours = get_mark(rows.get(CHECKPOINT)), tuple(read_hours(rows))
    mark = msgspec.structs.replace(mark, damaged={**damaged, **mark.damaged})
    return Basis(mark, shards, copies, drops, homes_of(rows), hours)


def read_drops(rows: Rows) -> dict[int, Drop]:
    """Where shards were dropped."""
    return {shard: unpack_drop(row, shard) for shard, row in _rows_of_shards(rows, KeyKind.DROP)}


def homes_of(rows: Rows) -> HomeTable | None:
    """The home table, None where there is none yet."""
    row = rows.get(HOMES)
    return None if row is None else unpack_homes(row)


def _rows_of_shards(rows: Rows, kind: KeyKind) -> Iterator[tuple[int, memoryview]]:
    cursor = rows.cursor()
    found = cursor.set_range(kind_key(kind))
    while found and cursor.key()[:2] == kind_key(kind):
        yield shard_of(cursor.key()), cursor.value()
        found = cursor.next()


def read_hours(rows: Rows) -> list[int]:
    """The hours of which idempotency rows exist: one seek each."""
    cursor = rows.cursor()
    hours: list[int] = []
    found = cursor.set_range(hour_key(0))
    while found and cursor.key()[:2] == kind_key(KeyKind.IDEMPOTENCY):
        hours.append(hour_of(cursor.key()))
        found = cursor.set_range(hour_key(hours[-1] + 1))
    return hours


def identity_row(environment: Environment, folder: Path) -> IdentityRow:
    """Whose store this is.

    Raises:
        Unreadable, UnsupportedFormat, Damaged: it does not say.
    """
    transaction = environment.read()
    try:
        return _decode_identity(folder, transaction.get(IDENTITY))
    except lmdb.Error as error:
        raise Damaged(f"{folder / DATA_FILE}: the identity cannot be read: {error}") from error
    finally:
        transaction.abort()


def _decode_identity(folder: Path, row: memoryview | None) -> IdentityRow:
    if row is None:
        raise Unreadable(f"{folder}: an LMDB table that is not a store")
    try:
        format_ = msgspec.msgpack.decode(row, type=_FormatRow).format
        if format_ != FORMAT:
            raise UnsupportedFormat(
                f"{folder} was written in format {format_}, this version reads format {FORMAT}"
            )
        return msgspec.msgpack.decode(row, type=IdentityRow)
    except msgspec.MsgspecError as error:
        raise Damaged(f"{folder}: the identity cannot be read: {error}") from error


def _put_identity(environment: Environment, row: IdentityRow) -> None:
    with environment.write() as rows:
        rows.put(IDENTITY, msgspec.msgpack.encode(row))


def _identity_of(row: IdentityRow) -> StoreIdentity:
    return StoreIdentity(row.cluster, row.service, row.number, row.shards, row.lineage)


def _lineage() -> int:
    return secrets.randbits(63) + 1  # other stores of the service are made with the same one


class _FormatRow(msgspec.Struct):
    format: int
