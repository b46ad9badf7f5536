"""Simulated processes of views: they die, their files survive them, or do not."""

from __future__ import annotations

import sqlite3

import msgspec
import pytest

from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.plan import draw_plan
from actorkalix.testkit.simulation.projections import DyingConnection, ViewDies
from actorkalix.testkit.simulation.run import Run, Subject, run_plan
from actorkalix.testkit.simulation.trace import first_difference
from tests.sim.viewed import service

SUBJECT = Subject(service.descriptor, service.limits)


def played(seed: int, **faults: float) -> Run:
    made = msgspec.structs.replace(Faults.none(), **faults)
    plan = draw_plan(
        service.descriptor, seed, hosts=2, clients=3, operations=40, entities=2, faults=made
    )
    return run_plan(SUBJECT, plan)


def verdict(run: Run) -> tuple[str, int]:
    (found,) = (one for one in run.verdicts if one.rule == "views_are_folds")
    return found.outcome, found.looked_at


def lines(run: Run, text: str) -> int:
    return sum(text in line for line in run.trace)


def test_views_are_kept_and_looked_at() -> None:
    run = played(1)
    assert verdict(run)[0] == "passed"
    assert verdict(run)[1] >= 2
    assert lines(run, "keeps file 1") == 3


def test_processes_die_and_their_files_survive() -> None:
    run = played(1, view_dies=0.3)
    assert lines(run, "dies in the midst") > 0
    assert lines(run, "dies before it is told") > 0
    assert lines(run, "keeps file 1") > 4
    assert lines(run, "keeps file 2") == 0
    assert verdict(run)[0] == "passed"


def test_files_that_are_lost_are_made_anew() -> None:
    run = played(2, view_dies=0.2, view_lost=1.0)
    assert lines(run, "takes its file along") > 0
    assert lines(run, "keeps file 2") > 0
    assert verdict(run)[0] == "passed"


def test_two_processes_write_one_file() -> None:
    run = played(3, mistake_every_ms=20, mistake_mean_ms=50, drop=0.2, duplicate=0.2)
    assert lines(run, "is taken for dead") > 0
    assert verdict(run)[0] == "passed"


def test_handlers_fail_and_subjects_wait() -> None:
    run = played(4, delivery_fails=0.2)
    assert verdict(run)[0] == "passed"


def test_a_run_is_the_same_again() -> None:
    one, other = (
        played(5, view_dies=0.2, view_lost=0.3, mistake_every_ms=30, delivery_fails=0.1)
        for _ in range(2)
    )
    assert first_difference(one.trace, other.trace) is None


def test_a_connection_dies_or_fails_at_a_statement() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=DyingConnection)
    connection.execute("CREATE TABLE t(x)")
    connection.left = 1
    connection.execute("INSERT INTO t VALUES(1)")
    with pytest.raises(ViewDies):
        connection.executemany("INSERT INTO t VALUES(?)", [(2,)])
    connection.left, connection.fails = 0, True
    with pytest.raises(sqlite3.OperationalError, match="full") as raised:
        connection.execute("INSERT INTO t VALUES(3)")
    assert raised.value.sqlite_errorcode == sqlite3.SQLITE_FULL
    connection.left = -1
    assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]
