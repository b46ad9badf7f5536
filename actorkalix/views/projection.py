"""A projection: batches of records become rows and positions of one file, in one transaction each.

Theory of operation. For each range of a batch (`feeding`) the file's own position of the shard is
compared with the range's beginning, inside the transaction that then writes rows and the new
position. So whatever happens around it - a batch that comes twice, late, from two hosts or to two
processes that have the same file - each record is handled once, or its range is dropped and the
answer says where the file stands. Rows, positions and parked subjects can never differ: they are
one commit, and what is answered is on disk (`synchronous=FULL`).

    the batch                                   becomes
    a range from where the file stands          rows, and the position at its end
    a range from elsewhere                      nothing; the answer says where the file stands
    records of a parked subject, read again     rows; when all of them are handled it waits no more
    a shard that has another history now        nothing of it is left; it is read from its beginning
    all of it fails, subject after subject      nothing: the view waits as a whole, for the fault is
                                                hardly that of so many subjects
    it cannot be written (disk full, locked)    nothing; the same again later

One thread at a time, and nobody else writes the file: `files` has its lock. A second writer would
do no harm but wait.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence

from actorkalix.describe.descriptors import ComponentDescriptor, ViewDescriptor
from actorkalix.limits import VIEW_PARKED_MAX, VIEW_PAUSE_AFTER
from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    Again,
    Answer,
    Batch,
    Fed,
    Held,
    Place,
    Standing,
)

from .parked import keep_held, parked_in
from .positions import forget_place, meta_in, places_in, put_places
from .schema import compiled, followed_in, note_change, note_ready, prepare
from .subjects import Subject, Tally
from .tables import TableFold

log = logging.getLogger("actorkalix.views")

PAUSE_MS = 3_000
"""Until a view that waits as a whole tries again; feeds double it."""
BUSY_MS = 1_000
"""Until a batch that could not be written is sent again."""


class Paused(Exception):
    """Nothing of a batch could be handled."""


class Projection:
    """See the head of this file.

    Args:
        connection: to the file, for this projection alone; `isolation_level` is None.
        component: the view's descriptor.
        view: what it adds to that: tables and queries.
        generation: of the file, when it is new: random, or whatever says which one it is.

    Attributes:
        generation: what the file calls itself.
        tally: what became of records since it was opened.
        on_applied: is called when rows, positions or parked subjects may have changed.
        failed: subjects on which the newest batch failed, each with what was raised.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        component: ComponentDescriptor,
        view: ViewDescriptor,
        *,
        generation: str,
    ) -> None:
        self.id = component.component_id
        self.tally = Tally()
        self.on_applied: Callable[[], object] | None = None
        self.failed: list[tuple[Held, Exception | None]] = []
        self._connection = connection
        searches = [one for query in compiled(view) for one in query.searches]
        followed = followed_in(view)
        self._folds = {
            name: TableFold(component.cls, table, searches, keeps_removed=name in followed)
            for name, table in view.tables.items()
        }
        self._failing: set[tuple[str, str]] = set()  # since something was handled
        prepare(connection, view, self._folds.values(), generation)
        meta = meta_in(connection)
        self.generation = meta["generation"]
        self._seq = int(meta.get("seq", "0"))
        self._held = parked_in(connection)
        self._seen = connection.execute("PRAGMA data_version").fetchone()[0]
        self._by_component = self._sorted_folds()

    # ---- life ---------------------------------------------------------------------------------
    def _sorted_folds(self) -> dict[str, list[TableFold]]:
        found: dict[str, list[TableFold]] = {}
        for fold in self._folds.values():
            found.setdefault(fold.reader.component, []).append(fold)
        return found

    @property
    def ready(self) -> bool:
        """It has been at the end of every shard's log once."""
        return meta_in(self._connection).get("ready") == "1"

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # ---- batches ------------------------------------------------------------------------------
    def apply(self, batch: Batch) -> Answer:
        """Take a batch.

        Durability: what the answer says is on disk.

        Raises:
            sqlite3.DatabaseError: the file is damaged.
        """
        try:
            return self._apply(batch)
        except Paused as paused:
            return Answer(self.generation, (), PAUSE_MS, str(paused))
        except sqlite3.OperationalError as error:
            if not passes(error):
                raise
            log.warning("view %s cannot be written: %s", self.id, error)
            return Answer(self.generation, (), BUSY_MS, f"the file cannot be written: {error}")

    def _apply(self, batch: Batch) -> Answer:
        connection = self._connection
        self.failed = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            answer, tally, held, seq = self._transact(batch)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        if held != self._held:
            _say(self.id, self._held, held)
        self._held = held
        self._seq = seq
        self.tally.add(tally)
        if self.on_applied is not None:  # positions and parked subjects are waited for as well
            self.on_applied()
        return answer

    def _transact(self, batch: Batch) -> tuple[Answer, Tally, list[Held], int]:
        """All of it, between BEGIN and COMMIT."""
        connection = self._connection
        self._look()
        seq = self._seq + 1
        tally = Tally()
        names = _named(batch)
        places = places_in(connection, names)
        held = {(one.table, one.subject): one for one in self._held}
        removed = sum(
            self._forget(shard, held, seq)
            for shard, place in batch.parted
            if places[shard] == place and place != BEGINNING
        )
        for shard, place in batch.parted:
            if places[shard] == place:
                places[shard] = BEGINNING
        news = [part for part in batch.ranges if _same(places[part.shard], part.begin)]
        moved = {part.shard: part.through for part in news}
        failed = self._fold(
            [(part.shard, fed) for part in news for fed in part.entries],
            [again for again in batch.again if held.get(_key(again.held)) == again.held],
            {**places, **moved},
            held,
            tally,
            (seq, batch.now_ms),
        )
        self._judge(failed, tally, held)
        keep_held(connection, self._held, held.values())
        places.update(moved)
        put_places(connection, moved, {part.shard: part.newest for part in news})
        if tally.handled or removed:
            note_change(connection, seq)
        else:
            seq = self._seq
        building = not note_ready(connection, self.id, batch.shards)
        return (
            Answer(self.generation, _standings(places, held.values()), building=building),
            tally,
            list(held.values()),
            seq,
        )

    def _look(self) -> None:
        """Another connection may have written the file."""
        seen = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if seen != self._seen:
            self._seen = seen
            self._held = parked_in(self._connection)
            self._seq = int(meta_in(self._connection)["seq"])

    # ---- rows ---------------------------------------------------------------------------------
    def _fold(
        self,
        news: Sequence[tuple[int, Fed]],
        again: Sequence[Again],
        places: dict[int, Place],
        held: dict[tuple[str, str], Held],
        tally: Tally,
        now: tuple[int, int],
    ) -> list[Held]:
        """Have every table take its records; return who failed now."""
        failed: list[Held] = []
        for component, folds in self._by_component.items():
            mine = [one for one in news if one[1].component == component]
            for fold in folds:
                retried = [one for one in again if one.held.table == fold.name]
                if mine or retried:
                    failed += self._fold_one(fold, mine, retried, places, held, tally, now)
        return failed

    def _fold_one(
        self,
        fold: TableFold,
        news: Sequence[tuple[int, Fed]],
        again: Sequence[Again],
        places: dict[int, Place],
        held: dict[tuple[str, str], Held],
        tally: Tally,
        now: tuple[int, int],
    ) -> list[Held]:
        seq, now_ms = now
        prefix, subject_of = fold.reader.prefix, fold.reader.subject
        records = [
            (shard, subject_of(fed), fed) for shard, fed in news if fed.entity.startswith(prefix)
        ]
        wanted = {name: shard for shard, name, _ in records}
        wanted.update((one.held.subject, one.held.shard) for one in again)
        waiting = {subject: one for (table, subject), one in held.items() if table == fold.name}
        subjects = fold.load(self._connection, wanted, waiting)
        failed: list[Held] = []
        for one in again:
            self._retry(fold, subjects[one.held.subject], one, places, tally, now_ms)
        for _, name, fed in records:
            if not name:
                tally.refused += 1
                log.error(
                    "%s: message %d of %s is passed over, it has no subject",
                    *(self.id, fed.number, fed.entity),
                )
                continue
            subject = subjects[name]
            waits = None if subject.held else fold.take(subject, fed, tally, now_ms)
            if waits is not None:
                failed.append(waits)
                self.failed.append((waits, fold.raised))
        for name, subject in subjects.items():
            if subject.held is not None:
                held[fold.name, name] = subject.held
            else:
                held.pop((fold.name, name), None)
        fold.write(self._connection, subjects.values(), seq)
        return failed

    def _retry(
        self,
        fold: TableFold,
        subject: Subject,
        again: Again,
        places: dict[int, Place],
        tally: Tally,
        now_ms: int,
    ) -> None:
        """Records of a parked subject once more, as far as the shard was read."""
        last = again.held
        end = places.get(last.shard, BEGINNING)[2]
        for fed in again.entries:
            if fed.offset > end and fed.folded and last is again.held:
                return  # its snapshot is not reached yet, and what is before was passed over
            if fed.offset > end or fold.reader.subject(fed) != subject.name:
                continue
            failure = fold.handle(subject, fed, tally)
            if failure:
                moved = last is not again.held
                subject.held = Held(
                    *(last.shard, last.component, last.entity, last.table, last.subject),
                    *(last.version, fed.offset),
                    *(1 if moved else last.attempts + 1, now_ms if moved else last.since_ms),
                    failure,
                )
                return
            last = Held(
                *(last.shard, last.component, last.entity, last.table, last.subject),
                *(fed.version, fed.offset + 1, 0, last.since_ms, ""),
            )
        subject.held = None if again.through >= end else last

    def _judge(
        self, failed: Sequence[Held], tally: Tally, held: dict[tuple[str, str], Held]
    ) -> None:
        """Whether so much fails that the view waits as a whole.

        Raises:
            Paused: it does; nothing of the batch counts.
        """
        if tally.handled:
            self._failing.clear()
        self._failing.update(_key(one) for one in failed)
        if not failed:
            return
        last = failed[-1]
        if not tally.handled and len(self._failing) >= VIEW_PAUSE_AFTER:
            raise Paused(
                f"it fails on subject after subject, at last on {last.subject!r}: {last.failure}"
            )
        if len(held) > VIEW_PARKED_MAX:
            raise Paused(
                f"{VIEW_PARKED_MAX} subjects wait, and it fails on {last.subject!r}: {last.failure}"
            )

    def _forget(self, shard: int, held: dict[tuple[str, str], Held], seq: int) -> int:
        """Keep nothing of a shard, for its history is another one; how many subjects that were."""
        count = sum(
            fold.forget_shard(self._connection, shard, seq) for fold in self._folds.values()
        )
        for key in [key for key, one in held.items() if one.shard == shard]:
            del held[key]
        forget_place(self._connection, shard)
        log.error(
            "AK4011 view %s: shard %d has another history than the one that %d subjects are made "
            "of; they are made again",
            *(self.id, shard, count),
        )
        return count


