"""Large states in rows: written ahead of the commits that name them, removed when nobody does.

What one state was written as are pieces under its subject and a number: the sequence of the log's
last row when it began, and a counter. Whatever a record names has therefore a number below that of
all that begin later, after a crash too. Pieces go in small transactions, so that commits come
between; they mean nothing until a record names them.

Of a subject stay the pieces that its newest state on disk or in memory names, and those of states
on their way. Where others may be is known from writing, and of what an earlier process has left
from one walk over the keys, some subjects at a time, after the store was opened. A replay of the
log reads no state, so one that is superseded may go before the next checkpoint. A reader whose
transaction is older has the pieces; one that begins later than its head finds that they are gone,
and looks again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING
from zlib import crc32

import lmdb

from actorkalix_storage.api import Ahead, Damaged, RecordKind, StoredRecord
from actorkalix_storage.api.ahead import name_of
from actorkalix_storage.api.keys import (
    KeyKind,
    ahead_key,
    aheads_key,
    kind_key,
    piece_of,
    subject_ahead,
)
from actorkalix_storage.failpoints import hit
from actorkalix_storage.tables import Subject

from .environment import Environment

if TYPE_CHECKING:
    from .view import View

PIECE_BYTES = 262_128  # with the header of an overflow page 64 pages of 4 KiB
PIECES_OF_TRANSACTION = 1  # each put may wait for the GIL
DELETED_OF_SLICE = 16
SUBJECTS_OF_SLICE = 200
COUNTER_BITS = 16
_BEYOND = b"\xff" * 11
_CHANGES = (RecordKind.STATE, RecordKind.DELETED, RecordKind.CLEANED)


def read(rows: lmdb.Transaction[memoryview], subject: Subject, name: bytes) -> bytes:
    """What a record names.

    Raises:
        Damaged: a piece is missing, or the checksum does not match.
    """
    number, length, crc = name_of(name)
    prefix = aheads_key(*subject)
    keys = (ahead_key(prefix, number, piece) for piece in range(-(-length // PIECE_BYTES)))
    payload = b"".join(rows.get(key) or b"" for key in keys)
    if len(payload) != length or crc32(payload) != crc:
        shard, component, entity = subject
        raise Damaged(
            f"shard {shard}: the state {number} of {component}/{entity} has {len(payload)} bytes "
            f"of {length}, or others than were written"
        )
    return payload


class Aheads:
    """The states of one store that were or are being written ahead; calls come from its writer.

    Args:
        environment: where the rows are.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._began = (0, 0)  # sequence, how many have begun since
        self._on_their_way: dict[int, Subject] = {}
        self._known: set[Subject] = set()  # that have rows
        self._untidy: dict[Subject, None] = {}
        self._walked: bytes | None = kind_key(KeyKind.AHEAD)  # None: to the end

    def write(self, ahead: Ahead, sequence: int) -> bool:
        """Write the next pieces; whether more are to come.

        Args:
            ahead: what is written.
            sequence: of the last row in the log.
        """
        if not ahead.number:
            self._begin(ahead, sequence)
        begin = ahead.written
        end = min(begin + PIECES_OF_TRANSACTION * PIECE_BYTES, len(ahead.payload))
        prefix, payload = aheads_key(*ahead.subject), memoryview(ahead.payload)
        with self._environment.write(watch_space=True) as rows:
            for at in range(begin, end, PIECE_BYTES):
                key = ahead_key(prefix, ahead.number, at // PIECE_BYTES)
                rows.put(key, payload[at : min(at + PIECE_BYTES, end)])
            hit("ahead.piece")
        return ahead.advance(end)

    def _begin(self, ahead: Ahead, sequence: int) -> None:
        since = self._began[1] + 1 if self._began[0] == sequence else 1
        self._began = (sequence, since)
        ahead.number = (sequence << COUNTER_BITS) + since
        self._on_their_way[ahead.number] = ahead.subject
        self._known.add(ahead.subject)

    def arrived(self, ahead: Ahead) -> None:
        """It was named by an append, or will be by none."""
        if self._on_their_way.pop(ahead.number, None) is not None:
            self._untidy[ahead.subject] = None

    def committed(self, records: Iterable[StoredRecord]) -> None:
        """These records are durable."""
        if not self._known:
            return
        for stored in records:
            record = stored.record
            subject = (stored.shard, record.component, record.entity)
            if record.kind in _CHANGES and subject in self._known:
                self._untidy[subject] = None

    def tidy(self, source: Callable[[], View], damaged: Container[int]) -> bool:
        """Do one slice of looking for what nobody names and removing it; whether there was any.

        Args:
            source: gives a view.
            damaged: shards to leave alone; hidden ones are left alone too.
        """
        if not self._untidy and self._walked is not None:
            self._walk()
        for _ in range(SUBJECTS_OF_SLICE):
            if not self._untidy:
                break
            if self._tidy_one(next(iter(self._untidy)), source, damaged):
                return True
        return bool(self._untidy) or self._walked is not None

    def _tidy_one(
        self, subject: Subject, source: Callable[[], View], damaged: Container[int]
    ) -> bool:
        """Remove what nobody names of a subject, or a part of it; whether there was any."""
        with source() as view:
            kept: set[int] | None = None
            if subject[0] not in damaged and subject[0] not in view.hidden:
                with contextlib.suppress(Damaged):  # it is found again by whoever asks for it
                    kept = self._kept(view, subject)
        if kept is None:
            del self._untidy[subject]
            return False
        removed = self._remove(subject, kept)
        if removed < DELETED_OF_SLICE:
            del self._untidy[subject]
            if not kept:
                self._known.discard(subject)
        return removed > 0

    def _kept(self, view: View, subject: Subject) -> set[int]:
        kept = {n for n, whose in self._on_their_way.items() if whose == subject}
        head = view.head(subject)
        name = view.name_at(subject[0], head.state_offset) if head and head.state_offset else b""
        if name:
            kept.add(name_of(name)[0])
        return kept

    def _remove(self, subject: Subject, kept: set[int]) -> int:
        """Delete some pieces of all other states; how many."""
        prefix = aheads_key(*subject)
        gone: list[bytes] = []
        rows = self._environment.read()
        try:
            cursor = rows.cursor()
            found = cursor.set_range(prefix)
            while found and len(gone) < DELETED_OF_SLICE:
                key = bytes(cursor.key())
                if not key.startswith(prefix):
                    break
                number = piece_of(key)[0]
                if number in kept:
                    found = cursor.set_range(ahead_key(prefix, number + 1, 0))
                else:
                    gone.append(key)
                    found = cursor.next()
        finally:
            rows.abort()
        if gone:
            with self._environment.write() as writing:
                for key in gone:
                    writing.delete(key)
                hit("ahead.piece")
        return len(gone)

    def _walk(self) -> None:
        """Look at some more subjects that have rows."""
        assert self._walked is not None, "the walk is over"
        rows = self._environment.read()
        try:
            cursor = rows.cursor()
            for _ in range(SUBJECTS_OF_SLICE):
                found = cursor.set_range(self._walked)
                if not found or cursor.key()[:2] != kind_key(KeyKind.AHEAD):
                    self._walked = None
                    break
                key = bytes(cursor.key())
                try:
                    subject = subject_ahead(key)
                except Damaged:
                    self._walked = key + b"\0"  # it stays, for `verify` to name
                    continue
                self._known.add(subject)
                self._untidy[subject] = None
                self._walked = aheads_key(*subject) + _BEYOND
        finally:
            rows.abort()
