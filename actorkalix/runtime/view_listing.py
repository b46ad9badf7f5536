"""Views of a whole service for operators: by their files and their hosts.

What a file says is read from it, by the view's process where it lies on another node. Only what
became of records, and whether batches are taken, is asked of hosts. A host that is away hides
nothing but its share of the lag.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import msgspec

from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.describe.shapes import fields_of, has_fields
from actorkalix.errors import (
    ActorkalixError,
    InvalidPayload,
    SqlRefused,
    UnknownRoute,
    ViewIncomplete,
)
from actorkalix.ports import HostCalls
from actorkalix.runtime.far_looking import (
    LOOK,
    PARKED,
    SQL,
    SQL_BYTES_MAX,
    SQL_S_MAX,
    FarAsked,
    SqlAsked,
)
from actorkalix.runtime.host_methods import answer_of
from actorkalix.runtime.projecting import WriterStats
from actorkalix.runtime.state_scan import states_of_all
from actorkalix.runtime.view_explaining import explained
from actorkalix.runtime.view_hosting import FAR, FEEDS, REBUILD, STATS
from actorkalix.runtime.view_looking import looked_at, parked_in, served
from actorkalix.runtime.view_places import Places
from actorkalix.runtime.view_whereabouts import far_node
from actorkalix.view_listing import (
    Explained,
    ParkedRowView,
    SqlFound,
    SqlOrder,
    SqlTable,
    ViewDropped,
    ViewOrder,
    ViewView,
)
from actorkalix.views import adhoc
from actorkalix.views.files import folder_of
from actorkalix.views.serving import newest_first
from actorkalix.viewsql.shapes import TableShape
from actorkalix_cluster.shardhost.observer import FeedStats

ANSWER_S_MAX = 3.0
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
        if self._far(view):
            asked = FarAsked(view, PARKED, msgspec.json.encode(limit))
            answer = await self._ask_any(FAR, asked, bytes)
            return msgspec.json.decode(answer, type=list[ParkedRowView])
        return await asyncio.to_thread(parked_in, view, folder_of(self._folder, view), limit)

    async def explained(self, view: str) -> Explained:
        """What becomes of its queries.

        Raises:
            UnknownRoute: there is no such view.
        """
        component = self._known(view)
        newest = newest_first(folder_of(self._folder, view))
        path = newest[0] if newest and not self._far(view) else None
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
        states: adhoc.States = {}
        for name in adhoc.named(order.sql, components):
            each = components[name]
            found = await states_of_all(
                self._calls, self._calls.stores(), each.component_id, SQL_S_MAX
            )
            states[each.component_id] = (_fields(each), found)
        try:
            answer = await self._answered(
                order, [table for table in tables if table.name in wanted], states
            )
        except SqlRefused as refused:
            names = sorted([*(table.name for table in tables), *components])
            raise SqlRefused(f"{refused}; there are the tables {', '.join(names)}") from None
        return SqlFound(answer.columns, answer.rows, answer.more)

    async def _answered(
        self, order: SqlOrder, tables: list[adhoc.Table], states: adhoc.States
    ) -> adhoc.Found:
        """Where the views are that it names."""
        nodes = {table.view: self._far(table.view) for table in tables}
        if not any(nodes.values()):
            return await asyncio.to_thread(
                adhoc.answer, order.sql, tables, states, limit=order.limit, timeout_s=SQL_S_MAX
            )
        if len(nodes) > 1:
            raise SqlRefused(
                "a view on another node is asked alone, or together with states: "
                + ", ".join(
                    f"{view} is on {node or 'the node here'}" for view, node in nodes.items()
                )
            )
        asked = SqlAsked(order, {table.name: table.shape.name for table in tables}, states)
        packed = msgspec.json.encode(asked)
        if len(packed) > SQL_BYTES_MAX:
            raise SqlRefused(
                f"the states that it names have {len(packed):,} bytes, too many to send to the "
                f"node of the view, {SQL_BYTES_MAX:,} at most"
            )
        answer = await self._ask_any(FAR, FarAsked(tables[0].view, SQL, packed), bytes, SQL_S_MAX)
        return msgspec.json.decode(answer, type=adhoc.Found)

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
            folder = folder_of(self._folder, name)
            uri = f"far:{name}" if self._far(name) else served(name, folder)
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
        looked = await self._looked(name, component)
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

    async def _looked(self, name: str, component: ComponentDescriptor | None) -> ViewView:
        """What its files say, on whichever node they are."""
        node = self._far(name) if component is not None else ""
        if not node:
            folder = folder_of(self._folder, name)
            return await asyncio.to_thread(looked_at, name, folder, component, self._rest)
        try:
            answer = await self._ask_any(FAR, FarAsked(name, LOOK, b""), bytes)
        except ActorkalixError as error:
            return ViewView(name, "incomplete", node=node, failure=str(error))
        return msgspec.structs.replace(msgspec.json.decode(answer, type=ViewView), node=node)

    def _far(self, name: str) -> str:
        """The node where a view is, "" for the run's."""
        return far_node(folder_of(self._folder, name)) if self._rest is None else ""

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

    async def _ask_any(
        self, method: str, asked: object, shape: type[T], wait_s: float = ANSWER_S_MAX
    ) -> T:
        """The answer of the first host that can ask the view's process."""
        last: ActorkalixError = ViewIncomplete("no host is there")
        for store in self._calls.stores():
            try:
                return await answer_of(self._calls, store, method, asked, shape, wait_s)
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
