"""Loads go in batches, long ones in turn with others, and each has its own outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.loads import Found, LoadQueue
from actorkalix_cluster.shardhost.observer import SilentObserver
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.shards import Shards
from actorkalix_cluster.shardhost.ticket import Desk
from actorkalix_cluster.shardhost.watchdog import Watch
from actorkalix_storage.api import Append, History, Load, Record, RecordKind, Unreadable
from actorkalix_storage.api.loads import LOOK_RECORDS
from tests.unit.cluster.shardhost.rig import HeldCommitter, new_store, run


class TickingClock(VirtualClock):
    """Each look at it takes a millisecond, once it ticks."""

    ticks = False

    def now_ms(self) -> int:
        if self.ticks:
            self._now_ms += 1
        return super().now_ms()


class Queue:
    """A load queue over entities `e0` and up of one event, and `long0` and up of many."""

    def __init__(self, events: int = 8 * LOOK_RECORDS - 1, longs: int = 0, **limits: Any) -> None:
        self.store = new_store()
        self.store.open_shards([0], 0)
        for n in range(40):
            self._fill(f"e{n}", 1)
        for n in range(longs):
            self._fill(f"long{n}", events)
        self.clock = TickingClock()
        self.committer = HeldCommitter(self.store)
        self.committer.hold_reads = True
        bounds, observer = HostLimits(**limits), SilentObserver()
        parts = Parts(
            self.store,
            self.committer,
            self.clock,
            bounds,
            observer,
            Shards(self.clock),
            Desk(observer),
            Watch(bounds),
        )
        self.loads = LoadQueue(parts)
        self.told: list[str] = []
        self.found: dict[str, Found] = {}
        self.ends: list[int] = []
        self.loads.on_told = lambda: self.ends.append(len(self.told))

    def _fill(self, entity: str, events: int) -> None:
        records = [Record(RecordKind.EVENT, "c", entity, n, 0) for n in range(1, events + 1)]
        self.store.commit([Append(0, 1, 0, tuple(records))])

    def put(self, entity: str) -> None:
        def done(found: Found) -> None:
            self.told.append(entity)
            self.found[entity] = found

        self.loads.put(0, "c", entity, done)

    async def run_out(self, look: Callable[[], object] = int) -> None:
        """Release the reader until nothing is asked of it."""
        while self.committer.held:
            await self.committer.release()
            look()


def test_the_first_goes_at_once_and_what_comes_meanwhile_together() -> None:
    async def case() -> None:
        queue = Queue(load_batch_max=8)
        entities = [f"e{n}" for n in range(20)]
        for entity in entities:
            queue.put(entity)
        assert (queue.committer.reads, len(queue.loads), queue.told) == (1, 20, [])
        await queue.run_out()
        assert queue.told == entities
        assert queue.ends == [1, 9, 17, 20]
        assert (queue.committer.reads, len(queue.loads)) == (4, 0)
        for entity, found in queue.found.items():
            assert isinstance(found, History)
            assert found == queue.store.load(0, "c", entity)

    run(case())


def test_what_nobody_has_stored_is_found_absent() -> None:
    async def case() -> None:
        queue = Queue()
        queue.put("never")
        await queue.run_out()
        assert queue.found == {"never": None}

    run(case())


def test_it_is_full_with_all_that_are_not_told() -> None:
    async def case() -> None:
        queue = Queue(loads_max=3)
        for n in range(3):
            assert not queue.loads.full
            queue.put(f"e{n}")
        assert queue.loads.full
        await queue.run_out()
        assert not queue.loads.full

    run(case())


def test_a_batch_whose_time_is_over_leaves_the_rest_to_the_next() -> None:
    async def case() -> None:
        queue = Queue(load_slice_ms=5)
        queue.clock.ticks = True
        entities = [f"e{n}" for n in range(12)]
        for entity in entities:
            queue.put(entity)
        await queue.committer.release()
        queue.put("e20")
        await queue.run_out()
        assert queue.told == [*entities, "e20"]
        assert queue.ends == [1, 6, 11, 13]

    run(case())


def test_long_loads_go_on_alone_in_turn_with_others_and_one_after_the_other() -> None:
    async def case() -> None:
        queue = Queue(24 * LOOK_RECORDS, longs=2, load_slice_ms=3, load_batch_max=2)
        queue.clock.ticks = True
        entities = ["long0", "long1", *(f"e{n}" for n in range(8))]
        for entity in entities:
            queue.put(entity)
        halfway: list[int] = []

        def look() -> None:
            loads = [load for load, _ in queue.loads._long]
            halfway.append(sum(len(load.records) > 3 * LOOK_RECORDS for load in loads))

        await queue.run_out(look)
        assert set(queue.told) == set(entities)
        assert queue.told.index("long0") < queue.told.index("long1")
        assert queue.told.index("e1") < queue.told.index("long0"), "others were not held up"
        assert max(halfway) <= 1, "only one holds many records"
        for entity, found in queue.found.items():
            assert found == queue.store.load(0, "c", entity)

    run(case())


def test_a_long_load_that_is_alone_goes_on_until_it_is_over() -> None:
    async def case() -> None:
        queue = Queue(longs=1, load_slice_ms=1)
        queue.clock.ticks = True
        queue.put("long0")
        await queue.run_out()
        assert queue.told == ["long0"]
        assert queue.committer.reads == 8
        assert (len(queue.loads), queue.loads.full) == (0, False)

    run(case())


def test_an_error_of_the_store_is_the_outcome_of_those_alone_that_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def case() -> None:
        queue = Queue()
        load = queue.store.load

        def fail(loads: list[Load], enough: object) -> None:
            raise Unreadable("the table")

        def alone(shard: int, component: str, entity: str) -> History | None:
            if entity == "e1":
                raise KeyError("a bug")
            return load(shard, component, entity)

        monkeypatch.setattr(queue.store, "load_some", fail)
        monkeypatch.setattr(queue.store, "load", alone)
        for n in range(3):
            queue.put(f"e{n}")
        await queue.run_out()
        kinds = [type(queue.found[f"e{n}"]) for n in range(3)]
        assert kinds == [History, KeyError, History]

    run(case())


def test_who_is_told_may_put_more() -> None:
    async def case() -> None:
        queue = Queue()

        def more(found: Found) -> None:
            for n in (1, 2, 3):
                queue.put(f"e{n}")

        queue.loads.put(0, "c", "e0", more)
        await queue.committer.release()
        assert queue.committer.reads == 2
        await queue.run_out()
        assert queue.told == ["e1", "e2", "e3"]
        assert queue.committer.reads == 2

    run(case())


def test_a_closed_queue_tells_nothing_and_asks_nothing() -> None:
    async def case() -> None:
        queue = Queue()
        for n in range(3):
            queue.put(f"e{n}")
        queue.loads.close()
        await queue.run_out()
        await settle()
        assert queue.told == []
        assert queue.committer.reads == 1

    run(case())
