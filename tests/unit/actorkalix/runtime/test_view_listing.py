"""Views of a service as operators see them, from files and hosts; SQL over them and over states."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from actorkalix.errors import InvalidPayload, SqlRefused, UnknownRoute, ViewIncomplete
from actorkalix.ports import HostMethod
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.host_methods import host_method
from actorkalix.runtime.inspection import StoreInspection
from actorkalix.runtime.projecting import WriterStats
from actorkalix.runtime.state_scan import scan_methods
from actorkalix.runtime.view_hosting import FEEDS, REBUILD, STATS
from actorkalix.runtime.view_listing import ServiceViews
from actorkalix.view_listing import SqlOrder
from actorkalix.views.files import folder_of
from actorkalix_cluster.shardhost.observer import FeedStats
from tests.unit.actorkalix.runtime.counted import VIEW, Written, entities, service
from tests.unit.actorkalix.runtime.stock import Stock

T = TypeVar("T")


class Hosts:
    """One host, which keeps the view's process."""

    def __init__(self) -> None:
        self.rebuilt: list[str] = []
        self.away = False
        self.stock = Stock(entities)
        self.stock.send("counter", "c1", "add", by=3)

    def calls(self) -> LocalCalls:
        """Ways to it."""
        inspection = StoreInspection(self.stock.store, service.descriptor)
        methods: dict[str, HostMethod] = {
            STATS: host_method(str, self._stats),
            REBUILD: host_method(str, self._rebuild),
            FEEDS: host_method(type(None), self._feeds),
            **scan_methods(inspection),
        }
        return LocalCalls({0: methods})

    async def _stats(self, view: str) -> WriterStats:
        if self.away:
            raise ViewIncomplete(f"the process of {view} is away")
        return WriterStats(77, handled=12, gaps=1)

    async def _rebuild(self, view: str) -> None:
        self.rebuilt.append(view)

    async def _feeds(self, _: None) -> list[FeedStats]:
        return [FeedStats(VIEW, 4, 9, 5, 0, 0, 12, 3, "no room")]


class Place:
    """A folder of views, and hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hosts = folder, Hosts()
        self.written = Written(folder)
        self.views = ServiceViews(service.descriptor, folder, self.hosts.calls())

    def edit(self, sql: str) -> None:
        """Change the file."""
        with sqlite3.connect(self.written.files.served.uri, uri=True) as db:
            db.execute(sql)
        db.close()


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    made = Place(tmp_path / "views")
    yield made
    made.written.files.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def test_a_view_that_is_whole_is_served(place: Place) -> None:
    [one] = run(place.views.listed())
    assert (one.view, one.state, one.pid, one.handled, one.gaps) == (VIEW, "serving", 77, 12, 1)
    assert (one.behind, one.failure) == (9, "no room")
    assert one.file.endswith("000001.sqlite")
    [table] = one.tables
    assert (table.name, table.source, table.rows) == ("tallies", "counter", 0)
    assert [(each.name, each.kind) for each in table.columns] == [
        ("name", "TEXT"),
        ("events", "INTEGER"),
        ("total", "INTEGER"),
    ]


def test_what_is_not_whole_is_incomplete_or_being_built(place: Place) -> None:
    place.written.files.rebuild()
    [one] = run(place.views.listed())
    assert one.state == "building"
    for path in sorted(place.written.folder.glob("*.sqlite*"))[:-1]:
        if path.name.startswith("000001"):
            path.unlink()
    [one] = run(place.views.listed())
    assert one.state == "incomplete"


def test_a_process_that_is_away_is_said(place: Place) -> None:
    place.hosts.away = True
    [one] = run(place.views.listed())
    assert (one.pid, one.state) == (0, "serving")
    assert one.failure == "no room"


def test_at_rest_files_are_measured_against_what_is_stored(place: Place) -> None:
    def listed(newest: dict[int, tuple[int, int, int]]) -> int:
        views = ServiceViews(service.descriptor, place.folder, LocalCalls({}), newest)
        [one] = run(views.listed())
        assert (one.state, one.failure, one.pid) == ("serving", "", 0)
        assert one.passed + one.behind == one.newest
        return one.behind

    assert listed(dict.fromkeys(range(4), (7, 1, 1))) == 0
    assert listed({0: (7, 1, 5), 1: (7, 2, 1)}) == 4
    assert listed({0: (8, 1, 5), 9: (7, 1, 3)}) == 8, "of another history, and a shard never read"


def test_files_of_no_view_are_inactive_and_may_be_dropped(place: Place) -> None:
    old = folder_of(place.folder, "old/view")
    old.mkdir()
    (old / "000001.sqlite").write_bytes(b"x")
    listed = {one.view: one for one in run(place.views.listed())}
    assert listed["old/view"].state == "inactive"
    assert run(place.views.drop("old/view")).dropped
    assert not old.exists()
    assert not run(place.views.drop("old/view")).dropped


@pytest.mark.parametrize("name", ["..", "../stores", ".", "/etc", "", "a/../.."])
def test_nothing_but_a_folder_of_a_view_is_dropped(place: Place, name: str) -> None:
    (place.folder.parent / "stores").mkdir()
    before = sorted(place.folder.parent.rglob("*"))
    assert not run(place.views.drop(name)).dropped
    assert sorted(place.folder.parent.rglob("*")) == before


def test_a_view_that_runs_is_not_dropped(place: Place) -> None:
    with pytest.raises(InvalidPayload, match="views rebuild"):
        run(place.views.drop(VIEW))


def test_parked_subjects_are_shown(place: Place) -> None:
    assert run(place.views.parked(VIEW, limit=5)) == []
    place.edit(
        "INSERT INTO \"$parked\" VALUES(1, 'counter', 'c1', 'tallies', 'c1', 1, 5, 3, 9, 'bad')"
    )
    [one] = run(place.views.parked(VIEW, limit=5))
    assert (one.entity, one.attempts, one.failure) == ("c1", 3, "bad")
    with pytest.raises(UnknownRoute, match="no view 'other'; there is tallies"):
        run(place.views.parked("other", limit=5))


def test_a_rebuild_is_asked_of_the_process(place: Place) -> None:
    assert run(place.views.rebuild(VIEW)).view == VIEW
    assert place.hosts.rebuilt == [VIEW]


def test_queries_are_explained(place: Place) -> None:
    assert {one.name for one in run(place.views.explained(VIEW)).queries} >= {"sum", "by_name"}


def test_sql_is_asked_over_views_and_states(place: Place) -> None:
    found = run(
        place.views.sql(
            SqlOrder(
                "SELECT entity_id, number, (SELECT count(*) FROM tallies) FROM entities_counter"
            )
        )
    )
    assert found.rows == [["c1", 3, 0]]
    names = [one.name for one in run(place.views.sql_tables())]
    assert names == ["entities_counter", "tallies"]


def test_sql_that_is_none_says_which_tables_there_are(place: Place) -> None:
    with pytest.raises(SqlRefused, match="there are the tables entities_counter, tallies"):
        run(place.views.sql(SqlOrder("SELECT * FROM nothing")))
