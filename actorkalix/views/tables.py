"""One table of a view in its file: what a batch of records makes of its rows.

Theory of operation. A batch's records are sorted by subject when they come here, and each subject's
row is read once, changed in memory record by record, and written once. What is known of a subject
beside its row lies in `$subjects`: which life of its entity it is, how many changes were taken, and
whether it has ended. By that each record is judged:

    the record                             is
    the next of its life                   handled
    older than what was taken              a duplicate: dropped and counted
    of the same life, but not the next     a gap: the subject is parked, its records are read again
    of a later life                        handled; if no end of the life before was seen, its row
                                           goes first, as a notice would have had it
    of a subject that is parked            left to the retry, which reads it again
    folded, in a table of snapshots        left to the snapshot, or the snapshot is handled in its
                                           place: whatever the number was, it is the snapshot's now

Positions alone would do for the order of records (`projection`); this is the second line, and the
first for ids that begin anew.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from actorkalix.describe.descriptors import TableDescriptor
from actorkalix.errors import InvalidEffect
from actorkalix.model.component import Context, Live
from actorkalix.model.effects import RowEffect
from actorkalix.viewsql.storage import Search, TableStorage, quoted
from actorkalix_cluster.shardhost.feeding import Fed, Held
from actorkalix_cluster.shardhost.folding import COVERED
from actorkalix_cluster.shardhost.subscriber import reason_of

from .changes import CLEANED, DELETED, SourceReader, reader_of
from .positions import chunks
from .subjects import Subject, Tally

log = logging.getLogger("actorkalix.views")

CREATE = (
    'CREATE TABLE IF NOT EXISTS "$subjects"("table" TEXT NOT NULL, "subject" TEXT NOT NULL, '
    '"shard" INTEGER NOT NULL, "incarnation" INTEGER NOT NULL, "number" INTEGER NOT NULL, '
    '"version" INTEGER NOT NULL, "deleted" INTEGER NOT NULL, PRIMARY KEY("table", "subject")) '
    "WITHOUT ROWID",
    'CREATE TABLE IF NOT EXISTS "$removed"("table" TEXT NOT NULL, "subject" TEXT NOT NULL, '
    '"seq" INTEGER NOT NULL, PRIMARY KEY("table", "subject")) WITHOUT ROWID',
)


class Gap(Exception):
    """A record is missing."""


class TableFold:
    """See the head of this file.

    Args:
        view: the user's class.
        descriptor: of the table.
        searches: text searches of the view's queries.
        keeps_removed: whoever follows the table's changes is told of rows that were removed.

    Attributes:
        name: of the table.
        raised: by the handler that failed last, for those who want more than its text.
    """

    def __init__(
        self,
        view: type[Any],
        descriptor: TableDescriptor,
        searches: Iterable[Search] = (),
        *,
        keeps_removed: bool = False,
    ) -> None:
        self.name = descriptor.name
        self.reader: SourceReader = reader_of(descriptor)
        self.storage = TableStorage(descriptor.shape, searches)
        self.keeps_removed = keeps_removed
        self.raised: Exception | None = None
        self._view = view
        self._begins = descriptor.on_snapshot is not None
        self._table = descriptor
        self._searched = bool(self.storage.missing(()))
        table = quoted(descriptor.name)
        self._select = 'SELECT s."column1", p."shard", p."incarnation", p."number", p."version", '
        self._select += 'p."deleted", r."$row" FROM (VALUES '
        self._joins = (
            f') AS s LEFT JOIN "$subjects" p ON p."table"=? AND p."subject"=s."column1" '
            f'LEFT JOIN {table} r ON r."$subject"=s."column1"'
        )
        self.index = f'CREATE INDEX IF NOT EXISTS {quoted("$seq." + self.name)} ON {table}("$seq")'

    # ---- reading ------------------------------------------------------------------------------
    def load(
        self, connection: sqlite3.Connection, wanted: dict[str, int], held: dict[str, Held]
    ) -> dict[str, Subject]:
        """Subjects as the file has them.

        Args:
            connection: to the file.
            wanted: shard by subject.
            held: those of the table that wait.
        """
        found: dict[str, Subject] = {}
        for some in chunks(list(wanted)):
            select = f"{self._select}{','.join(['(?)'] * len(some))}{self._joins}"
            for name, shard, *known, stored in connection.execute(select, (*some, self.name)):
                if name in found:
                    continue
                subject = found[name] = Subject(name, wanted[name])
                subject.stored = stored
                subject.held = held.get(name)
                if shard is not None:
                    (
                        subject.incarnation,
                        subject.number,
                        subject.version,
                        subject.deleted,
                    ) = known
        return found

    # ---- one record -----------------------------------------------------------------------------
    def take(self, subject: Subject, fed: Fed, tally: Tally, now_ms: int) -> Held | None:
        """Take a record of a subject that does not wait; where that fails, it waits as returned."""
        version = subject.version if subject.incarnation == fed.incarnation else 0
        gaps = tally.gaps
        failure = self.handle(subject, fed, tally)
        if not failure:
            return None
        if tally.gaps == gaps and not self._begins_with(fed):
            version = fed.version - 1
        subject.held = Held(
            *(subject.shard, fed.component, fed.entity, self.name, subject.name),
            *(version, fed.offset, 1, now_ms, failure),
        )
        return subject.held

    def handle(self, subject: Subject, fed: Fed, tally: Tally) -> str:
        """Handle a record if it is the next one; why that failed, or nothing."""
        try:
            if self._begins and fed.folded == COVERED:
                return ""
            if fed.kind == CLEANED:
                self._clean(subject, fed, tally)
            elif self._is_next(subject, fed, tally):
                self._change(subject, fed)
                subject.number, subject.version = fed.number, fed.version
                subject.incarnation = fed.incarnation
                subject.deleted = int(fed.kind == DELETED)
                subject.known, subject.gone = True, False
                tally.handled += 1
        except Gap as gap:
            self.raised = gap
            tally.gaps += 1
            return str(gap)
        except Exception as error:  # whatever the user's handler raises
            log.debug("%s fails on %r", self.name, subject.name, exc_info=True)
            self.raised = error
            return reason_of(error)
        return ""

    def _clean(self, subject: Subject, fed: Fed, tally: Tally) -> None:
        """The entity is forgotten."""
        if fed.incarnation < subject.incarnation or not subject.incarnation:
            return
        if not subject.deleted:
            tally.unseen_ends += 1
            self._delete(subject, fed)
        subject.incarnation = subject.number = subject.version = subject.deleted = 0
        subject.gone = subject.known = True

    def _is_next(self, subject: Subject, fed: Fed, tally: Tally) -> bool:
        """Whether a record is the next one of its subject; False where it was here already.

        Raises:
            Gap: one before it is missing.
        """
        number = subject.number
        if fed.incarnation != subject.incarnation and self.reader.cleans:
            if fed.incarnation < subject.incarnation:
                tally.duplicates += 1
                return False
            if subject.incarnation and not subject.deleted:
                tally.unseen_ends += 1
                self._delete(subject, fed)
            number = 0
        elif (
            subject.deleted
            or fed.number < number
            or (fed.number == number and fed.kind != DELETED and number)
        ):
            tally.duplicates += 1
            return False
        expected = number if fed.kind == DELETED else number + 1
        if self.reader.is_gapless and fed.number != expected and not self._begins_with(fed):
            raise Gap(f"change {fed.number} came after change {number}: what is between is missing")
        return True

    # ---- the row ------------------------------------------------------------------------------
    def _change(self, subject: Subject, fed: Fed) -> None:
        """Change the row as a record says.

        Raises:
            Exception: the record cannot be read, or what the handler raised.
        """
        if fed.kind == DELETED:
            self._delete(subject, fed)
            return
        if self._begins_with(fed):
            self._begin(subject, fed)
            return
        taken = self.reader.read(fed)
        handler = taken.handler
        if handler is not None:
            row = self._row(subject)
            self._run(subject, handler.name, handler.fn, taken.context, (row, taken.value))
        elif self._table.pass_through and taken.value is not None:
            self._put(subject, taken.value)

    def _delete(self, subject: Subject, fed: Fed) -> None:
        """The entity was deleted: the row goes, or what the view says happens."""
        on_delete = self._table.on_delete
        if on_delete is None:
            self._remove(subject)
        else:
            context = self.reader.context(fed, "deleted")
            self._run(subject, on_delete.name, on_delete.fn, context, (self._row(subject),))

    def _begins_with(self, fed: Fed) -> bool:
        """Whether the table takes a snapshot in place of this record and of those before."""
        return bool(self._begins and fed.folded)

    def _begin(self, subject: Subject, fed: Fed) -> None:
        """The row as the snapshot has it, whatever it was."""
        first = self._table.on_snapshot
        assert first is not None, "the table takes snapshots"
        context = self.reader.context(fed, "snapshot")
        self._run(subject, first.name, first.fn, context, (self.reader.snapshot(fed),))

    def _row(self, subject: Subject) -> Any:
        return None if subject.stored is None else self.storage.decode(subject.stored)

    def _run(
        self, subject: Subject, name: str, fn: Any, context: Context, args: tuple[Any, ...]
    ) -> None:
        component = self._view()  # a new one each time: nothing of one record is there at the next
        component._live = Live(context=context)
        effect = fn(component, *args)
        if not isinstance(effect, RowEffect):
            where, got = f"{self._view.__name__}.{name}", type(effect).__name__
            raise InvalidEffect(f"{where} returned {got}, not one of self.effects")
        if effect.kind == "update":
            if effect.row is None:
                raise InvalidEffect(f"{self._view.__name__}.{name} updates its row with None")
            self._put(subject, effect.row)
        elif effect.kind == "delete":
            self._remove(subject)

    def _put(self, subject: Subject, row: Any) -> None:
        parameters = self.storage.encode(subject.name, row)
        subject.row, subject.stored = parameters, parameters[1]
        subject.changed = True

    def _remove(self, subject: Subject) -> None:
        if subject.stored is not None:
            subject.row = subject.stored = None
            subject.changed = True

    # ---- writing --------------------------------------------------------------------------------
    def write(self, connection: sqlite3.Connection, subjects: Iterable[Subject], seq: int) -> bool:
        """Have the file say what these have become; whether a row has changed.

        Args:
            connection: in a transaction.
            subjects: of this table.
            seq: number of the transaction.
        """
        all_ = list(subjects)
        put = [one for one in all_ if one.changed and one.row is not None]
        removed = [one for one in all_ if one.changed and one.row is None]
        if self._searched:
            self._write_searched(connection, put, removed, seq)
        else:
            if put:
                connection.executemany(
                    self.storage.upsert, [(*one.row, seq) for one in put if one.row is not None]
                )
            if removed:
                connection.executemany(self.storage.delete, [(one.name,) for one in removed])
        if self.keeps_removed:
            _note_removed(connection, self.name, put, removed, seq)
        known = [one for one in all_ if one.known and not one.gone]
        if known:
            connection.executemany(
                'INSERT OR REPLACE INTO "$subjects" VALUES(?, ?, ?, ?, ?, ?, ?)',
                [
                    (
                        *(self.name, one.name, one.shard),
                        *(one.incarnation, one.number, one.version, one.deleted),
                    )
                    for one in known
                ],
            )
        gone = [(self.name, one.name) for one in all_ if one.gone]
        if gone:
            connection.executemany('DELETE FROM "$subjects" WHERE "table"=? AND "subject"=?', gone)
        return bool(put or removed)

    def _write_searched(
        self,
        connection: sqlite3.Connection,
        put: Sequence[Subject],
        removed: Sequence[Subject],
        seq: int,
    ) -> None:
        for one in put:
            assert one.stored is not None, "a row that is put is there"
            for statement, parameters in self.storage.put(
                one.name, self.storage.decode(one.stored), seq
            ):
                connection.execute(statement, parameters)
        for one in removed:
            for statement, parameters in self.storage.remove(one.name):
                connection.execute(statement, parameters)

    def forget_shard(self, connection: sqlite3.Connection, shard: int, seq: int) -> int:
        """Remove all rows of a shard's subjects, and what is known of these; how many."""
        rows = connection.execute(
            'SELECT "subject" FROM "$subjects" WHERE "table"=? AND "shard"=?', (self.name, shard)
        )
        subjects: list[Subject] = []
        for (name,) in rows.fetchall():
            subject = Subject(name, shard)
            subject.changed = subject.gone = True
            subjects.append(subject)
        self.write(connection, subjects, seq)
        return len(subjects)


def _note_removed(
    connection: sqlite3.Connection,
    table: str,
    put: Sequence[Subject],
    removed: Sequence[Subject],
    seq: int,
) -> None:
    if removed:
        connection.executemany(
            'INSERT OR REPLACE INTO "$removed" VALUES(?, ?, ?)',
            [(table, one.name, seq) for one in removed],
        )
    if put:
        connection.executemany(
            'DELETE FROM "$removed" WHERE "table"=? AND "subject"=?',
            [(table, one.name) for one in put],
        )