def _named(batch: Batch) -> dict[int, None]:
    """Shards that a batch names, in order."""
    names: dict[int, None] = dict.fromkeys(batch.asked)
    names.update(dict.fromkeys(shard for shard, _ in batch.parted))
    names.update(dict.fromkeys(part.shard for part in batch.ranges))
    names.update(dict.fromkeys(one.held.shard for one in batch.again))
    return names


def _same(one: Place, other: Place) -> bool:
    return one == other or (one[2] == 0 and other[2] == 0)


def _standings(places: dict[int, Place], held: Iterable[Held]) -> tuple[Standing, ...]:
    by_shard: dict[int, list[Held]] = {}
    for one in held:
        by_shard.setdefault(one.shard, []).append(one)
    return tuple(
        Standing(shard, place, tuple(by_shard.get(shard, ()))) for shard, place in places.items()
    )


def _key(held: Held) -> tuple[str, str]:
    return held.table, held.subject


def passes(error: sqlite3.DatabaseError) -> bool:
    """Nothing is wrong with the file itself: it can be read and written some time."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
        *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
    )


def _say(view: str, before: Sequence[Held], after: Sequence[Held]) -> None:
    """Log who waits now and who waits no more."""
    was = {_key(one): one for one in before}
    for one in after:
        known = was.pop(_key(one), None)
        if known is None or one.attempts in (10, 100, 1_000):
            log.error(
                "view %s waits with %r of %s, attempt %d: %s",
                *(view, one.subject, one.table, one.attempts, one.failure),
            )
    for one in was.values():
        log.warning("view %s goes on with %r of %s", view, one.subject, one.table)
