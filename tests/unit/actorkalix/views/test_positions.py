"""Positions in a view's file."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from actorkalix.views.positions import (
    CREATE,
    chunks,
    forget_place,
    lags_in,
    meta_in,
    places_in,
    positions_in,
    put_meta,
    put_places,
)
from actorkalix_cluster.shardhost.feeding import BEGINNING
from actorkalix_storage.api import Position


def new_file() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in CREATE:
        connection.execute(statement)
    return connection


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**40), st.integers(1, 2**40))
def test_a_place_is_kept_as_it_is(lineage: int, epoch: int, offset: int) -> None:
    connection = new_file()
    put_places(connection, {3: (lineage, epoch, offset)}, {3: offset + 2})
    assert places_in(connection, [3, 4]) == {3: (lineage, epoch, offset), 4: BEGINNING}
    assert positions_in(connection) == {3: Position(lineage, epoch, offset)}
    assert lags_in(connection) == {3: 2}


def test_a_shard_can_begin_anew() -> None:
    connection = new_file()
    put_places(connection, dict.fromkeys(range(3), (7, 1, 5)), {})
    forget_place(connection, 1)
    assert set(positions_in(connection)) == {0, 2}
    assert lags_in(connection) == {}


def test_many_shards_are_asked_for_in_few_statements() -> None:
    connection = new_file()
    put_places(connection, {shard: (7, 1, shard + 1) for shard in range(1_500)}, {})
    found = places_in(connection, range(1_500))
    assert found == {shard: (7, 1, shard + 1) for shard in range(1_500)}


@given(st.lists(st.integers(), max_size=1_200))
def test_chunks_have_all_values_in_order(values: list[int]) -> None:
    found = [list(dict.fromkeys(some)) for some in chunks(list(dict.fromkeys(values)))]
    assert [one for some in found for one in some] == list(dict.fromkeys(values))
    assert all(len(some).bit_count() == 1 for some in chunks(values))


def test_a_file_says_what_it_was_told() -> None:
    connection = new_file()
    put_meta(connection, seq=4, fingerprint="f")
    put_meta(connection, seq=5)
    assert meta_in(connection) == {"seq": "5", "fingerprint": "f"}
