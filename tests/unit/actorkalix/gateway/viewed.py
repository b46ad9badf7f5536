"""`view_listing.Views` that remembers what it was asked."""

from __future__ import annotations

from actorkalix.errors import SqlRefused
from actorkalix.view_listing import (
    ColumnView,
    Explained,
    ParkedRowView,
    QueryView,
    SqlFound,
    SqlOrder,
    SqlTable,
    StatementView,
    TableView,
    ViewDropped,
    ViewOrder,
    ViewView,
)

COLUMNS = (ColumnView("name", "TEXT"), ColumnView("size", "INTEGER"))
CARTS = ViewView(
    "carts",
    "building",
    (TableView("carts", "cart", 1_234, COLUMNS), TableView("big", "cart", -1)),
    bytes=2_500_000,
    passed=30,
    newest=120,
    behind=90,
    parked=1,
    handled=30,
    pid=77,
    failure="no room",
)
OLD = ViewView("old", "inactive", bytes=1_000)
PARKED = ParkedRowView("carts", "c1", "cart", "c1", 3, 10, 4, 1_700_000_000_000, "KeyError: 'x'")
PLAN = StatementView("SELECT 1 FROM carts", ("SCAN carts",), ("carts",))
EXPLAINED = Explained(
    "carts",
    (QueryView("all_of", "SELECT * FROM carts", (PLAN,)),),
    ("CREATE INDEX i",),
    ("a note",),
)
FOUND = SqlFound(["name", "size"], [["pen", 2], ["ü", None]], more=True)
TABLE = SqlTable("carts", "view carts", ("subject", "name"))


class Viewed:
    """Remembers."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    async def listed(self) -> list[ViewView]:
        """Two."""
        return [CARTS, OLD]

    async def parked(self, view: str, *, limit: int) -> list[ParkedRowView]:
        """One."""
        self.asked.append((view, limit))
        return [PARKED] if view == "carts" else []

    async def explained(self, view: str) -> Explained:
        """As it is."""
        self.asked.append(view)
        return EXPLAINED

    async def drop(self, view: str) -> ViewDropped:
        """Of one."""
        self.asked.append(("drop", view))
        return ViewDropped(view, view == "old")

    async def rebuild(self, view: str) -> ViewOrder:
        """As it was asked."""
        self.asked.append(("rebuild", view))
        return ViewOrder(view)

    async def sql(self, order: SqlOrder) -> SqlFound:
        """The same for all."""
        self.asked.append(order)
        if order.sql == "nonsense":
            raise SqlRefused("near nonsense")
        return FOUND if order.sql != "none" else SqlFound(["name"], [])

    async def sql_tables(self) -> list[SqlTable]:
        """One."""
        return [TABLE]
