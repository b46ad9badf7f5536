"""Sub-queries in FROM: a SELECT as a table of others."""

from __future__ import annotations

from actorkalix.viewsql.binding import whole_number
from actorkalix.viewsql.blocks import Block, Context
from actorkalix.viewsql.calls import AGGREGATES
from actorkalix.viewsql.paging import Key
from actorkalix.viewsql.scope import Source, Value, below, rooted
from actorkalix.viewsql.shapes import Column, ColumnKind
from actorkalix.viewsql.storage import quoted
from actorkalix.viewsql.syntax import (
    Call,
    Collect,
    Constant,
    Derived,
    Expr,
    Group,
    Item,
    Param,
    Star,
    walk,
)


def derive(context: Context, node: Derived, number: int, nullable: bool) -> Source | None:
    """A sub-query as a source.

    Args:
        context: of the query.
        node: the sub-query.
        number: of the source.
        nullable: a join may leave it without a row.
    """
    leads, context.leads = context.leads, False  # its rows are told apart outside
    block = Block(context, node.query)
    context.leads = leads
    if not block.whole:
        return None
    return _Derivation(context, block).source(node, number, nullable)


class _Derivation:
    """Reads what one sub-query selects."""

    def __init__(self, context: Context, block: Block) -> None:
        self._context = context
        self._block = block
        self._select = block.select
        self._columns: dict[str, Column] = {}
        self._cells: dict[str, str] = {}
        self._values: list[Value] = []
        self._whole = True

    def source(self, node: Derived, number: int, nullable: bool) -> Source | None:
        """The source, when all of it could be understood."""
        for item in self._select.items:
            self._item(item)
        aggregated = self._aggregated()
        limits = self._limits()
        if not self._whole:
            return None
        block = self._block
        if self._select.distinct:
            block.group_all(self._values)
        keys = block.group_keys() if aggregated else block.row_keys()
        groups = {one.sql for one in block.groups}
        told = (
            [key for key in keys if key.sql in groups]
            if aggregated
            else [key for one in block.scope.sources for key in one.keys]
        )
        cells = [f"{sql} AS {quoted(name)}" for name, sql in self._cells.items()]
        cells += [f'{key.sql} AS "$k{place}"' for place, key in enumerate(told)]
        sql = f"SELECT {', '.join(cells)}{block.core()}"
        if aggregated:
            sql += block.grouping()
        if limits:
            if keys:
                sql += f" ORDER BY {', '.join(key.order for key in keys)}"
            sql += limits
        block.note_indexes(ordered=bool(limits) and not aggregated)
        name = f'"t{number}"'
        return Source(
            alias=node.alias,
            number=number,
            sql=f"({sql}) AS {name}",
            columns=tuple(self._columns.values()),
            nullable=nullable,
            keys=tuple(
                Key(f'{name}."$k{place}"', key.kind, nullable or key.nullable)
                for place, key in enumerate(told)
            ),
        )

    def _aggregated(self) -> bool:
        select = self._select
        found = bool(select.group_by or select.distinct or select.having) or any(
            isinstance(one, Call) and one.name in AGGREGATES
            for item in select.items
            for one in walk(item)
        )
        if select.distinct and (select.group_by or select.having):
            self._note(select.items[0], "DISTINCT and GROUP BY say the same; take one of them")
        if found and not select.distinct and self._whole:
            for item in select.items:
                if not isinstance(item.value, Star):
                    self._whole = self._block.is_grouped(item.value) and self._whole
                else:
                    self._note(item, "* differs inside of a group; name the columns of the group")
        return found

    def _limits(self) -> str:
        """LIMIT and OFFSET; numbers and parameters alone."""
        found = ""
        if self._select.limit is None and self._select.offset is not None:
            found = " LIMIT -1"
        for word, node in (("LIMIT", self._select.limit), ("OFFSET", self._select.offset)):
            if node is not None:
                place = bound_number(self._context, node, word)
                self._whole = self._whole and place is not None
                found += f" {word} {place}"
        return found

    def _item(self, item: Item) -> None:
        node = item.value
        if isinstance(node, Group | Collect):
            self._note(node, "lists are made in the outermost query")
        elif isinstance(node, Star):
            if item.alias is not None:
                self._note(node, "the columns of * keep their names in a sub-query")
            sources = self._block.scope.table(node)
            self._whole = self._whole and bool(sources)
            for source in sources:
                for column in source.columns:
                    self._add(item, column.path[-1], source.value(column))
        else:
            value = self._block.many(lambda: self._block.expressions.value(node))
            self._whole = self._whole and value is not None
            if value is not None and not (item.alias or value.name):
                self._note(item, "a value that is made has a name: ... AS name")
            elif value is not None:
                self._add(item, item.alias or value.name, value)

    def _add(self, item: Item, name: str, value: Value) -> None:
        if name.lower() in {one.lower() for one in self._columns}:
            self._note(item, f"two columns are called {name}; give one another name with AS")
            return
        nullable = value.column.nullable
        column = rooted(value.column, (name,), nullable)
        self._values.append(value)
        self._columns[name] = column
        self._cells[name] = value.sql
        if value.kind is ColumnKind.OBJECT:
            source = self._block.scope.sources[min(value.sources) - 1]
            for old, new in zip(below(value.column), below(column), strict=True):
                if old.kind is not ColumnKind.OBJECT:
                    self._cells[new.name] = source.value(old).sql

    def _note(self, where: Item | Expr, text: str) -> None:
        self._context.findings.add(where, text)
        self._whole = False


def bound_number(context: Context, node: Expr, word: str) -> str | None:
    """A number of LIMIT or OFFSET as a place in the statement; None, and why, for what is none."""
    match node:
        case Constant(value=int() as number) if not isinstance(number, bool) and number >= 0:
            return context.bindings.constant(number)
        case Param():
            parameter = context.parameters.get(node.name)
            if parameter is not None and parameter.kind is ColumnKind.INTEGER:
                return context.bindings.argument(node.name, word, whole_number(word))
            text = f"{word} takes a number; declare the parameter {node.name} as int"
            context.findings.add(node, text)
            return None
        case _:
            context.findings.add(node, f"{word} takes a number from 0, or a parameter")
            return None
