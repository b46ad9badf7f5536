"""What the files of a view say, to whoever is on their node."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from actorkalix.describe.descriptors import ComponentDescriptor, ViewDescriptor, described
from actorkalix.errors import QueryTooSlow, ViewIncomplete
from actorkalix.runtime.view_places import Places
from actorkalix.view_listing import ColumnView, ParkedRowView, TableView, ViewState, ViewView
from actorkalix.views.reading import Parameters, Read, Reader, Rows
from actorkalix.views.serving import Serving, newest_first, uri_of
from actorkalix.views.standing import Standing, behind, parked, standings

COUNT_S_MAX = 1.0

T = TypeVar("T")


def parked_in(view: str, folder: Path, limit: int) -> list[ParkedRowView]:
    """Subjects that wait, the longest first; blocks.

    Args:
        view: its id.
        folder: of its files.
        limit: subjects at most.

    Raises:
        ViewIncomplete: it has no file.
    """
    newest = next(iter(newest_first(folder)), None)
    if newest is None:
        raise ViewIncomplete(f"the view {view!r} has no file yet")
    return [
        ParkedRowView(
            *(one.table, one.subject, one.component, one.entity, one.shard),
            *(one.offset, one.attempts, one.since_ms, one.failure),
        )
        for one in reading(newest, lambda read: parked(read, limit))
    ]


def reading(path: Path, work: Callable[[Read], T]) -> T:
    """What work reads of a file.

    Raises:
        ViewIncomplete: it cannot be read.
    """
    try:
        with closing(sqlite3.connect(uri_of(path), uri=True, isolation_level=None)) as db:

            def read(sql: str, parameters: Parameters) -> Rows:
                return db.execute(sql, parameters).fetchall()

            return work(read)
    except sqlite3.Error as error:
        raise ViewIncomplete(f"{path} cannot be read: {error}") from error


def looked_at(
    name: str, folder: Path, component: ComponentDescriptor | None, rest: Places | None
) -> ViewView:
    """What the files of a view say, and how far they are from what is stored at rest."""
    paths = newest_first(folder)
    size = (
        sum(file.stat().st_blocks * 512 for file in folder.glob("*") if file.is_file())
        if folder.is_dir()
        else 0
    )
    state: ViewState = "incomplete"
    view = component.view if component is not None else None
    uri = served(name, folder)
    if uri:
        state = "serving" if uri.startswith(uri_of(paths[0])) else "building"
    if not paths:
        return ViewView(name, state, _tables_of(view, None))
    whole = next((path for path in paths if uri.startswith(uri_of(path))), None)

    def work(read: Read) -> tuple[int, int, int, int]:
        there = standings(read)
        passed = sum(one.position.offset for one in there.values())
        count = read('SELECT count(*) FROM "$parked"', ())[0][0]
        lag = behind(there) if rest is None else _lacking(there, rest)
        return passed, passed + lag, lag, count

    try:
        passed, newest, lag, count = reading(paths[0], work)
    except ViewIncomplete as error:
        return ViewView(name, state, _tables_of(view, whole), bytes=size, failure=str(error))
    return ViewView(
        *(name, state, _tables_of(view, whole), str(whole or "")),
        *(size, passed, newest, lag, count),
    )


def _lacking(there: Mapping[int, Standing], rest: Places) -> int:
    """Records that are stored and that a file has not passed."""
    lacking = 0
    for shard, (lineage, _, newest) in rest.items():
        at = there[shard].position if shard in there else None
        known = at is not None and at.lineage == lineage
        lacking += max(0, newest - at.offset) if at is not None and known else newest
    return lacking


def served(name: str, folder: Path) -> str:
    """URI of the file that is served, "" while there is none."""
    try:
        return Serving(name, folder)()
    except ViewIncomplete:
        return ""


def _tables_of(view: ViewDescriptor | None, path: Path | None) -> tuple[TableView, ...]:
    """Tables of the code, with rows of a file."""
    found: list[TableView] = []
    for name, table in view.tables.items() if view is not None else ():
        source = described(table.source)
        found.append(
            TableView(
                name,
                source.component_id
                if source is not None
                else f"{table.source.kind} {table.source.label}",
                _counted(path, name) if path is not None else 0,
                tuple(ColumnView(leaf.name, leaf.kind.name) for leaf in table.shape.leaves()),
            )
        )
    return tuple(found)


def _counted(path: Path, table: str) -> int:
    """Rows of a table; -1 where counting them takes too long."""
    name = table.replace('"', '""')
    try:
        reader = Reader(uri_of(path))
        try:
            until = time.monotonic() + COUNT_S_MAX
            rows = reader.run(lambda read: read(f'SELECT count(*) FROM "{name}"', ()), until=until)
        finally:
            reader.close()
    except (sqlite3.Error, QueryTooSlow):
        return -1
    count: int = rows[0][0]
    return count
