"""Tables that a query reads, and what the names in it mean.

In the SQL for SQLite every source has a name of ours (`t1`, `t2`, ...), so that nothing depends on
how a user calls a table; columns are quoted and come from shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin

import msgspec

from actorkalix.describe.shapes import fields_of
from actorkalix.viewsql.kinds import column_for
from actorkalix.viewsql.paging import Key
from actorkalix.viewsql.problems import Findings, meant
from actorkalix.viewsql.results import is_array
from actorkalix.viewsql.shapes import Column, ColumnKind, ShapeProblem, TableShape, column_of
from actorkalix.viewsql.storage import quoted
from actorkalix.viewsql.syntax import Path, Span, Star

SCALARS_IN_MAPS = (
    ColumnKind.TEXT,
    ColumnKind.ENUM,
    ColumnKind.INTEGER,
    ColumnKind.FLOAT,
    ColumnKind.BOOL,
)


class Leaf(msgspec.Struct, frozen=True):
    """A column of a table as SQLite has it, for an index: number of the source, and its name."""

    source: int
    name: str


class Value(msgspec.Struct, frozen=True):
    """A value as SQL, and what it is.

    Attributes:
        sql: of it.
        column: its kind, whether it may be null, its type.
        name: what it is called in a result without an alias.
        leaf: the column that it is, alone, of a table.
        sources: numbers of the sources that it reads.
        aggregate: of many rows.
    """

    sql: str
    column: Column
    name: str = ""
    leaf: Leaf | None = None
    sources: frozenset[int] = frozenset()
    aggregate: bool = False

    @property
    def kind(self) -> ColumnKind:
        """Of its column."""
        return self.column.kind


class Source(msgspec.Struct, frozen=True):
    """A table or sub-query that is read.

    Attributes:
        alias: as the query calls it.
        number: by which the SQL calls it.
        sql: in FROM, with its name.
        columns: of its rows, in order.
        nullable: a join may leave it without a row.
        keys: what tells its rows apart, in their order.
        row: SQL of a whole row as JSON; empty for a sub-query.
        shape: of a table; None for a sub-query.
    """

    alias: str
    number: int
    sql: str
    columns: tuple[Column, ...]
    nullable: bool
    keys: tuple[Key, ...]
    row: str = ""
    shape: TableShape | None = None

    @property
    def name(self) -> str:
        """Its name in SQL."""
        return f'"t{self.number}"'

    def find(self, path: Sequence[str]) -> tuple[Column | None, int]:
        """The column under these names, or under the first of them, and how many they are."""
        columns, depth = self.columns, 0
        found: Column | None = None
        for name in path:
            one = next((one for one in columns if one.path[-1] == name), None)
            if one is None:
                break
            columns, found, depth = one.fields, one, depth + 1
        return found, depth

    def value(self, column: Column) -> Value:
        """A column of this source."""
        column = self._nullable(column)
        sources = frozenset({self.number})
        if column.kind is ColumnKind.OBJECT:
            return Value(self._object(column), column, column.path[-1], sources=sources)
        sql = f"{self.name}.{quoted(column.name)}"
        leaf = Leaf(self.number, column.name) if self.shape is not None else None
        return Value(sql, column, column.path[-1], leaf, sources)

    def in_map(self, column: Column, key: str, item: Column) -> Value:
        """The value of a key of a map."""
        sql = f"json_extract({self.name}.{quoted(column.name)}, {json_path([key])})"
        found = msgspec.structs.replace(item, path=(*column.path, key), nullable=True)
        return Value(sql, found, key, sources=frozenset({self.number}))

    def _nullable(self, column: Column) -> Column:
        return msgspec.structs.replace(column, nullable=True) if self.nullable else column

    def _object(self, column: Column) -> str:
        if self.shape is not None:
            steps = self._steps(column, self.shape.row, 0)
            return f"json_extract(CAST({self.row} AS TEXT), {json_path(steps)})"
        whole = f"{self.name}.{quoted(column.path[0])}"
        if len(column.path) == 1:
            return whole
        top, _ = self.find(column.path[:1])
        steps = self._steps(column, None if top is None else top.type, 1)
        return f"json_extract({whole}, {json_path(steps)})"

    def _steps(self, column: Column, around: Any, begin: int) -> list[str | int]:
        """The way to a column in the JSON of what is around it."""
        keys = column.keys[len(column.keys) - len(column.path) + begin :]
        steps: list[str | int] = []
        for depth, key in enumerate(keys, begin + 1):
            names = [one.name for one in fields_of(around)] if is_array(around) else []
            steps.append(names.index(column.path[depth - 1]) if names else key)
            inner, _ = self.find(column.path[:depth])
            around = None if inner is None else inner.type
        return steps


def json_path(keys: Sequence[str | int]) -> str:
    """A path into JSON as SQL."""
    text = "$" + "".join(f"[{one}]" if isinstance(one, int) else f'."{one}"' for one in keys)
    return "'" + text.replace("'", "''") + "'"


class Scope:
    """What is visible in one query."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.sources: list[Source] = []
        self.visible = 0
        """So many of the sources: an ON sees those up to its own."""

    def add(self, source: Source) -> None:
        """Make a source visible."""
        self.sources.append(source)
        self.visible = len(self.sources)

    def seen(self) -> list[Source]:
        """The sources that are visible now."""
        return self.sources[: self.visible]

    def table(self, star: Star) -> list[Source]:
        """The sources of `*` or `name.*`; empty when there is none, which is noted."""
        if star.table is None:
            return self.seen()
        found = [one for one in self.seen() if one.alias == star.table]
        if not found:
            names = [one.alias for one in self.seen()]
            where = Span(star.span.start, star.span.start + len(star.table))
            text = f"there is no table {star.table} in FROM{meant(star.table, names)}"
            self._findings.add(where, text)
        return found

    def has(self, path: Path) -> bool:
        """Whether a path names a column."""
        return any(self._inside(one, path.parts) is not None for one in self.seen())

    def value(self, path: Path) -> Value | None:
        """What a path names; None when it names nothing, which is noted."""
        parts: Sequence[str] = path.parts
        for source in self.seen():
            if len(parts) > 1 and source.alias == parts[0]:
                found = self._inside(source, parts[1:])
                if found is not None:
                    return found
        matches = [one for one in self.seen() if self._inside(one, parts) is not None]
        if len(matches) > 1:
            tables = " and ".join(one.alias for one in matches)
            better = f"{matches[0].alias}.{path.text}"
            text = f"{path.text} is ambiguous: {tables} have one; write {better}"
            self._findings.add(path, text)
            return None
        if matches:
            return self._inside(matches[0], parts)
        self._missing(path)
        return None

    def _inside(self, source: Source, parts: Sequence[str]) -> Value | None:
        column, depth = source.find(parts)
        if column is None:
            return None
        if depth == len(parts):
            return source.value(column)
        item = map_item(column)
        if item is None or depth != len(parts) - 1 or '"' in parts[-1]:
            return None
        return source.in_map(column, parts[-1], item)

    def _missing(self, path: Path) -> None:
        """Say which part of a path is not there."""
        parts: Sequence[str] = path.parts
        offset = 0
        sources = [one for one in self.seen() if one.alias == parts[0]]
        if sources and len(parts) == 1:
            text = f"{parts[0]} is a table; write {parts[0]}.* or one of its columns"
            self._findings.add(path, text)
            return
        if sources:
            parts, offset = parts[1:], 1
        else:
            sources = self.seen()
        source = max(sources, key=lambda one: one.find(parts)[1])
        column, depth = source.find(parts)
        where, wrong = path.places[depth + offset], parts[depth]
        if column is None:
            names = [one.path[-1] for each in sources for one in each.columns]
            inside = [one.alias for one in self.seen() if len(path.parts) > 1 and not offset]
            text = f"there is no column {wrong}{meant(wrong, [*names, *inside])}"
        elif column.kind is ColumnKind.OBJECT:
            names = [one.path[-1] for one in column.fields]
            text = f"{column.name} has no field {wrong}{meant(wrong, names)}"
        elif column.kind is ColumnKind.LIST:
            text = f"{column.name} is a list; ask for a value in it with = ANY({column.name})"
        else:
            text = f"{column.name} is {column.kind.value}, nothing can be asked for inside of it"
        self._findings.add(where, text)


