"""Batches become rows exactly once, whatever happens to batches."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from actorkalix_cluster.shardhost.feeding import BEGINNING, Again
from tests.unit.actorkalix.views.shop import FAILING, LINEAGE, Log, Rig, batch, opened


def test_a_range_becomes_rows_and_a_position() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    log.skip(3)
    log.add("b", 2)
    log.add("a", 3)
    log.skip(2)
    answer = rig.apply(log.part(0))
    assert [(one.shard, one.place, one.held) for one in answer.standings] == [
        (0, (LINEAGE, 1, 8), ())
    ]
    assert rig.quantities() == {"a": 4, "b": 2}
    assert rig.projection.tally.handled == 3


def test_the_same_batch_twice_counts_once() -> None:
    rig, log = Rig(), Log()
    for number in range(10):
        log.add("ab"[number % 2], number)
    first = batch(log.part(0))
    rig.projection.apply(first)
    answer = rig.projection.apply(first)
    assert answer.standings[0].place == log.place(10)
    assert rig.quantities() == {"a": 20, "b": 25}


def test_a_range_that_begins_elsewhere_is_dropped_alone() -> None:
    rig, one, other = Rig(), Log(0), Log(1)
    for number in range(4):
        one.add("a", number)
        other.add("b", number)
    answer = rig.apply(one.part(2), other.part(0))
    assert [(one.shard, one.place) for one in answer.standings] == [
        (0, BEGINNING),
        (1, other.place(4)),
    ]
    assert rig.quantities() == {"b": 6}
    rig.apply(one.part(0, 2))
    rig.apply(one.part(2))
    assert rig.quantities() == {"a": 6, "b": 6}


def test_a_range_that_overlaps_is_dropped() -> None:
    rig, log = Rig(), Log()
    for _ in range(6):
        log.add("a", 1)
    rig.apply(log.part(0, 3))
    answer = rig.apply(log.part(2, 5))
    assert answer.standings[0].place == log.place(3)
    assert rig.quantities() == {"a": 3}


def test_asking_changes_nothing() -> None:
    rig = Rig()
    answer = rig.apply(asked=(3, 1))
    assert [(one.shard, one.place) for one in answer.standings] == [(3, BEGINNING), (1, BEGINNING)]
    assert answer.generation == "one"


def test_events_that_arrive_without_their_range_are_a_gap_and_the_subject_waits() -> None:
    """A feed that forgets an event within a range: the numbers of the subject tell."""
    rig, log = Rig(), Log()
    for _ in range(5):
        log.add("a", 1)
        log.add("b", 1)
    kept = log.entries
    log.entries = [one for one in kept if one.offset != 5]
    answer = rig.apply(log.part(0))
    assert rig.quantities() == {"a": 2, "b": 5}
    assert rig.projection.tally.gaps == 1
    held = answer.standings[0].held
    assert [(one.subject, one.version, one.offset) for one in held] == [("a", 2, 7)]
    assert "missing" in held[0].failure
    again = Again(held[0], 10, tuple(one for one in kept if one.entity == "a" and one.version > 2))
    answer = rig.apply(again=(again,))
    assert answer.standings[0].held == ()
    assert rig.quantities() == {"a": 5, "b": 5}


def test_a_subject_that_fails_waits_and_the_others_go_on() -> None:
    rig, log = Rig(), Log()
    FAILING.add("a")
    for number in range(3):
        log.add("a", number)
        log.add("b", number)
    answer = rig.apply(log.part(0), now_ms=7)
    (held,) = answer.standings[0].held
    assert (held.subject, held.version, held.offset, held.attempts) == ("a", 0, 1, 1)
    assert (held.since_ms, held.failure) == (7, "ValueError: it fails")
    assert answer.standings[0].passed == 0
    assert rig.quantities() == {"b": 3}
    log.add("a", 10)
    answer = rig.apply(log.part(6))
    assert answer.standings[0].held == (held,)
    assert [one for one, _ in rig.projection.failed] == []
    mine = tuple(one for one in log.entries if one.entity == "a")
    answer = rig.apply(again=(Again(held, 7, mine),), now_ms=8)
    (again,) = answer.standings[0].held
    assert (again.attempts, again.since_ms) == (2, 7)
    FAILING.clear()
    assert rig.apply(again=(Again(held, 7, mine),)).standings[0].held == (again,)  # old news
    assert rig.apply(again=(Again(again, 7, mine),)).standings[0].held == ()
    assert rig.quantities() == {"a": 13, "b": 3}


def test_a_retry_goes_no_further_than_the_shard_was_read() -> None:
    rig, log = Rig(), Log()
    FAILING.add("a")
    log.add("a", 1)
    (held,) = rig.apply(log.part(0)).standings[0].held
    log.add("a", 2)
    FAILING.clear()
    rig.apply(again=(Again(held, 2, tuple(log.entries)),))
    assert rig.quantities() == {"a": 1}
    rig.apply(log.part(1))
    assert rig.quantities() == {"a": 3}
    assert rig.projection.tally.duplicates == 0


def test_a_retry_that_did_not_read_far_enough_leaves_the_subject_waiting() -> None:
    rig, log = Rig(), Log()
    FAILING.add("a")
    for _ in range(4):
        log.add("a", 1)
    (held,) = rig.apply(log.part(0)).standings[0].held
    FAILING.clear()
    (held,) = rig.apply(again=(Again(held, 2, tuple(log.entries[:2])),)).standings[0].held
    assert (held.version, held.offset, held.attempts, held.failure) == (2, 3, 0, "")
    assert rig.quantities() == {"a": 2}
    rig.apply(again=(Again(held, 4, tuple(log.entries[2:])),))
    assert rig.quantities() == {"a": 4}


def test_a_view_on_which_everything_fails_waits_as_a_whole() -> None:
    rig, log = Rig(), Log()
    names = [f"c{number}" for number in range(20)]
    FAILING.update(names)
    for name in names:
        log.add(name, 1)
    answer = rig.apply(log.part(0))
    assert answer.wait_ms > 0
    assert answer.standings == ()
    assert "subject after subject" in answer.reason
    assert rig.projection.tally.handled == 0
    FAILING.clear()
    answer = rig.apply(log.part(0))
    assert answer.wait_ms == 0
    assert len(rig.rows()) == 20


def test_one_after_the_other_that_fails_comes_to_the_same() -> None:
    rig, log = Rig(), Log()
    for number in range(7):
        FAILING.add(f"c{number}")
        log.add(f"c{number}", 1)
        assert rig.apply(log.part(number)).wait_ms == 0
    FAILING.add("c7")
    log.add("c7", 1)
    assert rig.apply(log.part(7)).wait_ms > 0
    log.add("another", 1)
    assert rig.apply(log.part(7)).wait_ms == 0


def test_nothing_of_a_transaction_that_fails_is_there() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    rig.apply(log.part(0))
    log.add("a", 2)
    rig.connection.execute(
        'CREATE TRIGGER broken BEFORE INSERT ON "$positions" '
        "BEGIN SELECT RAISE(ABORT, 'broken'); END"
    )
    with pytest.raises(sqlite3.DatabaseError):
        rig.apply(log.part(1))
    rig.connection.execute("DROP TRIGGER broken")
    assert rig.quantities() == {"a": 1}
    rig.apply(log.part(1))
    assert rig.quantities() == {"a": 3}


def test_a_full_disk_makes_the_batch_wait(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "view.sqlite", isolation_level=None)
    projection, log = opened(connection), Log()
    log.add("a", 1)
    projection.apply(batch(log.part(0)))
    connection.execute("PRAGMA max_page_count = 1")
    for number in range(2_000):
        log.add(f"cart number {number}", number)
    answer = projection.apply(batch(log.part(1)))
    assert answer.wait_ms > 0
    assert "cannot be written" in answer.reason
    connection.execute("PRAGMA max_page_count = 1000000")
    answer = projection.apply(batch(log.part(1)))
    assert answer.standings[0].place == log.place(2_001)
    assert connection.execute("SELECT count(*) FROM carts").fetchone() == (2_001,)


def test_two_projections_on_one_file_count_everything_once(tmp_path: Path) -> None:
    path = tmp_path / "view.sqlite"
    one = opened(sqlite3.connect(path, isolation_level=None))
    other = opened(sqlite3.connect(path, isolation_level=None))
    log = Log()
    for number in range(30):
        log.add("ab"[number % 2], 1)
    for begin in range(0, 30, 3):
        part = batch(log.part(begin, begin + 3))
        for projection in (one, other) if begin % 2 else (other, one):
            assert projection.apply(part).standings[0].place == log.place(begin + 3)
    look = sqlite3.connect(path)
    assert look.execute('SELECT "quantity", "changes" FROM carts').fetchall() == [(15, 15)] * 2
    assert look.execute('SELECT count(DISTINCT "$seq") FROM carts').fetchone() == (1,)


def test_what_one_projection_parks_the_other_knows(tmp_path: Path) -> None:
    path = tmp_path / "view.sqlite"
    one = opened(sqlite3.connect(path, isolation_level=None))
    other = opened(sqlite3.connect(path, isolation_level=None))
    log = Log()
    FAILING.add("a")
    log.add("a", 1)
    (held,) = one.apply(batch(log.part(0))).standings[0].held
    FAILING.clear()
    log.add("a", 2)
    assert other.apply(batch(log.part(1))).standings[0].held == (held,)
    assert other.apply(batch(again=(Again(held, 2, tuple(log.entries)),))).standings[0].held == ()


def test_a_shard_with_another_history_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    rig, one, other = Rig(), Log(0), Log(1)
    one.add("a", 1)
    other.add("b", 1)
    FAILING.add("x")
    one.add("x", 1)
    rig.apply(one.part(0), other.part(0))
    with caplog.at_level(logging.ERROR):
        answer = rig.apply(parted=((0, one.place(2)),))
    assert "AK4011" in caplog.text
    assert [(each.shard, each.place, each.held) for each in answer.standings] == [
        (0, BEGINNING, ())
    ]
    assert rig.quantities() == {"b": 1}
    anew = Log(0)
    anew.add("a", 5)
    rig.apply(anew.part(0))
    assert rig.quantities() == {"a": 5, "b": 1}


def test_old_news_of_a_parting_forgets_nothing() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    log.add("a", 1)
    rig.apply(log.part(0))
    answer = rig.apply(parted=((0, log.place(1)),))
    assert answer.standings[0].place == log.place(2)
    assert rig.quantities() == {"a": 2}


def is_ready(rig: Rig) -> bool:
    return rig.projection.ready


def test_a_view_is_whole_when_every_shard_was_read_to_its_end() -> None:
    rig = Rig()
    logs = [Log(shard) for shard in range(4)]
    for log in logs:
        log.add(f"c{log.shard}", 1)
        log.add(f"c{log.shard}", 1)
    rig.apply(*(log.part(0) for log in logs[:3]))
    assert not is_ready(rig)
    rig.apply(logs[3].part(0, 1))
    assert not is_ready(rig)
    rig.apply(logs[3].part(1))
    assert is_ready(rig)
    logs[0].add("c0", 1)
    logs[0].skip(5)
    rig.apply(logs[0].part(2, 3))
    assert is_ready(rig)


def test_each_transaction_that_changes_rows_has_a_number() -> None:
    rig, log = Rig(), Log()
    told: list[int] = []
    rig.projection.on_applied = lambda: told.append(1)
    for name in ("a", "b", "c"):
        log.add(name, 1)
        rig.apply(log.part(log.newest - 1))
    log.skip()
    rig.apply(log.part(3))
    log.add("a", 1)
    rig.apply(log.part(4))
    found = rig.connection.execute('SELECT "$subject", "$seq" FROM carts ORDER BY 2').fetchall()
    assert found == [("b", 2), ("c", 3), ("a", 4)]
    assert len(told) == 5
