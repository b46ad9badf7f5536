"""Moves performed: their order, what is gone on with, what is dropped, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
import pytest

from actorkalix_cluster.placement.moves import Move, Plan
from actorkalix_cluster.shardhost import moving
from actorkalix_cluster.shardhost.moving import Progress
from actorkalix_storage.api import (
    Append,
    Damaged,
    HomeTable,
    Record,
    RecordKind,
    Store,
    StoreFull,
    StoreIdentity,
)
from actorkalix_storage.memorystore import MemoryStore

SHARDS = 4
NOW_MS = 1_700_000_000_000
IDENTITY = StoreIdentity("c" * 32, "shop", 0, SHARDS, 0xFEED)
HERE = HomeTable(1, ((0,),) * SHARDS)
THERE = HomeTable(2, ((0,), (1,), (2,), (1,)))
PLAN = Plan((Move(1, 0, 1), Move(2, 0, 2), Move(3, 0, 1)), THERE)
STAY = Plan((), HERE)
EVENTS = 1_200  # of shard 1: three pages, with the record of its opening


def stores() -> dict[int, MemoryStore]:
    """Store 0 has everything: many records in shard 1, two in shard 2, shard 3 opened alone."""
    made = {n: MemoryStore(msgspec.structs.replace(IDENTITY, number=n)) for n in range(3)}
    made[0].put_homes(HERE)
    epochs = made[0].open_shards([0, 1, 2, 3], NOW_MS)
    for shard, count in {0: 1, 1: EVENTS, 2: 1}.items():
        write(made[0], shard, epochs[shard], count)
    return made


def write(store: MemoryStore, shard: int, epoch: int, count: int) -> None:
    head = store.head(shard, "cart", "a")
    before = head.version if head is not None else 0
    records = tuple(
        Record(RecordKind.EVENT, "cart", "a", before + n, NOW_MS, b"%d" % n)
        for n in range(1, count + 1)
    )
    store.commit([Append(shard, epoch, before, records)])


def performed(
    stores: Mapping[int, Store], plan: Plan = PLAN, table: HomeTable = HERE
) -> list[Progress]:
    told: list[Progress] = []
    after = moving.perform(stores, table, plan, told.append, now_ms=lambda: NOW_MS)
    assert after == plan.table
    return told


class Spied:
    """Notes the steps that change a store."""

    def __init__(self, number: int, store: MemoryStore, steps: list[str]) -> None:
        self._number, self._store, self._steps = number, store, steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in ("put_homes", "receive", "seal", "drop"):
            return found

        def step(*arguments: Any) -> Any:
            what = arguments[0].version if name == "put_homes" else arguments[0]
            self._steps.append(f"{name} {what} at {self._number}")
            return found(*arguments)

        return step


def test_the_order_of_the_steps() -> None:
    steps: list[str] = []
    made = stores()
    performed({n: cast(Store, Spied(n, store, steps)) for n, store in made.items()})
    first = [step for step in steps if not step.startswith("drop")]
    assert first[:2] == ["put_homes 1 at 1", "put_homes 1 at 2"]
    assert first[2:7] == [*["receive 1 at 1"] * 3, "receive 2 at 2", "receive 3 at 1"]
    assert first[7:10] == ["seal 1 at 0", "seal 2 at 0", "seal 3 at 0"]
    assert first[10:] == ["put_homes 2 at 1", "put_homes 2 at 2", "put_homes 2 at 0"]
    assert steps[-3:] == ["drop 1 at 0", "drop 2 at 0", "drop 3 at 0"]


def test_what_moved_is_as_it_was_and_gone_where_it_was() -> None:
    made = stores()
    before = made[0].history(1, "cart", "a", limit=EVENTS)
    position = made[0].durable(1)
    performed(made)
    assert made[1].history(1, "cart", "a", limit=EVENTS) == before
    assert made[1].durable(1) == position
    assert [made[0].durable(shard).offset for shard in (1, 2, 3)] == [0, 0, 0]
    assert made[0].subjects("cart") == [(0, "a")]
    assert made[1].open_shards([1, 3], NOW_MS) == {1: 2, 3: 2}


def test_progress_by_page_and_by_shard() -> None:
    told = performed(stores())
    assert told[:4] == [
        Progress(0, 3, 500),
        Progress(0, 3, 1000),
        Progress(0, 3, EVENTS + 1),
        Progress(1, 3, EVENTS + 1),
    ]
    assert told[-1] == Progress(3, 3, EVENTS + 1 + 2 + 1)


def test_a_copy_that_was_begun_goes_on() -> None:
    made = stores()
    page = made[0].export(1, 0)
    assert page is not None
    made[1].receive(1, made[0].durable(1), page)
    assert performed(made)[-1].records == EVENTS + 1 - 500 + 2 + 1


def test_a_copy_of_what_the_source_was_before_is_made_again() -> None:
    made = stores()
    page = made[0].export(1, 0)
    assert page is not None
    made[1].receive(1, made[0].durable(1), page)
    write(made[0], 1, made[0].open_shards([1], NOW_MS)[1], 1)
    assert performed(made)[-1].records == EVENTS + 3 + 2 + 1
    assert len(made[1].history(1, "cart", "a", limit=2 * EVENTS)) == EVENTS + 1


@pytest.mark.parametrize("opened_again", [False, True])
def test_a_whole_copy_counts_until_its_source_is_opened_again(opened_again: bool) -> None:
    """The run before was killed when it had sealed shard 1."""
    made = stores()
    while (page := made[0].export(1, made[1].durable(1).offset)) is not None:
        made[1].receive(1, made[0].durable(1), page)
    made[0].seal(1, 1)
    if opened_again:
        assert made[0].open_shards([1], NOW_MS, sealed=True) == {1: 2}
    copied_again = EVENTS + 3 if opened_again else 0  # with the records of seal and opening
    assert performed(made)[-1].records == copied_again + 2 + 1
    assert len(made[1].history(1, "cart", "a", limit=EVENTS)) == EVENTS


def test_without_moves_tables_are_put_and_leftovers_dropped() -> None:
    made = stores()
    page = made[0].export(1, 0)
    assert page is not None
    made[1].receive(1, made[0].durable(1), page)  # begun
    made[2].open_shards([0], NOW_MS)  # whole, and not at home
    assert performed(made, STAY) == []
    assert made[1].receiving(1) is None
    assert made[2].durable(0).offset == 0
    assert [store.homes() for store in made.values()] == [HERE] * 3
    assert made[0].durable(1).offset == EVENTS + 1


def test_what_is_damaged_stays_and_nothing_is_begun() -> None:
    made = stores()
    made[0]._damaged[2] = "a bit"
    with pytest.raises(Damaged, match=r"shard 2 of store 0 would have to move, .* \(a bit\)"):
        performed(made)
    assert made[1].homes() is None
    made[0]._damaged = {0: "a bit"}  # which stays
    performed(made)


def test_no_space_is_said_and_the_next_start_goes_on() -> None:
    made = stores()
    performed(made, STAY)
    made[1].fail_next_commit(StoreFull("no space"))
    with pytest.raises(StoreFull):
        performed(made)
    assert performed(made)[-1].done == 3


def test_a_shard_that_was_never_opened_needs_no_copy() -> None:
    made = {n: MemoryStore(msgspec.structs.replace(IDENTITY, number=n)) for n in range(3)}
    assert performed(made)[-1] == Progress(3, 3, 0)
    assert not made[0].shard(1).sealed
    assert made[1].open_shards([1], NOW_MS) == {1: 1}