def map_item(column: Column) -> Column | None:
    """What a map holds, where it is one of texts to scalars; None for another column."""
    arguments = get_args(column.type)
    if column.kind is not ColumnKind.JSON or get_origin(column.type) is not dict:
        return None
    if len(arguments) != 2 or arguments[0] is not str:
        return None
    try:
        item = column_of("value", arguments[1])
    except ShapeProblem:
        return None
    return item if item.kind in SCALARS_IN_MAPS else None


def rooted(column: Column, path: tuple[str, ...], nullable: bool) -> Column:
    """A column under another path, with its fields."""
    fields = tuple(rooted(one, (*path, one.path[-1]), nullable) for one in column.fields)
    return msgspec.structs.replace(
        column, path=path, fields=fields, nullable=column.nullable or nullable
    )


def below(column: Column) -> Iterator[Column]:
    """A column and all columns in it."""
    yield column
    for one in column.fields:
        yield from below(one)


def computed(
    sql: str,
    kind: ColumnKind,
    nullable: bool,
    *parts: Value,
    name: str = "",
    aggregate: bool | None = None,
    like: Any = None,
) -> Value:
    """A value made of others.

    Args:
        sql: of it.
        kind: of it.
        nullable: whether it may be null.
        parts: what it is made of.
        name: what it is called in a result.
        aggregate: of many rows; as its parts by default.
        like: a column whose type it has.
    """
    column = column_for(kind, nullable)
    if like is not None:
        column = msgspec.structs.replace(like, path=(), keys=(), nullable=nullable)
    sources: frozenset[int] = frozenset(one for part in parts for one in part.sources)
    many = any(one.aggregate for one in parts) if aggregate is None else aggregate
    return Value(sql, column, name, None, sources, many)
