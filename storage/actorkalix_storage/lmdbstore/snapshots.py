"""Snapshots in rows: pieces of 64 KiB, the first one last.

Piece 0 begins with the manifest; while it is not there the pieces mean nothing. A big snapshot is
written in several transactions, so that no commit waits for ten megabytes; a crash between them
leaves pieces that the next snapshot of the subject sweeps away. A snapshot can always be done
without: one that is damaged, of an earlier life, or beyond the head is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

import lmdb

from actorkalix_storage.api import Damaged, Head, Snapshot
from actorkalix_storage.api.keys import piece_of, snapshot_key, snapshots_key
from actorkalix_storage.failpoints import hit
from actorkalix_storage.tables import Subject, fits

from .environment import Environment
from .rows import MANIFEST_BYTES, Manifest, pack_manifest, unpack_manifest

PIECE_BYTES = 65_536
PIECES_OF_TRANSACTION = 16  # 1 MiB, like a commit
_BEYOND = b"\xff" * 10


def put(environment: Environment, subject: Subject, snapshot: Snapshot) -> None:
    """Write a snapshot, then forget all others of the subject."""
    prefix = snapshots_key(*subject)
    payload, number = snapshot.payload, snapshot.number
    pieces = range(1, (len(payload) + PIECE_BYTES - 1) // PIECE_BYTES)
    for begin in range(0, len(pieces), PIECES_OF_TRANSACTION):
        with environment.write() as rows:
            if begin == 0:
                rows.delete(snapshot_key(prefix, number, 0))
            for i in pieces[begin : begin + PIECES_OF_TRANSACTION]:
                piece = payload[i * PIECE_BYTES : (i + 1) * PIECE_BYTES]
                rows.put(snapshot_key(prefix, number, i), piece)
                hit("snapshot.piece")
    with environment.write() as rows:
        for its_number, piece_number in list(_pieces(rows, prefix)):
            if its_number != number or piece_number > len(pieces):
                rows.delete(snapshot_key(prefix, its_number, piece_number))
        key = snapshot_key(prefix, number, 0)
        manifest = _checked(key, snapshot.incarnation, snapshot.offset, payload)
        rows.put(key, pack_manifest(manifest) + payload[:PIECE_BYTES])
        hit("snapshot.piece")


def newest(rows: lmdb.Transaction[memoryview], subject: Subject, head: Head) -> Snapshot | None:
    """The newest whole snapshot of the head's life that is not beyond it."""
    prefix = snapshots_key(*subject)
    cursor = rows.cursor()
    found = cursor.prev() if cursor.set_range(prefix + _BEYOND) else cursor.last()
    while found and cursor.key()[: len(prefix)] == prefix:
        number = piece_of(cursor.key())[0]
        try:
            snapshot = read(rows, prefix, number)
        except Damaged:
            snapshot = None
        if snapshot and fits(snapshot, head):
            return snapshot
        first = snapshot_key(prefix, number, 0)
        found = cursor.set_range(first) and cursor.prev()
    return None


def read(rows: lmdb.Transaction[memoryview], prefix: bytes, number: int) -> Snapshot | None:
    """A snapshot by its number, or None while it has no manifest.

    Raises:
        Damaged: a piece is missing or the checksum does not match.
    """
    first = rows.get(snapshot_key(prefix, number, 0))
    if first is None:
        return None
    manifest = unpack_manifest(first)
    pieces = range(1, (manifest.length + PIECE_BYTES - 1) // PIECE_BYTES)
    rest = [bytes(rows.get(snapshot_key(prefix, number, i)) or b"") for i in pieces]
    payload = b"".join((bytes(first[MANIFEST_BYTES:]), *rest))
    key = snapshot_key(prefix, number, 0)
    if manifest != _checked(key, manifest.incarnation, manifest.offset, payload):
        raise Damaged(f"snapshot {number}: the checksum does not match")
    return Snapshot(manifest.incarnation, number, manifest.offset, payload)


def forget(rows: lmdb.Transaction[bytes], subject: Subject, incarnation: int) -> None:
    """Delete the snapshots of one life."""
    prefix = snapshots_key(*subject)
    gone = {
        number
        for number, piece in _pieces(rows, prefix)
        if piece == 0
        and unpack_manifest(rows.get(snapshot_key(prefix, number, 0), b"")).incarnation
        == incarnation
    }
    for number, piece in list(_pieces(rows, prefix)):
        if number in gone:
            rows.delete(snapshot_key(prefix, number, piece))


def _checked(key: bytes, incarnation: int, offset: int, payload: bytes) -> Manifest:
    """The manifest of a snapshot; its checksum is over the key and itself too.

    With a wrong number or offset, what is in a good state already would be folded in again.
    """
    bare = Manifest(incarnation, offset, len(payload), 0)
    crc = crc32(payload, crc32(key + pack_manifest(bare)))
    return Manifest(incarnation, offset, len(payload), crc)


def _pieces(rows: lmdb.Transaction[bytes], prefix: bytes) -> Iterator[tuple[int, int]]:
    cursor = rows.cursor()
    found = cursor.set_range(prefix)
    while found and cursor.key().startswith(prefix):
        yield piece_of(cursor.key())
        found = cursor.next()
