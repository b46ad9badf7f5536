"""A view is the fold of its source's log, whatever becomes of batches, processes and hosts.

Two projections have one file. Feeds of two hosts read the logs of some shards, send ranges as feeds
do (from where they believe the view to stand), and hear the answer or do not. In between a process
dies with a transaction open, batches come again, late or in another order, a shard moves, handlers
fail for a time. At every step the rows are what a plain fold of the logs gives, up to where the
view says that it stands.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actorkalix.views.files import connect_writer
from actorkalix.views.projection import Projection
from actorkalix_cluster.shardhost.feeding import Again, Answer, Batch, Held, Place, Range
from tests.unit.actorkalix.views.shop import (
    CLEANED,
    DELETED,
    FAILING,
    Carts,
    Log,
    batch,
    opened,
)

SHARDS = 3
NAMES = tuple(f"c{number}" for number in range(6))
NUMBERS = iter(range(1 << 60))


@dataclass
class Feed:
    """What a feed knows: where the view stands, and who waits there."""

    told: dict[int, Place]
    held: dict[tuple[str, str], Held]

    @classmethod
    def new(cls) -> Feed:
        """Nothing yet."""
        return cls({}, {})


class ViewOfLogs(RuleBasedStateMachine):
    """See the head of this file."""

    def __init__(self) -> None:
        super().__init__()
        FAILING.clear()
        self.uri = f"file:projection-{next(NUMBERS)}?mode=memory&cache=shared"
        self.keeper = sqlite3.connect(self.uri, uri=True)
        self.projections: list[Projection] = []
        self.logs = [Log(shard) for shard in range(SHARDS)]
        self.feeds = [Feed.new(), Feed.new()]
        self.flying: list[tuple[int, Batch]] = []
        self.deleted: dict[str, bool] = {}

    @initialize()
    def open(self) -> None:
        self.projections = [opened(connect_writer(self.uri), Carts) for _ in range(2)]

    def teardown(self) -> None:
        FAILING.clear()
        for projection in self.projections:
            projection.close()
        self.keeper.close()

    # ---- what entities do ---------------------------------------------------------------------
    def _log(self, name: str) -> Log:
        return self.logs[NAMES.index(name) % SHARDS]

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1), quantity=st.integers(0, 9))
    def add(self, names: list[str], quantity: int) -> None:
        for name in names:
            if not self.deleted.get(name):
                self._log(name).add(name, quantity)

    @rule(name=st.sampled_from(NAMES))
    def empty(self, name: str) -> None:
        if not self.deleted.get(name):
            self._log(name).empty(name)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        log = self._log(name)
        if not self.deleted.get(name) and log.lives(name):
            log.delete(name)
            self.deleted[name] = True

    @rule(name=st.sampled_from(NAMES))
    def clean(self, name: str) -> None:
        """The guard of reclaiming: not before the view has passed the notice."""
        if self.deleted.get(name) and self._has_passed(self._log(name)):
            self._log(name).clean(name)
            self.deleted[name] = False

    @rule(shard=st.integers(0, SHARDS - 1))
    def skip(self, shard: int) -> None:
        self.logs[shard].skip()

    @rule(name=st.sampled_from(NAMES))
    def fail(self, name: str) -> None:
        FAILING.add(name)

    @rule()
    def mend(self) -> None:
        FAILING.clear()

    # ---- what feeds do ------------------------------------------------------------------------
    @rule(
        feed=st.integers(0, 1),
        shards=st.sets(st.integers(0, SHARDS - 1), min_size=1),
        size=st.integers(1, 6),
    )
    def send(self, feed: int, shards: set[int], size: int) -> None:
        """A batch leaves; it is on its way."""
        told = self.feeds[feed].told
        parts: list[Range] = []
        for shard in sorted(shards):
            log = self.logs[shard]
            begin = told.get(shard, (0, 0, 0))[2]
            parts.append(log.part(begin, min(log.newest, begin + size)))
        self.flying.append((feed, batch(*parts, shards=SHARDS)))

    @rule(feed=st.integers(0, 1))
    def ask(self, feed: int) -> None:
        self.flying.append((feed, batch(asked=tuple(range(SHARDS)), shards=SHARDS)))

    @rule(feed=st.integers(0, 1), short=st.booleans())
    def try_again(self, feed: int, short: bool) -> None:
        for held in self.feeds[feed].held.values():
            log = self.logs[held.shard]
            mine = [one for one in log.entries if one.entity == held.entity]
            live = max(one.incarnation for one in mine)
            entries = tuple(
                one for one in mine if one.incarnation == live and one.version > held.version
            )
            through = log.newest
            if short and len(entries) > 1:
                entries = entries[:1]
                through = entries[0].offset
            again = Again(held, through, entries)
            self.flying.append((feed, batch(again=(again,), shards=SHARDS)))

    @rule(
        arrivals=st.lists(
            st.tuples(st.integers(0, 1 << 16), st.integers(0, 1), st.booleans(), st.booleans()),
            min_size=1,
        )
    )
    def arrive(self, arrivals: list[tuple[int, int, bool, bool]]) -> None:
        """Some of what is under way arrives; it may come again, and its answer may be lost."""
        for which, by, heard, stays in arrivals:
            if not self.flying:
                return
            at = which % len(self.flying)
            feed, made = self.flying[at]
            if not stays:
                del self.flying[at]
            answer = self.projections[by].apply(made)
            if heard:
                self._hear(feed, answer)
            self.rows_are_the_fold_up_to_the_positions()

    def _hear(self, feed: int, answer: Answer) -> None:
        known = self.feeds[feed]
        for standing in answer.standings:
            known.told[standing.shard] = standing.place
            for key in [key for key, one in known.held.items() if one.shard == standing.shard]:
                del known.held[key]
            known.held.update({(one.table, one.subject): one for one in standing.held})

    # ---- what goes wrong ----------------------------------------------------------------------
    @rule(shard=st.integers(0, SHARDS - 1), after=st.integers(0, 12))
    def die(self, shard: int, after: int) -> None:
        """A process dies at some statement of a transaction: what it wrote is rolled back."""
        (standing,) = self._ask(shard).standings
        connection = connect_writer(self.uri, factory=Dying)
        assert isinstance(connection, Dying)
        dying = opened(connection, Carts)
        connection.left = after
        try:
            dying.apply(batch(self.logs[shard].part(standing.place[2]), shards=SHARDS))
        except Killed:
            connection.left = -1
            connection.rollback()
        connection.left = -1
        dying.close()

    @rule(feed=st.integers(0, 1))
    def restart(self, feed: int) -> None:
        """A host begins anew, or a shard moves: it knows nothing of the view."""
        self.feeds[feed] = Feed.new()

    # ---- what must hold -----------------------------------------------------------------------
    def _ask(self, *shards: int) -> Answer:
        return self.projections[0].apply(batch(asked=shards, shards=SHARDS))

    def _has_passed(self, log: Log) -> bool:
        (standing,) = self._ask(log.shard).standings
        return standing.passed == log.newest

    @invariant()
    def rows_are_the_fold_up_to_the_positions(self) -> None:
        if not self.projections:
            return
        for standing in self._ask(*range(SHARDS)).standings:
            log = self.logs[standing.shard]
            waiting = {one.subject: one.offset for one in standing.held}
            assert rows(self.keeper, log) == fold(log, standing.place[2], waiting)

    @rule()
    def all_is_well_at_last(self) -> None:
        FAILING.clear()
        self.flying.clear()
        self.feeds[0] = Feed.new()
        projection = self.projections[0]
        self._hear(0, self._ask(*range(SHARDS)))
        told = self.feeds[0].told
        parts = [log.part(told[log.shard][2]) for log in self.logs]
        self._hear(0, projection.apply(batch(*parts, shards=SHARDS)))
        self.try_again(0, short=False)
        while self.flying:
            self._hear(0, projection.apply(self.flying.pop()[1]))
        assert all(self._has_passed(log) for log in self.logs)
        assert projection.ready


class Killed(BaseException):
    """The process is gone."""


class Dying(sqlite3.Connection):
    """A connection whose process dies after so many statements; never while it is negative."""

    left = -1

    def _count(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= self.left > 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._count()
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self._count()
        return super().executemany(sql, parameters)

    def rollback(self) -> None:
        self.left = -1
        super().rollback()


def fold(log: Log, through: int, waiting: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Quantity and number of changes of each cart, by the simplest of all means.

    Args:
        log: of a shard.
        through: offset up to which the view stands.
        waiting: offset of the first record that was not handled, of those who wait.
    """
    carts: dict[str, tuple[int, int]] = {}
    for one in log.entries:
        if one.offset > through or one.offset >= waiting.get(one.entity, through + 1):
            continue
        if one.kind in (DELETED, CLEANED):
            carts.pop(one.entity, None)
            continue
        quantity, changes = carts.get(one.entity, (0, 0))
        tag, _, data, _ = msgspec.msgpack.decode(one.payload)
        carts[one.entity] = (quantity + data["quantity"] if tag == "Added" else 0, changes + 1)
    return carts


def rows(connection: sqlite3.Connection, log: Log) -> dict[str, tuple[int, int]]:
    """What the view has of the shard's carts."""
    mine = {name for at, name in enumerate(NAMES) if at % SHARDS == log.shard}
    found = connection.execute('SELECT "$subject", quantity, changes FROM carts').fetchall()
    return {name: (quantity, changes) for name, quantity, changes in found if name in mine}


TestViewOfLogs = ViewOfLogs.TestCase
TestViewOfLogs.settings = settings(
    max_examples=100,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
