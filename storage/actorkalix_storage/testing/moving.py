"""The contract of moving: copies from store to store, whole, unfinished, and of copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from actorkalix_storage.api import (
    Append,
    AppendRefused,
    Position,
    Record,
    RefusalKind,
    ShardPage,
    Snapshot,
    Store,
    StoreFull,
    TimerKind,
)

from .base import HOUR_MS, KEY, Contract
from .harness import START_MS, Harness, cleaned, deleted, event, reply, state, write

OTHER = KEY[::-1]
FAR_MS = START_MS + 1_000 * HOUR_MS
ENTITIES = ("a", "value", "cleaned", "dead", "new", "nobody")
ENDS = ["stay", "checkpoint", "reopen", "crash"]


def life(store: Store, shard: int = 0) -> None:
    """Write something of everything into a shard that is open."""

    def put(*records: Record) -> Position:
        return write(store, *records, shard=shard).position

    put(event(1, b"1", key=KEY, reply=b"stored", expires_ms=START_MS + 50))
    folded = put(event(2, b"2"))
    life_began = folded.offset - 1
    put(event(3, b"3"))
    store.put_snapshot(shard, "cart", "a", Snapshot(life_began, 2, folded.offset, b"s" * 200_000))
    put(state(1, b"old", entity="value"))
    put(state(2, b"new", entity="value"), reply(2, OTHER, b"r", entity="value"))
    put(event(1, b"gone", entity="cleaned", key=KEY))
    put(deleted(1, entity="cleaned"), cleaned(1, entity="cleaned", time_ms=START_MS + 900))
    put(event(1, b"born again", entity="cleaned"))
    put(event(1, b"x", entity="dead"), deleted(1, entity="dead"))


def answers(store: Store, shard: int = 0) -> dict[str, object]:
    """All that can be asked of a shard."""
    found: dict[str, object] = {
        "records": store.records(shard, 0, limit=1_000),
        "subjects": [subject for subject in store.subjects("cart") if subject[0] == shard],
        "due": [
            [timer for timer in store.due(kind, FAR_MS) if timer.shard == shard]
            for kind in TimerKind
        ],
    }
    for entity in ENTITIES:
        subject = (shard, "cart", entity)
        found[entity] = (
            store.head(*subject),
            store.load(*subject),
            store.history(*subject),
            [store.remembered(*subject, key) for key in (KEY, OTHER)],
        )
    return found


NOBODY: tuple[object, ...] = (None, None, [], [None, None])
NOTHING: dict[str, object] = {
    "records": [],
    "subjects": [],
    "due": [[], []],
    **dict.fromkeys(ENTITIES, NOBODY),
}


def pages(store: Store, shard: int, limit: int = 500, after: int = 0) -> Iterator[ShardPage]:
    """A shard page by page."""
    while page := store.export(shard, after, limit):
        yield page
        after = page.through


def copy(
    source: Store, target: Harness, shard: int, limit: int = 500, between: str = "stay"
) -> None:
    """Copy a shard, ending the target in some way after each page."""
    position, records = source.durable(shard), source.records(shard, 0, limit=1_000)
    sent = [stored for page in pages(source, shard, limit) for stored in page.records]
    assert sent == records, "what was cleaned stays behind, removed yet or not"
    for page in pages(source, shard, limit):
        assert target.store.receive(shard, position, page) == page.through
        end(target, between)


def end(harness: Harness, how: str) -> None:
    """End a store and open it again, or do something less."""
    if how == "maintain":
        while harness.store.maintain(START_MS):
            pass
    elif how != "stay":
        act: Callable[[], None] = getattr(harness, how)
        act()


class MovingContract(Contract):
    """What a store promises to who moves shards."""

    other: Harness

    @pytest.fixture(autouse=True)
    def _second(self, _made: None) -> Iterator[None]:
        self.other = self.harness.second()
        yield
        self.other.dispose()

    # ---- copies ---------------------------------------------------------------------------
    @pytest.mark.parametrize("between", [*ENDS, "maintain"])
    @pytest.mark.parametrize("limit", [2, 500])
    def test_a_copy_is_what_its_source_is(self, between: str, limit: int) -> None:
        life(self.store)
        for n in range(4, 9):
            write(self.store, event(n, b"more"))
        self.store.open_shards([0], START_MS)
        write(self.store, event(1, b"new", entity="new"))
        before = answers(self.store)
        copy(self.store, self.other, 0, limit, between)
        assert answers(self.other.store) == before == answers(self.store)
        assert self.other.store.shard(0) == self.store.shard(0)
        assert self.other.store.receiving(0) is None
        end(self.other, "maintain")
        end(self.other, "crash")
        assert answers(self.other.store) == before

    @pytest.mark.parametrize("again", [*ENDS, "maintain"])
    def test_what_was_removed_leaves_gaps(self, again: str) -> None:
        for n in range(1, 4):
            write(self.store, event(n, b"gone"))
            write(self.store, event(n, b"kept", entity="b"))
        write(self.store, deleted(3))
        write(self.store, cleaned(3, time_ms=START_MS + 77))
        end(self.harness, again)
        self.maintain(START_MS)
        copy(self.store, self.other, 0, 2, again)
        assert self.other.store.shard(0) == self.store.shard(0)
        assert self.other.store.shard(0).time_ms == START_MS + 77
        assert answers(self.other.store) == answers(self.store)
        offsets = [s.position.offset for s in self.other.store.records(0, 0)]
        assert offsets == [1, 3, 5, 7]
        opened = self.other.store.open_shards([0], START_MS)
        assert opened == {0: 2}
        assert write(self.other.store, event(1, b"anew")).position.offset == 11
        end(self.other, again)
        end(self.other, "maintain")
        head = self.other.store.head(0, "cart", "a")
        assert head is not None
        assert (head.incarnation, head.version) == (11, 1)

    @pytest.mark.parametrize("between", [*ENDS, "maintain"])
    def test_a_copy_of_a_copy_is_what_the_first_one_was(self, between: str) -> None:
        life(self.store)
        before, position = answers(self.store), self.store.shard(0)
        for _ in range(2):
            copy(self.store, self.other, 0, 2, between)
            self.store.drop(0)
            end(self.harness, between)
            assert answers(self.store) == NOTHING
            copy(self.other.store, self.harness, 0, 3, between)
            self.other.store.drop(0)
            end(self.other, between)
            assert self.store.shard(0) == position
            assert answers(self.store) == before
            self.maintain(START_MS)
            assert answers(self.store) == before

    def test_a_copy_goes_on_where_its_source_ended(self) -> None:
        write(self.store, event(1, b"1", key=KEY))
        sealed = self.store.seal(0, 1)
        copy(self.store, self.other, 0)
        assert self.other.store.durable(0) == sealed
        assert not self.other.store.shard(0).sealed, "the seal was for the source"
        assert self.other.store.open_shards([0, 1], START_MS) == {0: 2, 1: 1}
        write(self.other.store, event(2, b"2"))
        self.other.crash()
        history = self.other.store.load(0, "cart", "a")
        assert history is not None
        assert [s.record.payload for s in history.records] == [b"1", b"2"]
        assert [s.previous for s in history.records] == [(0, 0), (1, 2)]
        assert self.other.store.remembered(0, "cart", "a", KEY) is not None

    @pytest.mark.parametrize("between", [*ENDS, "maintain"])
    def test_an_unfinished_copy_is_not_shown(self, between: str) -> None:
        life(self.store)
        position = self.store.durable(0)
        first, *_, last = pages(self.store, 0, 5)
        store = self.other.store
        assert store.receive(0, position, first) == first.through < position.offset
        end(self.other, between)
        store = self.other.store
        assert store.receiving(0) == (position, first.through)
        assert store.durable(0).offset == first.through
        assert answers(store) == NOTHING
        assert store.open_shards([0, 1], START_MS) == {1: 1}
        assert store.open_shards([0], START_MS, sealed=True) == {}
        (outcome,) = store.commit([Append(0, 1, 3, (event(4),))])
        assert getattr(outcome, "kind", None) is RefusalKind.INVALID
        with pytest.raises(AppendRefused):
            store.seal(0, 1)
        with pytest.raises(ValueError, match="not complete"):
            store.export(0, 0)
        for page in pages(self.store, 0, 5, after=first.through):
            store.receive(0, position, page)
        assert store.receiving(0) is None
        assert store.receive(0, position, last) == position.offset
        assert answers(store) == answers(self.store)

    def test_a_page_again_changes_nothing(self) -> None:
        life(self.store)
        position = self.store.durable(0)
        for page in pages(self.store, 0, 5):
            for _ in range(2):
                assert self.other.store.receive(0, position, page) == page.through
                self.other.crash()
        assert answers(self.other.store) == answers(self.store)

    def test_a_page_that_begins_earlier_brings_what_is_new(self) -> None:
        life(self.store)
        position = self.store.durable(0)
        small, large = self.store.export(0, 0, 3), self.store.export(0, 0)
        assert small is not None
        assert large is not None
        assert self.other.store.receive(0, position, small) == 3
        assert self.other.store.receive(0, position, large) == position.offset
        assert answers(self.other.store) == answers(self.store)

    def test_a_page_that_does_not_follow_is_refused(self) -> None:
        life(self.store)
        life(self.store, 1)
        position = self.store.durable(0)
        first, second, third, *_ = pages(self.store, 0, 2)
        foreign = self.store.export(1, 0)
        assert foreign is not None
        store = self.other.store
        wrong = [
            (position, second),
            (position, foreign),
            (Position(position.lineage, position.epoch, 1), first),
            (position, msgspec.structs.replace(first, records=first.records[::-1])),
        ]
        for source, page in wrong:
            with pytest.raises(ValueError, match="does not follow"):
                store.receive(0, source, page)
        assert store.receiving(0) is None
        assert store.durable(0).offset == 0
        store.receive(0, position, first)
        with pytest.raises(ValueError, match="does not follow"):
            store.receive(0, position, third)
        with pytest.raises(ValueError, match="drop it"):
            store.receive(0, Position(position.lineage, position.epoch, 99), second)
        with pytest.raises(ValueError, match="drop it"):
            self.store.receive(0, position, first)
        with pytest.raises(ValueError, match="16"):
            store.receive(16, position, first)
        assert store.receive(0, position, second) == second.through

    def test_a_copy_that_went_on_takes_no_page(self) -> None:
        life(self.store)
        position = self.store.durable(0)
        copy(self.store, self.other, 0)
        self.other.store.open_shards([0], START_MS)
        page = self.store.export(0, 0)
        assert page is not None
        with pytest.raises(ValueError, match="drop it"):
            self.other.store.receive(0, position, page)

    def test_pages_are_bounded(self) -> None:
        for n in range(1, 8):
            write(self.store, event(n, b"x" * 1_500_000))
        sizes = [len(page.records) for page in pages(self.store, 0)]
        assert max(sizes[1:]) == 2
        assert sum(sizes) == 8
        assert next(len(page.records) for page in pages(self.store, 0, 3)) == 3
        assert self.store.export(9, 0) is None
        assert self.store.export(0, 8) is None

    def test_a_page_that_cannot_be_stored_is_not_here(self) -> None:
        life(self.store)
        position = self.store.durable(0)
        first, second, *_ = pages(self.store, 0, 4)
        self.other.store.receive(0, position, first)
        self.other.fail_next_commit(StoreFull("no space"))
        with pytest.raises(StoreFull):
            self.other.store.receive(0, position, second)
        assert self.other.store.receiving(0) == (position, first.through)
        self.other.crash()
        assert self.other.store.receive(0, position, second) == second.through

    def test_what_waits_is_not_moved(self) -> None:
        self.store.append(0, 1, 0, [event(1)])
        with pytest.raises(ValueError, match="wait"):
            self.store.export(0, 0)
        with pytest.raises(ValueError, match="wait"):
            self.store.drop(0)
        write(self.store, event(1), shard=1)
        copy(self.store, self.other, 1)
        self.store.drop(1)
        copy(self.other.store, self.harness, 1)
        assert self.payloads(shard=1) == [b"event"]
        self.harness.crash()
        self.store.apply(0, 2)
        assert self.payloads() == [b"event"] == self.payloads(shard=1)
