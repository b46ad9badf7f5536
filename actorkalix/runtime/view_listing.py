"""Views of a whole service for operators: by their files, which lie on this node, and their hosts.

What a file says is read from it; only what became of records, and whether batches are taken, is
asked of hosts. A host that is away hides nothing but its share of the lag.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import msgspec

from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    ServiceDescriptor,
    ViewDescriptor,
    described,
)
from actorkalix.describe.shapes import fields_of, has_fields
from actorkalix.errors import (
    ActorkalixError,
    InvalidPayload,
    QueryTooSlow,
    SqlRefused,
    UnknownRoute,
    ViewIncomplete,
)
from actorkalix.ports import HostCalls
from actorkalix.runtime.host_methods import answer_of
from actorkalix.runtime.projecting import WriterStats
from actorkalix.runtime.state_scan import states_of_all
from actorkalix.runtime.view_explaining import explained
from actorkalix.runtime.view_hosting import FEEDS, REBUILD, STATS
from actorkalix.runtime.view_places import Places
from actorkalix.view_listing import (
    ColumnView,
    Explained,
    ParkedRowView,
    SqlFound,
    SqlOrder,
    SqlTable,
    TableView,
    ViewDropped,
    ViewOrder,
    ViewState,
    ViewView,
)
from actorkalix.views import adhoc
from actorkalix.views.files import folder_of
from actorkalix.views.reading import Parameters, Read, Reader, Rows
from actorkalix.views.serving import Serving, newest_first, uri_of
from actorkalix.views.standing import Standing, behind, parked, standings
from actorkalix.viewsql.shapes import TableShape
from actorkalix_cluster.shardhost.observer import FeedStats

ANSWER_S_MAX = 3.0
SQL_S_MAX = 30.0
COUNT_S_MAX = 1.0
ENTITY_KINDS = frozenset(("event_sourced", "value", "replicated", "workflow"))

T = TypeVar("T")


class ServiceViews:
    """`view_listing.Views` of a service.

    Args:
        service: whose code it is.
        folder: of all views.
        calls: ways to the hosts; their stores too.
        rest: newest positions of a service that does not run: only files are looked at then.
    """

    def __init__(
        self,
        service: ServiceDescriptor,
        folder: Path,
        calls: HostCalls,
        rest: Places | None = None,
    ) -> None:
        self._service = service
        self._folder = folder
        self._calls = calls
        self._rest = rest

    # ---- looking ------------------------------------------------------------------------------
    async def listed(self) -> list[ViewView]:
        """All views by id, those that only have files too."""
        feeds = await self._feeds() if self._rest is None else []
        code = {name: each for name, each in self._service.components.items() if each.view}
        there = {unquote(path.name) for path in _folders(self._folder)}
        return [await self._view(name, code.get(name), feeds) for name in sorted({*code, *there})]

    async def parked(self, view: str, *, limit: int) -> list[ParkedRowView]:
        """Subjects that wait, the longest first.

        Raises:
            UnknownRoute: there is no such view.
            ViewIncomplete: it has no file.
        """
        self._known(view)
        newest = next(iter(newest_first(folder_of(self._folder, view))), None)
        if newest is None:
            raise ViewIncomplete(f"the view {view!r} has no file yet")
        found = await asyncio.to_thread(_reading, newest, lambda read: parked(read, limit))
        return [
            ParkedRowView(
                *(one.table, one.subject, one.component, one.entity, one.shard),
                *(one.offset, one.attempts, one.since_ms, one.failure),
            )
            for one in found
        ]

    async def explained(self, view: str) -> Explained:
        """What becomes of its queries.

        Raises:
            UnknownRoute: there is no such view.
        """
        component = self._known(view)
        path = next(iter(newest_first(folder_of(self._folder, view))), None)
        return await asyncio.to_thread(explained, component, path)

    # ---- doing --------------------------------------------------------------------------------
    async def drop(self, view: str) -> ViewDropped:
        """Delete the files of a view that the code has not any more.

        Raises:
            InvalidPayload: it runs.
        """
        if self._service.components.get(view) is not None:
            raise InvalidPayload(
                f"{view!r} is a component of the running service; `actorkalix views rebuild` makes "
                "a view anew"
            )
        folder = folder_of(self._folder, view)
        there = folder in _folders(self._folder)
        if there:
            await asyncio.to_thread(shutil.rmtree, folder)
        return ViewDropped(view, there)

    async def rebuild(self, view: str) -> ViewOrder:
        """Make a view anew, beside what there is.

        Raises:
            UnknownRoute: there is no such view.
            ViewIncomplete: its process is away.
        """
        self._known(view)
        await self._ask_any(REBUILD, view, type(None))
        return ViewOrder(view)

    # ---- SQL ----------------------------------------------------------------------------------
    async def sql(self, order: SqlOrder) -> SqlFound:
        """The rows of a statement; see `views.adhoc`.

        Raises:
            SqlRefused, QueryTooSlow, InvalidPayload: as they say.
            OwnerAway: a store whose states are asked for is away.
        """
        tables = self._tables()
        components = {
            adhoc.entities_name(name): each
            for name, each in self._service.components.items()
            if each.kind in ENTITY_KINDS
        }
        wanted = set(adhoc.named(order.sql, (table.name for table in tables)))
        states: dict[str, tuple[Sequence[str], Sequence[adhoc.State]]] = {}
        for name in adhoc.named(order.sql, components):
            each = components[name]
            found = await states_of_all(
                self._calls, self._calls.stores(), each.component_id, SQL_S_MAX
            )
            states[each.component_id] = (_fields(each), found)
        try:
            answer = await asyncio.to_thread(
                adhoc.answer,
                order.sql,
                [table for table in tables if table.name in wanted],
                states,
                limit=order.limit,
                timeout_s=SQL_S_MAX,
            )
        except SqlRefused as refused:
            names = sorted([*(table.name for table in tables), *components])
            raise SqlRefused(f"{refused}; there are the tables {', '.join(names)}") from None
        return SqlFound(answer.columns, answer.rows, answer.more)

    async def sql_tables(self) -> list[SqlTable]:
        """Tables that statements may name."""
        found = [
            SqlTable(
                table.name,
                f"view {table.view}",
                ("subject", *(leaf.name for leaf in table.shape.leaves()), "row"),
            )
            for table in self._tables()
        ]
        for name, each in self._service.components.items():
            if each.kind in ENTITY_KINDS:
                columns = ("entity_id", "sequence_number", *_fields(each), "state")
                found.append(SqlTable(adhoc.entities_name(name), f"states of {name}", columns))
        return sorted(found, key=lambda table: table.name)

    def _tables(self) -> list[adhoc.Table]:
        """Tables of the views that are served now."""
        views: dict[str, tuple[str, Iterable[TableShape]]] = {}
        for name, each in self._service.components.items():
            if each.view is None:
                continue
            uri = _served(name, folder_of(self._folder, name))
            if uri:
                views[name] = (uri, [one.shape for one in each.view.tables.values()])
        return adhoc.tables_of(views)

    # ---- inside -------------------------------------------------------------------------------
    def _known(self, view: str) -> ComponentDescriptor:
        component = self._service.components.get(view)
        if component is None or component.view is None:
            names = [name for name, each in self._service.components.items() if each.view]
            there = ", ".join(names) or "none"
            raise UnknownRoute(f"the service has no view {view!r}; there is {there}")
        return component

    async def _view(
        self, name: str, component: ComponentDescriptor | None, feeds: list[FeedStats]
    ) -> ViewView:
        folder = folder_of(self._folder, name)
        looked = await asyncio.to_thread(_looked_at, name, folder, component, self._rest)
        if component is None:
            return msgspec.structs.replace(looked, state="inactive")
        if self._rest is not None:
            return looked
        mine = [each for each in feeds if each.feed == name]
        stats = WriterStats(0)
        try:
            stats = await self._ask_any(STATS, name, WriterStats)
        except ActorkalixError as error:
            looked = msgspec.structs.replace(looked, failure=str(error))
        failure = next((each.failure for each in mine if each.failure), looked.failure)
        return msgspec.structs.replace(
            looked,
            behind=sum(each.behind for each in mine) if mine else looked.behind,
            handled=stats.handled,
            duplicates=stats.duplicates,
            gaps=stats.gaps,
            pid=stats.pid,
            failure=failure,
        )

    async def _feeds(self) -> list[FeedStats]:
        """Of all hosts that answer."""

        async def of(store: int) -> list[FeedStats]:
            try:
                return await answer_of(
                    self._calls, store, FEEDS, None, list[FeedStats], ANSWER_S_MAX
                )
            except ActorkalixError:
                return []

        parts = await asyncio.gather(*(of(store) for store in self._calls.stores()))
        return [each for part in parts for each in part]

    async def _ask_any(self, method: str, asked: object, shape: type[T]) -> T:
        """The answer of the first host that can ask the view's process."""
        last: ActorkalixError = ViewIncomplete("no host is there")
        for store in self._calls.stores():
            try:
                return await answer_of(self._calls, store, method, asked, shape, ANSWER_S_MAX)
            except ActorkalixError as error:
                last = error
        raise last


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _fields(component: ComponentDescriptor) -> list[str]:
    """Names of the fields of a state, as JSON has them."""
    if component.state is None or not has_fields(component.state.type):
        return []
    return [one.key for one in fields_of(component.state.type)]


def _reading(path: Path, work: Callable[[Read], T]) -> T:
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


def _looked_at(
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
    uri = _served(name, folder)
    if uri:
        state = "serving" if uri.startswith(uri_of(paths[0])) else "building"
    if not paths:
        return ViewView(name, state, _tables_of(view, None))
    served = next((path for path in paths if uri.startswith(uri_of(path))), None)

    def work(read: Read) -> tuple[int, int, int, int]:
        there = standings(read)
        passed = sum(one.position.offset for one in there.values())
        count = read('SELECT count(*) FROM "$parked"', ())[0][0]
        lag = behind(there) if rest is None else _lacking(there, rest)
        return passed, passed + lag, lag, count

    try:
        passed, newest, lag, count = _reading(paths[0], work)
    except ViewIncomplete as error:
        return ViewView(name, state, _tables_of(view, served), bytes=size, failure=str(error))
    return ViewView(
        *(name, state, _tables_of(view, served), str(served or "")),
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


def _served(name: str, folder: Path) -> str:
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
                source.component_id if source is not None else f"topic {table.source.name}",
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
