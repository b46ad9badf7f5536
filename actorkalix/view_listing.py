"""Views as operators see them, and the port through which they act on them."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

ViewState = Literal["serving", "building", "incomplete", "inactive"]
"""`building`: a new file is made beside the one that is served. `incomplete`: it is made, and there
is nothing to serve yet. `inactive`: there are files of it, and the code has no such view."""


class ColumnView(msgspec.Struct, frozen=True):
    """A column of a table, as it is kept: `kind` says how."""

    name: str
    kind: str


class TableView(msgspec.Struct, frozen=True):
    """A table of a view; `rows` is -1 where they could not be counted in time."""

    name: str
    source: str
    rows: int
    columns: tuple[ColumnView, ...] = ()


class ViewView(msgspec.Struct, frozen=True):
    """A view.

    Attributes:
        view: its id.
        state: see `ViewState`.
        tables: of the file that is served.
        file: that is served, "" for none.
        bytes: of all files.
        passed, newest: records that the newest file has passed, and that there were.
        behind: records that the hosts have and the newest file lacks.
        parked: subjects that wait because a handler fails on them.
        handled, duplicates, gaps: of its process, since that began; 0 where it is away.
        pid: of its process, 0 while there is none.
        failure: why batches are not taken now, or "".
        node: where it is, when that is another node than the service's.
    """

    view: str
    state: ViewState
    tables: tuple[TableView, ...] = ()
    file: str = ""
    bytes: int = 0
    passed: int = 0
    newest: int = 0
    behind: int = 0
    parked: int = 0
    handled: int = 0
    duplicates: int = 0
    gaps: int = 0
    pid: int = 0
    failure: str = ""
    node: str = ""


class ParkedRowView(msgspec.Struct, frozen=True):
    """A subject that waits because the view's handler fails on it; times in ms since 1970."""

    table: str
    subject: str
    component: str
    entity: str
    shard: int
    offset: int
    attempts: int
    since_ms: int
    failure: str


class StatementView(msgspec.Struct, frozen=True):
    """A statement of SQLite that a query becomes, its plan, and the tables that it scans."""

    sql: str
    plan: tuple[str, ...]
    scans: tuple[str, ...]


class QueryView(msgspec.Struct, frozen=True):
    """A query: as it is written, and what becomes of it."""

    name: str
    sql: str
    statements: tuple[StatementView, ...]


class Explained(msgspec.Struct, frozen=True):
    """Answer of `GET /admin/views/explain`.

    Attributes:
        view: its id.
        queries: of it.
        indexes: statements that made the indexes of the file.
        notes: what a rebuild could not bring back, and the like.
    """

    view: str
    queries: tuple[QueryView, ...]
    indexes: tuple[str, ...]
    notes: tuple[str, ...]


class ViewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/views/drop` and `rebuild`: id of a view."""

    view: str


class ViewDropped(msgspec.Struct, frozen=True):
    """Answer of `drop`: whether there were files; now there are none."""

    view: str
    dropped: bool


class SqlOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/sql`: one SELECT, and rows at most."""

    sql: str
    limit: int = 1_000


class SqlFound(msgspec.Struct, frozen=True):
    """Answer of `POST /admin/sql`; `more` when there are more rows than were wanted."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool = False


class SqlTable(msgspec.Struct, frozen=True):
    """A table that statements may name, and its columns as far as they are known."""

    name: str
    of: str
    columns: tuple[str, ...]


class Views(Protocol):
    """What operators see of views and do about them."""

    async def listed(self) -> list[ViewView]: ...

    async def parked(self, view: str, *, limit: int) -> list[ParkedRowView]: ...

    async def explained(self, view: str) -> Explained: ...

    async def drop(self, view: str) -> ViewDropped: ...

    async def rebuild(self, view: str) -> ViewOrder: ...

    async def sql(self, order: SqlOrder) -> SqlFound: ...

    async def sql_tables(self) -> list[SqlTable]: ...
