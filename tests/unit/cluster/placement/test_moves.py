"""Plans of moves: what is decided from the tables of all stores, and what then has to go where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix_cluster.placement.moves import Move, begin, decide, named, plan, ring_of
from actorkalix_cluster.placement.ring import propose
from actorkalix_storage.api import ForeignStore, HomeTable, Unreadable

SHARDS = 64
counts = st.integers(1, 8)


def table_of(count: int, version: int = 1) -> HomeTable:
    return HomeTable(version, propose(ring_of(count), SHARDS))


@given(counts, counts)
def test_a_plan_ends_at_what_the_ring_proposes(before: int, after: int) -> None:
    table = table_of(before, version=7)
    made = plan(table, ring_of(after))
    homes = list(table.homes)
    for move in made.moves:
        assert homes[move.shard] == (move.source,) != (move.target,)
        homes[move.shard] = (move.target,)
    assert tuple(homes) == made.table.homes == propose(ring_of(after), SHARDS)
    assert made.table.version == (8 if made.moves else 7)
    assert plan(made.table, ring_of(after)).moves == ()


def test_without_moves_the_table_is_the_same() -> None:
    table = table_of(3)
    assert plan(table, ring_of(3)).table is table


def test_moves_come_in_the_order_of_the_shards() -> None:
    moves = plan(HomeTable(1, ((0,),) * SHARDS), ring_of(2)).moves
    assert [move.shard for move in moves] == sorted({move.shard for move in moves})
    assert {(move.source, move.target) for move in moves} == {(0, 1)}
    assert isinstance(moves[0], Move)


def test_the_highest_version_counts() -> None:
    old, new = table_of(2, 3), table_of(1, 4)
    assert decide({0: old, 1: new, 2: None}) == new
    assert decide({0: new, 1: old}) == new
    assert decide({0: None, 1: None}) is None
    assert decide({}) is None


@pytest.mark.parametrize("newest", [2, 3])
def test_two_tables_of_one_version_name_the_stores(newest: int) -> None:
    one, other = table_of(1, 2), table_of(2, 2)
    with pytest.raises(ForeignStore, match="stores 1 and 4 have different home tables of version"):
        decide({0: table_of(1, newest) if newest > 2 else None, 1: one, 4: other})


def test_a_home_that_is_not_there_is_named() -> None:
    table = HomeTable(5, ((0,), (2,), (2,), (0,)))
    with pytest.raises(Unreadable, match="store 2 has 2 of 4 shards, and the folder is not there"):
        decide({0: table, 1: table})
    with pytest.raises(Unreadable, match="stores 0 and 2 have 4 of 4 shards, and the folders are"):
        decide({1: table})
    assert decide({0: table, 2: None}) == table


def test_the_first_table() -> None:
    assert begin(ring_of(3), SHARDS, []) == table_of(3)
    assert begin(ring_of(3), SHARDS, [0]) == HomeTable(1, ((0,),) * SHARDS)
    with pytest.raises(ForeignStore, match="stores 0 and 1 have records and no table"):
        begin(ring_of(3), SHARDS, [1, 0])


def test_stores_are_named() -> None:
    assert named([3]) == "store 3"
    assert named([5, 0, 3]) == "stores 0, 3 and 5"
