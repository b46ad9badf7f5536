"""Moves at start, killed anywhere: a record is once where its shard is served, and nowhere else.

Starts with random numbers of stores, each killed at a random step of its moves and followed by
another, until one comes through; then the service writes, and everything is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actorkalix_cluster.placement.moves import Plan, begin, decide, plan, ring_of
from actorkalix_cluster.shardhost import moving
from actorkalix_storage.api import (
    Append,
    Appended,
    DurabilityLost,
    HomeTable,
    Record,
    RecordKind,
    Store,
    StoreIdentity,
)
from actorkalix_storage.memorystore import MemoryStore

SHARDS = 6
NOW_MS = 1_700_000_000_000
IDENTITY = StoreIdentity("c" * 32, "shop", 0, SHARDS, 0xFEED)
WRITES = ("put_homes", "receive", "seal", "drop", "maintain")
MOMENTS = ("lost", "torn", "stored")
"""The step came to nothing, its first commit alone is on disk, all of it is."""


class Killed(Exception):
    """Stands for the end of the process."""


class Fuse:
    """Kills the process at its n-th step that writes."""

    def __init__(self, steps: int | None, moment: str) -> None:
        self.steps = steps
        self.moment = moment

    def at(self, store: MemoryStore, call: Any, arguments: tuple[Any, ...]) -> Any:
        """Take a step, unless it is the one."""
        if self.steps is None:
            return call(*arguments)
        self.steps -= 1
        if self.steps >= 0:
            return call(*arguments)
        if self.moment != "stored":
            store.fail_next_commit(DurabilityLost("killed"), stored=self.moment == "torn")
        try:
            call(*arguments)
        except DurabilityLost as error:
            raise Killed from error
        raise Killed


class Mortal:
    """A store whose steps burn a fuse."""

    def __init__(self, store: MemoryStore, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in WRITES:
            return found

        def step(*arguments: Any) -> Any:
            return self._fuse.at(self._store, found, arguments)

        return step


class Service:
    """The stores of a service, and what was acknowledged."""

    def __init__(self) -> None:
        self.stores: dict[int, MemoryStore] = {}
        self.written: dict[tuple[int, str], list[bytes]] = {}
        self.progress: list[moving.Progress] = []

    def start(self, count: int, fuse: Fuse) -> bool:
        """One start as `runtime.settling` makes it; False when it was killed."""
        table = decide({number: store.homes() for number, store in self.stores.items()})
        table = table or begin(ring_of(count), SHARDS, [])
        for number in range(count):
            identity = msgspec.structs.replace(IDENTITY, number=number)
            self.stores.setdefault(number, MemoryStore(identity))
        planned = plan(table, ring_of(count))
        stores = {n: cast(Store, Mortal(store, fuse)) for n, store in self.stores.items()}
        self.progress.clear()
        try:
            moving.perform(stores, table, planned, self.progress.append, now_ms=lambda: NOW_MS)
        except Killed:
            self.stores = {number: store.crash() for number, store in self.stores.items()}
            return False
        self._check_progress(planned)
        self.stores = {number: self.stores[number] for number in range(count)}
        return True

    def serve(self, events: int) -> None:
        """Hosts open what they are the home of, write, and are killed."""
        for number, store in self.stores.items():
            homes = self.table.of_store(number)
            epochs = store.open_shards(homes, NOW_MS, sealed=True)
            assert sorted(epochs) == list(homes)
            for shard, epoch in epochs.items():
                for n in range(events if shard % 3 else 0):
                    self._write(store, shard, epoch, f"entity-{n % 2}")
            self.stores[number] = store.crash()

    def check(self) -> None:
        """Every record once, where its shard is served; nothing anywhere else; tables agree."""
        found: dict[tuple[int, str], list[bytes]] = {}
        for number, store in self.stores.items():
            assert store.homes() == self.table
            for shard in range(SHARDS):
                assert store.receiving(shard) is None
                assert number in self.table.homes[shard] or store.durable(shard).offset == 0
            for subject in store.subjects("cart"):
                assert subject not in found, f"{subject} is in two stores"
                found[subject] = list(_payloads(store, *subject))
        assert found == self.written

    @property
    def table(self) -> HomeTable:
        table = self.stores[0].homes()
        assert table is not None
        return table

    def _write(self, store: MemoryStore, shard: int, epoch: int, entity: str) -> None:
        events = self.written.setdefault((shard, entity), [])
        payload = f"{shard}/{entity}/{len(events)}".encode()
        key = len(events).to_bytes(16, "big")
        record = Record(
            RecordKind.EVENT, "cart", entity, len(events) + 1, NOW_MS, payload, key, b"ok"
        )
        (outcome,) = store.commit([Append(shard, epoch, len(events), (record,))])
        assert isinstance(outcome, Appended), outcome
        events.append(payload)

    def _check_progress(self, planned: Plan) -> None:
        of = len(planned.moves)
        assert all(each.of == of for each in self.progress)
        counts = [(each.done, each.records) for each in self.progress]
        assert counts == sorted(counts)
        if planned.moves:
            assert self.progress[-1].done == of


def _payloads(store: Store, shard: int, entity: str) -> Iterator[bytes]:
    for number, stored in enumerate(store.history(shard, "cart", entity), 1):
        assert stored.version == number
        remembered = store.remembered(shard, "cart", entity, stored.record.key)
        assert remembered == stored
        yield stored.record.payload


starts = st.tuples(
    st.integers(1, 4),
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 40), st.sampled_from(MOMENTS)), max_size=3
    ),
    st.integers(0, 3),
)


@given(st.lists(starts, min_size=1, max_size=5))
@settings(deadline=None, max_examples=150)
@example([(1, [], 3), (4, [], 3), (2, [], 3), (1, [], 3)])
@example([(1, [], 2), (4, [(4, 30, "stored")], 1), (1, [], 1)])
def test_every_record_is_once_where_it_is_served(
    rounds: list[tuple[int, list[tuple[int, int, str]], int]],
) -> None:
    service = Service()
    for count, killed, events in rounds:
        for other, steps, moment in killed:
            service.start(other, Fuse(steps, moment))
        assert service.start(count, Fuse(None, ""))
        service.check()
        service.serve(events)
        service.check()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("then", [1, 2, 3])
def test_a_kill_at_each_single_step(moment: str, then: int) -> None:
    """From one store to three, killed once at every step in turn, then started with `then`."""
    steps, killed = 0, True
    while killed:
        service = Service()
        assert service.start(1, Fuse(None, ""))
        service.serve(2)
        killed = not service.start(3, Fuse(steps, moment))
        assert service.start(then, Fuse(None, ""))
        service.check()
        service.serve(1)
        service.check()
        steps += 1
    assert steps > 3 * SHARDS / 2, "the fuse was longer than the moves"
