"""Whoever begins with snapshots has in the end what all events would have made.

A log grows, snapshots are made now and then, and a view and a subscription read it page by page as
feeds and consumers do. In between they die and begin again where they stood, while newer snapshots
have come. The table that begins with snapshots has the rows of the one that takes every event; a
subscription is given each entity's numbers upwards, none twice, none left out but for a snapshot.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.model.component import Component
from actorkalix.runtime.feeding import ViewSource
from actorkalix.runtime.subscriptions import ActionSubscriber
from actorkalix.views.memory import MemoryView
from actorkalix_cluster.shardhost.consumer_reading import next_page as next_entries
from actorkalix_cluster.shardhost.feed_progress import at_place
from actorkalix_cluster.shardhost.feed_reading import next_page
from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    FEED_VERSION,
    Batch,
    Range,
    place_of,
)
from actorkalix_cluster.shardhost.folding import Folding
from actorkalix_cluster.shardhost.limits import FeedLimits
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_storage.api import (
    Append,
    Appended,
    Record,
    RecordKind,
    Snapshot,
    StoreIdentity,
)
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.actorkalix.runtime.test_snapshots import (
    FAILING,
    Alone,
    Barrel,
    Barrels,
    Drop,
    Follower,
    Level,
)

NAMES = ("a", "b", "c")
CODEC = codecs_for(descriptor_of(Barrel)).stored
STEPS = st.lists(
    st.tuples(st.sampled_from(("add", "add", "add", "snapshot", "outbox")), st.sampled_from(NAMES))
    | st.tuples(st.sampled_from(("read", "read", "crash")), st.integers(1, 7)),
    max_size=80,
)


class Cellar:
    """A log of barrels."""

    def __init__(self) -> None:
        self.store = MemoryStore(StoreIdentity("0" * 32, "t", 0, 1, lineage=1))
        self.epoch = self.store.open_shards([0], 1)[0]
        self.levels: dict[str, Level] = {}

    def append(self, name: str, *kinds: RecordKind) -> None:
        head = self.store.head(0, "barrel", name)
        version, number = (head.version, head.number) if head else (0, 0)
        records: list[Record] = []
        for kind in kinds:
            payload = b""
            if kind is RecordKind.EVENT:
                number += 1
                level = self.levels.get(name, Level())
                self.levels[name] = Level(level.drops + 1, level.total + number)
                payload = CODEC.encode_event(Drop(number), {})
            records.append(Record(kind, "barrel", name, number, 1, payload))
        (outcome,) = self.store.commit([Append(0, self.epoch, version, tuple(records))])
        assert isinstance(outcome, Appended)

    def snapshot(self, name: str) -> None:
        head = self.store.head(0, "barrel", name)
        if head is not None and head.number:
            payload = CODEC.encode_state(self.levels[name])
            made = Snapshot(head.incarnation, head.number, head.offset, payload)
            self.store.put_snapshot(0, "barrel", name, made)


class Building:
    """A view that is built, and goes on."""

    def __init__(self, view: type[Component], cellar: Cellar) -> None:
        component = descriptor_of(view)
        self.source, self.memory = ViewSource(component), MemoryView(component)
        self.store, self.place, self.building = cellar.store, BEGINNING, True
        self.begin()

    def begin(self) -> None:
        self.folding = Folding(self.store) if self.building else None

    def read(self, limit: int) -> bool:
        """Read a page; whether that was the end."""
        limits = FeedLimits(page=limit)
        begin = at_place(self.place)
        page = next_page(self.store, self.source, 0, begin, False, limits, self.folding)
        if page.whole:
            self.folding = None
        entries = tuple(entry for entry, _, _ in page.entries)
        newest = self.store.applied(0).offset
        part = Range(0, self.place, place_of(page.through), newest, entries)
        answer = self.memory.projection.apply(Batch(FEED_VERSION, 0, 1, 1, ranges=(part,)))
        [standing] = answer.standings
        self.place, self.building = standing.place, answer.building
        assert not standing.held
        return page.whole


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from((Barrels, Alone)))
def test_a_view_with_snapshots_is_the_view_without(
    steps: list[tuple[str, str | int]], view: type[Component]
) -> None:
    FAILING.clear()
    cellar = Cellar()
    building = Building(view, cellar)
    for step, what in steps:
        if isinstance(what, str):
            act(cellar, step, what)
        elif step == "read":
            building.read(what)
        else:
            building.begin()
    while not building.read(5):
        pass
    projection = building.memory.projection
    rows = projection._connection.execute('SELECT "barrel", "total" FROM "rows"').fetchall()
    assert dict(rows) == {name: level.total for name, level in cellar.levels.items()}
    if view is Barrels:
        every = projection._connection.execute('SELECT "barrel", "total" FROM "every"').fetchall()
        assert sorted(every) == sorted(rows)
    assert (projection.tally.gaps, projection.tally.unseen_ends) == (0, 0)
    building.memory.close()


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_subscription_with_snapshots_misses_nothing(steps: list[tuple[str, str | int]]) -> None:
    cellar = Cellar()
    [subscription] = descriptor_of(Follower).subscriptions
    subscriber = ActionSubscriber(descriptor_of(Follower), subscription, reach=NOBODY)
    given: dict[str, list[tuple[int, bool]]] = {name: [] for name in NAMES}
    after, folding = 0, Folding(cellar.store)

    def read(limit: int) -> tuple[int, bool]:
        page = next_entries(cellar.store, subscriber, 0, after, limit, folding)
        for entry in page.wanted:
            given[entry.record.entity].append((entry.record.number, entry.folded))
        last = page.records[-1].position if page.records else page.newest
        return (max(last.offset, page.newest.offset) if page.whole else last.offset), page.whole

    for step, what in steps:
        if isinstance(what, str):
            act(cellar, step, what)
        elif step == "read":
            after, _ = read(what)
        else:
            folding = Folding(cellar.store)
    whole = False
    while not whole:
        after, whole = read(5)
    for name, numbers in given.items():
        at = 0
        for number, folded in numbers:
            assert number > at if folded else number == at + 1
            at = number
        assert at == cellar.levels.get(name, Level()).drops


def act(cellar: Cellar, step: str, name: str) -> None:
    if step == "add":
        cellar.append(name, RecordKind.EVENT)
    elif step == "outbox":
        cellar.append(name, RecordKind.EVENT, RecordKind.EVENT, RecordKind.OUTBOX)
    else:
        cellar.snapshot(name)


class Nobody:
    """Answers no message; none is sent."""

    async def ask(self, message: Message, /) -> Reply:
        raise AssertionError(message)


NOBODY = Nobody()
