"""`view_listing.Views` over the admin port of a running service."""

from __future__ import annotations

import msgspec

from actorkalix.cli.admin import AdminInspection
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

SQL_S_MAX = 120.0  # copying states, and the statement itself


class AdminViews:
    """Asks a running service.

    Args:
        service: that runs.
    """

    def __init__(self, service: AdminInspection) -> None:
        self._service = service

    async def listed(self) -> list[ViewView]:
        """All views."""
        return await self._service._get(list[ViewView], "views")

    async def parked(self, view: str, *, limit: int) -> list[ParkedRowView]:
        """Subjects that wait."""
        query: dict[str, str | int] = {"view": view, "limit": limit}
        return await self._service._get(list[ParkedRowView], "views/parked", query)

    async def explained(self, view: str) -> Explained:
        """What becomes of its queries."""
        return await self._service._get(Explained, "views/explain", {"view": view})

    async def drop(self, view: str) -> ViewDropped:
        """Delete the files of a view that does not run."""
        order = msgspec.json.encode(ViewOrder(view))
        return await self._service._ask(ViewDropped, "POST", "views/drop", content=order)

    async def rebuild(self, view: str) -> ViewOrder:
        """Make a view anew."""
        order = msgspec.json.encode(ViewOrder(view))
        return await self._service._ask(ViewOrder, "POST", "views/rebuild", content=order)

    async def sql(self, order: SqlOrder) -> SqlFound:
        """The rows of a statement."""
        return await self._service._ask(
            SqlFound, "POST", "sql", content=msgspec.json.encode(order), timeout=SQL_S_MAX
        )

    async def sql_tables(self) -> list[SqlTable]:
        """Tables that statements may name."""
        return await self._service._get(list[SqlTable], "sql")
