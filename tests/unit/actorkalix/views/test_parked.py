"""Parked subjects in a view's file."""

from __future__ import annotations

import sqlite3

from actorkalix.views.parked import CREATE, free, free_shard, keep_held, park, parked_in
from actorkalix_cluster.shardhost.feeding import Held


def held(subject: str, shard: int = 3, attempts: int = 1) -> Held:
    return Held(shard, "cart", subject, "carts", subject, 4, 17, attempts, 1_000, "it fails")


def new_file() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in CREATE:
        connection.execute(statement)
    return connection


def test_what_is_parked_is_there_until_it_is_freed() -> None:
    connection = new_file()
    park(connection, [held("b", 5), held("a", 3)])
    park(connection, [held("a", 3, attempts=2)])
    assert parked_in(connection) == [held("a", 3, attempts=2), held("b", 5)]
    assert parked_in(connection, 1) == [held("a", 3, attempts=2)]
    free(connection, [("carts", "a"), ("carts", "nobody")])
    assert parked_in(connection) == [held("b", 5)]


def test_a_shard_takes_all_that_is_parked_of_it() -> None:
    connection = new_file()
    park(connection, [held("a", 3), held("b", 5), held("c", 3)])
    free_shard(connection, 3)
    assert parked_in(connection) == [held("b", 5)]


def test_a_file_follows_from_who_waited_to_who_waits() -> None:
    connection = new_file()
    before = [held("a"), held("b")]
    park(connection, before)
    after = [held("b", attempts=2), held("c")]
    keep_held(connection, before, after)
    assert parked_in(connection) == after
    keep_held(connection, after, after)
    assert parked_in(connection) == after
