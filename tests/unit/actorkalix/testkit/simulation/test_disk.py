"""Simulated disks: what is on them after whatever comes between."""

from __future__ import annotations

import asyncio
from asyncio import sleep as virtual_sleep  # of the simulation's loop
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.disk import SLICE_US, Disk, SimulatedCommitter
from actorkalix.testkit.simulation.faults import Conditions, CrashPoint
from actorkalix.testkit.simulation.loop import SimulationLoop
from actorkalix.testkit.simulation.processes import Process
from actorkalix.testkit.simulation.trace import Trace
from actorkalix_cluster.shardhost.committer import read
from actorkalix_storage.api import (
    Append,
    Appended,
    DurabilityLost,
    Record,
    RecordKind,
    RefusalKind,
    Refused,
    StoreError,
    StoreFull,
    StoreIdentity,
)

from .worlds import calm

COMMIT_US = 100


class Found(NamedTuple):
    """What was read, and what was there when it was told."""

    offset: int
    offset_then: int
    at_us: int


class Desk:
    """A disk with one shard, a process that has it open, and what is said of it; a `Steps`."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.loop = SimulationLoop(Chance(seed))
        self.conditions = Conditions(calm(commit_min_us=COMMIT_US))
        self.trace = Trace(self.loop)
        self.disk = Disk(StoreIdentity("0" * 32, "shop", 0, 1, 7))
        self.dies_at: CrashPoint | None = None
        self.visited: list[CrashPoint] = []
        self.refusals: list[tuple[str, RefusalKind]] = []
        self.told: list[object] = []
        self.process, self.committer = self.opened("one")
        self.epoch = self.owned()

    def opened(self, name: str, *, is_twin: bool = False) -> tuple[Process, SimulatedCommitter]:
        process = self.loop.process(name)
        self.disk.open(process, is_twin=is_twin)
        committer = SimulatedCommitter(
            self.disk,
            process,
            loop=self.loop,
            chance=Chance(self.seed).fork(name),
            conditions=self.conditions,
            steps=self,
            trace=self.trace,
        )
        process.on_kill = committer.killed
        return process, committer

    def owned(self) -> int:
        """Take over the shard; its epoch."""
        return self.disk.store.open_shards([0], 1)[0]

    def reached(self, process: Process, point: CrashPoint) -> bool:
        self.visited.append(point)
        if point == self.dies_at:
            process.kill()
        return not process.alive

    def refused(self, process: Process, refusal: Refused) -> None:
        self.refusals.append((process.name, refusal.kind))

    def append(self, version: int, epoch: int = 0) -> list[Append]:
        record = Record(RecordKind.EVENT, "cart", "a", version + 1, 1, b"x")
        return [Append(0, epoch or self.epoch, version, (record,))]

    def commit(self, version: int = 0) -> None:
        """In the process."""
        appends = self.append(version)
        self.process.run(lambda: self.committer.commit(appends, self.told.append))

    def read(self) -> list[Found]:
        """In the process; what is found comes into the list."""
        store, found = self.disk.store, list[Found]()

        def note(offset: int | Exception) -> None:
            assert isinstance(offset, int)
            found.append(Found(offset, store.durable(0).offset, self.loop.now_us))

        self.process.run(lambda: self.committer.read(lambda: store.durable(0).offset, note))
        return found

    def until(self, us: int) -> None:
        self.loop.run_until_complete(virtual_sleep((us - self.loop.now_us) / 1e6))

    def stored(self) -> int:
        """Number of records, epochs left out, that a recovery finds."""
        self.process.kill()
        self.opened("reader")
        records = self.disk.store.records(0, 0, limit=100)
        return sum(each.record.kind is RecordKind.EVENT for each in records)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.loop.close()


def test_a_commit_is_told_when_it_is_on_disk_and_not_before(desk: Desk) -> None:
    desk.commit()
    desk.until(COMMIT_US - 1)
    assert desk.told == []
    assert desk.disk.store.durable(0).offset == 1, "its epoch"
    desk.until(COMMIT_US + 1)
    (outcomes,) = desk.told
    assert isinstance(outcomes, list)
    assert isinstance(outcomes[0], Appended)
    assert desk.visited == ["before_write", "after_write"]
    assert desk.stored() == 1


@pytest.mark.parametrize("torn", [0, 1])
def test_a_kill_in_the_midst_of_a_commit(desk: Desk, torn: int) -> None:
    desk.conditions.rates = calm(commit_min_us=COMMIT_US, torn=torn)
    desk.commit(0)
    desk.commit(1)  # waits, and is nowhere
    desk.until(COMMIT_US // 2)
    desk.process.kill()
    desk.until(10 * COMMIT_US)
    assert desk.told == []
    assert desk.stored() == torn


@pytest.mark.parametrize("point, stored", [("before_write", 0), ("after_write", 1)])
def test_a_step_at_which_a_process_dies(desk: Desk, point: CrashPoint, stored: int) -> None:
    """`torn` has no say in it: the write has not begun, or is over."""
    desk.conditions.rates = calm(commit_min_us=COMMIT_US, torn=1)
    desk.dies_at = point
    desk.commit()
    desk.until(10 * COMMIT_US)
    assert not desk.process.alive
    assert desk.told == []
    assert not any("killed in a commit" in line for line in desk.trace.lines)
    assert desk.stored() == stored


def test_a_write_that_failed_does_not_succeed_when_its_process_is_killed(desk: Desk) -> None:
    desk.conditions.rates = calm(commit_min_us=COMMIT_US, commit_fails=1, torn=1)
    desk.dies_at = "after_write"
    desk.commit()
    desk.until(10 * COMMIT_US)
    assert desk.stored() == 0


def test_a_full_disk_says_so_and_takes_more_later(desk: Desk) -> None:
    desk.disk.full = True
    desk.commit()
    desk.until(2 * COMMIT_US)
    assert [type(each) for each in desk.told] == [StoreFull]
    desk.disk.full = False
    desk.commit()
    desk.until(4 * COMMIT_US)
    assert isinstance(desk.told[1], list)
    assert desk.stored() == 1


def test_a_write_that_fails_leaves_nothing(desk: Desk) -> None:
    desk.conditions.rates = calm(commit_fails=1)
    desk.commit()
    desk.until(1_000)
    assert [type(each) for each in desk.told] == [StoreFull]
    assert desk.stored() == 0


def test_a_full_disk_leaves_no_fault_for_the_next_write(desk: Desk) -> None:
    """An append of an old epoch is refused before anything is written."""
    desk.disk.full = True
    desk.process.run(lambda: desk.committer.commit(desk.append(0, epoch=99), desk.told.append))
    desk.until(2 * COMMIT_US)
    desk.disk.full = False
    desk.commit()
    desk.until(4 * COMMIT_US)
    assert isinstance(desk.told[1], list)


def test_after_a_sync_that_failed_nobody_knows(desk: Desk) -> None:
    """The coin falls on both sides, and nothing more is taken by this opening."""
    found: set[int] = set()
    for seed in range(20):
        tried = Desk(seed)
        tried.conditions.rates = calm(commit_min_us=COMMIT_US, commit_breaks=1)
        tried.commit()
        tried.until(2 * COMMIT_US)
        tried.conditions.rates = calm()
        tried.commit(1)
        tried.until(4 * COMMIT_US)
        assert [type(each) for each in tried.told] == [DurabilityLost, DurabilityLost]
        found.add(tried.stored())
        tried.loop.close()
    assert found == {0, 1}


def test_writes_are_done_in_the_order_of_asking(desk: Desk) -> None:
    done: list[int] = []
    writing: list[asyncio.Task[None]] = []

    async def write(number: int) -> None:
        desk.commit(number)
        await desk.committer.run(lambda: done.append(desk.disk.store.durable(0).offset))

    for number in range(3):
        writing.append(desk.loop.spawn(desk.process, write(number)))
        desk.until(desk.loop.now_us + 1)
    desk.until(10 * COMMIT_US)
    assert done == [2, 3, 4]


def test_slices_are_done_while_no_write_waits(desk: Desk) -> None:
    done: list[str] = []
    left = [True, False]

    def slice_() -> bool:
        done.append(f"slice {desk.disk.store.durable(0).offset}")
        return left.pop(0)

    desk.commit(0)
    desk.commit(1)
    desk.process.run(lambda: desk.committer.background(slice_, desk.told.append))
    desk.until(3 * COMMIT_US)
    assert done == [], "two commits come first"
    desk.until(3 * COMMIT_US + 3 * SLICE_US)
    assert done == ["slice 3", "slice 3"], "again, for it said so, and then no more"


def test_a_slice_that_fails_is_told(desk: Desk) -> None:
    failed: list[Exception] = []

    def slice_() -> bool:
        raise StoreFull("no room")

    desk.process.run(lambda: desk.committer.background(slice_, failed.append))
    desk.until(2 * SLICE_US)
    assert [str(each) for each in failed] == ["no room"]


def test_slices_that_wait_are_left_out_at_the_end(desk: Desk) -> None:
    done: list[str] = []

    def slice_() -> bool:
        done.append("slice")
        return False

    desk.commit()
    desk.process.run(lambda: desk.committer.background(slice_, desk.told.append))
    desk.committer.close()
    desk.until(10 * SLICE_US)
    assert done == []
    assert len(desk.told) == 1


def test_reads_are_done_in_order_and_may_be_old_when_they_are_told() -> None:
    old = 0
    for seed in range(20):
        desk = Desk(seed)
        told = [desk.read() for _ in range(3)]
        desk.commit()
        desk.until(1_000)
        (first, second, third) = (found for (found,) in told)
        assert first.offset <= second.offset <= third.offset
        assert first.at_us < second.at_us < third.at_us
        old += any(each.offset < each.offset_then for each in (first, second, third))
        desk.loop.close()
    assert 0 < old < 20


def test_when_a_read_is_over_those_before_it_are(desk: Desk) -> None:
    """A host that stops closes its store after that."""
    told: list[object] = []

    async def last() -> None:
        for _ in range(10):
            desk.committer.read(lambda: 1, told.append)
        await read(desk.committer, bool)
        assert len(told) == 10

    desk.loop.run_until_complete(desk.loop.spawn(desk.process, last()))


def test_a_store_is_opened_when_the_process_before_has_ended(desk: Desk) -> None:
    with pytest.raises(AssertionError, match="locked"):
        desk.opened("other")
    former = desk.disk.store
    desk.process.kill()
    desk.opened("other")
    with pytest.raises(StoreError):
        former.commit(desk.append(0))


def test_what_is_not_on_disk_ends_with_its_process(desk: Desk) -> None:
    desk.commit()
    assert desk.stored() == 0


def test_a_twin_sees_the_same_disk_and_takes_the_shard_away(desk: Desk) -> None:
    desk.commit(0)
    desk.until(2 * COMMIT_US)
    _, twin = desk.opened("twin", is_twin=True)
    former_epoch, desk.epoch = desk.epoch, desk.owned()
    assert desk.epoch > former_epoch
    told: list[object] = []
    desk.process.run(lambda: twin.commit(desk.append(1), told.append))
    desk.until(4 * COMMIT_US)
    assert isinstance(told[0], list)
    desk.process.run(lambda: desk.committer.commit(desk.append(2, former_epoch), told.append))
    desk.until(6 * COMMIT_US)
    assert desk.refusals == [("one", RefusalKind.OLD_EPOCH)]
    records = desk.disk.store.records(0, 0, limit=100)
    assert sum(each.record.kind is RecordKind.EVENT for each in records) == 2


def test_a_process_that_stands_still_writes_nothing(desk: Desk) -> None:
    desk.commit()
    desk.until(COMMIT_US // 2)
    desk.process.pause()
    desk.until(10 * COMMIT_US)
    assert desk.told == []
    assert desk.disk.store.durable(0).offset == 1
    desk.process.resume()
    desk.until(11 * COMMIT_US)
    assert len(desk.told) == 1


def test_some_commits_are_slow(desk: Desk) -> None:
    desk.conditions.rates = calm(commit_min_us=COMMIT_US, commit_slow=1)
    desk.commit()
    desk.until(49 * COMMIT_US)
    assert desk.told == []
    desk.until(51 * COMMIT_US)
    assert len(desk.told) == 1
