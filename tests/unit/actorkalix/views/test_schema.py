"""The tables of a view's file."""

from __future__ import annotations

import logging
import sqlite3

import pytest

from actorkalix.views.positions import CREATE as META
from actorkalix.views.positions import meta_in, put_meta, put_places
from actorkalix.views.schema import note_change, note_ready
from actorkalix.views.tables import CREATE as TABLES
from tests.unit.actorkalix.views.shop import Log, Rig, batch, opened


def new_file() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in (*META, *TABLES):
        connection.execute(statement)
    put_meta(connection, seq=0, ready=0)
    return connection


def test_a_file_that_is_opened_again_keeps_what_it_has() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    rig.apply(log.part(0))
    again = opened(rig.connection)
    assert again.generation == "one"
    log.add("a", 2)
    again.apply(batch(log.part(1)))
    assert rig.quantities() == {"a": 3}


def test_indexes_that_no_query_needs_any_more_are_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def indexes() -> set[str]:
        select = "SELECT name FROM sqlite_schema WHERE type = 'index'"
        return {name for (name,) in rig.connection.execute(select)}

    rig = Rig()
    before = indexes()
    ours = next(name for name in before if name.startswith("$index "))
    table = ours.split(" ")[1]
    rig.connection.execute(f'CREATE INDEX "$index {table} old" ON "{table}"("$subject")')
    rig.connection.execute(f'CREATE INDEX "by hand" ON "{table}"("$subject")')
    with caplog.at_level(logging.INFO):
        opened(rig.connection)
    assert indexes() == {*before, "by hand"}
    [said] = [one.getMessage() for one in caplog.records if "dropped" in one.getMessage()]
    assert f"$index {table} old" in said
    caplog.clear()
    with caplog.at_level(logging.INFO):
        opened(rig.connection)
    assert "dropped" not in caplog.text


def test_it_is_whole_when_every_shard_was_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    connection = new_file()
    put_places(connection, {0: (7, 1, 5), 1: (7, 1, 5)}, {1: 6})
    note_ready(connection, "carts", 2)
    assert meta_in(connection)["ready"] == "0"
    put_places(connection, {1: (7, 1, 6)}, {1: 6})
    with caplog.at_level(logging.INFO):
        note_ready(connection, "carts", 2)
        note_ready(connection, "carts", 2)
    assert meta_in(connection)["ready"] == "1"
    assert [one.getMessage() for one in caplog.records] == ["view carts is whole"]


def test_notes_of_removed_rows_are_kept_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actorkalix.views.schema.VIEW_REMOVED_MAX", 10)
    connection = new_file()
    connection.executemany(
        'INSERT INTO "$removed" VALUES(?, ?, ?)', [("t", f"s{at}", at) for at in range(30)]
    )
    note_change(connection, 999)
    assert connection.execute('SELECT count(*) FROM "$removed"').fetchone() == (30,)
    note_change(connection, 1_000)
    found = connection.execute('SELECT min("seq"), count(*) FROM "$removed"').fetchone()
    assert found == (20, 10)
    assert meta_in(connection)["removed_from"] == "19"
    assert meta_in(connection)["seq"] == "1000"
