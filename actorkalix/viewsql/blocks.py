"""One SELECT as SQL, but for what it selects: sources, joins, conditions, groups, order.

The query itself and each of its sub-queries is one block. What is wrong is noted and the rest is
still looked at, so that all problems of a query are found at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from actorkalix.limits import VIEW_SQL_TABLES_MAX
from actorkalix.viewsql.binding import Bindings
from actorkalix.viewsql.calls import AGGREGATES
from actorkalix.viewsql.conditions import LEADING, Conditions, row_number
from actorkalix.viewsql.indexes import Index, Ordering, branches, derive
from actorkalix.viewsql.kinds import COMPOSED, shown
from actorkalix.viewsql.paging import Key
from actorkalix.viewsql.problems import Findings, meant
from actorkalix.viewsql.scalars import is_loose
from actorkalix.viewsql.scope import Leaf, Scope, Source, Value
from actorkalix.viewsql.shapes import Column, ColumnKind, TableShape
from actorkalix.viewsql.storage import quoted, search_table
from actorkalix.viewsql.syntax import (
    Call,
    Collect,
    Derived,
    Expr,
    Group,
    Item,
    Join,
    Named,
    Order,
    Path,
    Select,
    Star,
    parts,
)
from actorkalix.viewsql.words import TextSearch


class Context:
    """What all blocks of a query share.

    Args:
        tables: by name.
        parameters: types of arguments, as columns.
        findings: problems.
        derive: makes a source of a sub-query.
    """

    def __init__(
        self,
        tables: Mapping[str, TableShape],
        parameters: Mapping[str, Column],
        findings: Findings,
        derive: Callable[[Context, Derived, int, bool], Source | None],
    ) -> None:
        self.tables = tables
        self.parameters = parameters
        self.findings = findings
        self.derive = derive
        self.leads = False
        """A text search may say in which order rows come: nobody goes on behind one of them."""
        self.bindings = Bindings()
        self.indexes: set[Index] = set()
        self.searches: set[TextSearch] = set()
        self.used: set[str] = set()


class Ordered(msgspec.Struct, frozen=True):
    """A value of ORDER BY."""

    node: Expr
    value: Value
    descending: bool


class Block:
    """One SELECT.

    Attributes:
        scope: its sources.
        expressions: makes SQL in its scope.
        whole: whether all of it could be understood.
        source: SQL behind FROM.
        where: SQL of the condition, or empty.
        groups: values of GROUP BY.
        grouped: whether a row is made of many.
        having: SQL of the condition of groups, or empty.
        order: values of ORDER BY.
    """

    def __init__(self, context: Context, select: Select) -> None:
        self.context = context
        self.select = select
        self.scope = Scope(context.findings)
        self.expressions = Conditions(
            self.scope, context.findings, context.bindings, context.parameters
        )
        self.whole = True
        self.source = ""
        self.where = ""
        self.having = ""
        self.groups: list[Value] = []
        self.order: list[Ordered] = []
        self._present: frozenset[Leaf] = frozenset()
        self._found_by = ""
        self._read_sources()
        if self.whole:
            self._read_conditions()
        context.searches.update(self.expressions.searches)

    # ---- sources --------------------------------------------------------------------------------
    def _read_sources(self) -> None:
        sources = [self.select.source, *(join.source for join in self.select.joins)]
        if len(sources) > VIEW_SQL_TABLES_MAX:
            text = f"a query reads {VIEW_SQL_TABLES_MAX} tables at most"
            self.context.findings.add(sources[VIEW_SQL_TABLES_MAX], text)
            self.whole = False
            return
        missing = _missing_sides(self.select.joins)
        for position, one in enumerate(sources):
            others = [other.alias for other in self.scope.sources]
            if one.alias in others:
                text = f"two tables are called {one.alias}; give one another name with AS"
                self.context.findings.add(one, text)
                self.whole = False
            made = (
                self._table(one, position + 1, missing[position])
                if isinstance(one, Named)
                else self.context.derive(self.context, one, position + 1, missing[position])
            )
            if made is None:
                self.whole = False
            else:
                self.scope.add(made)
        if self.whole:
            self._join()

    def _table(self, node: Named, number: int, nullable: bool) -> Source | None:
        shape = self.context.tables.get(node.table)
        if shape is None:
            text = f"there is no table {node.table}{meant(node.table, self.context.tables)}"
            self.context.findings.add(node, text)
            return None
        self.context.used.add(node.table)
        name = f'"t{number}"'
        return Source(
            alias=node.alias,
            number=number,
            sql=f"{quoted(node.table)} AS {name}",
            columns=shape.columns,
            nullable=nullable,
            keys=(Key(f'{name}."$subject"', ColumnKind.TEXT, nullable),),
            row=f'{name}."$row"',
            shape=shape,
        )

    def _join(self) -> None:
        sources = self.scope.sources
        self.source = sources[0].sql
        for position, join in enumerate(self.select.joins, 1):
            self.scope.visible = position + 1
            on = self.expressions.condition(join.on)
            self.whole = self.whole and on is not None
            if on is not None:
                self.source += f" {join.kind} JOIN {sources[position].sql} ON {on.sql}"

    # ---- conditions -----------------------------------------------------------------------------
    def _read_conditions(self) -> None:
        select, expressions = self.select, self.expressions
        if select.where is not None:
            where = expressions.where(select.where, self.context.leads and not select.joins)
            self._lead()
            self.where = "" if where is None else where.sql
            self.whole = self.whole and where is not None
            if where is not None:
                each = [_never_null(one) for one in branches(self.scope, select.where)]
                self._present = each[0].intersection(*each[1:])
        aliases = _aliases(select.items)
        for node in select.group_by:
            found = node
            if isinstance(node, Path) and len(node.parts) == 1 and not self.scope.has(node):
                found = aliases.get(node.text, node)
            value = expressions.value(found)
            if value is not None and is_loose(found):
                self.context.findings.add(node, "a group is made by a column or what depends on it")
                value = None
            self.whole = self.whole and value is not None
            if value is not None:
                self.groups.append(value)
        if (condition := select.having) is not None:
            having = self.many(lambda: expressions.condition(condition))
            self.having = "" if having is None else having.sql
            self.whole = self.whole and having is not None and self.is_grouped(condition)
        for order in select.order_by:
            self._read_order(order, aliases)

    def _lead(self) -> None:
        """Let a text search find the rows, in the order in which its table has them.

        Looked up by number for each, and sorted by subject, a common word would take as long as it
        has rows, also where a LIMIT takes few of them.
        """
        search, first = self.expressions.leading, self.scope.sources[0]
        if search is not None and first.shape is not None:
            number = row_number(first.shape)
            self._found_by = f'"{LEADING}".rowid'
            self.source = (
                f'{quoted(search_table(search))} AS "{LEADING}" CROSS JOIN {first.sql} '
                f"ON {first.name}.{number} = {self._found_by}"
            )

    def _read_order(self, order: Order, aliases: Mapping[str, Expr]) -> None:
        node = order.value
        if isinstance(node, Path) and len(node.parts) == 1:
            node = aliases.get(node.text, node)
        value = self.many(lambda: self.expressions.value(node))
        if value is not None and (is_loose(node) or value.kind in COMPOSED):
            what = "a literal" if is_loose(node) else f"a {shown(value.column)}"
            self.context.findings.add(order, f"rows are ordered by a column, not by {what}")
            value = None
        self.whole = self.whole and value is not None
        if value is not None:
            self.order.append(Ordered(node, value, order.descending))

    def many(self, read: Callable[[], Value | None]) -> Value | None:
        """Read where aggregates may stand."""
        self.expressions.aggregates = True
        try:
            return read()
        finally:
            self.expressions.aggregates = False

    def group_all(self, values: Sequence[Value]) -> None:
        """Group by all that is selected: DISTINCT, or what stands beside a collection."""
        known = {one.sql for one in self.groups}
        for one in values:
            if one.sql not in known:
                known.add(one.sql)
                self.groups.append(one)

    # ---- groups ---------------------------------------------------------------------------------
    def is_grouped(self, node: Expr, note: bool = True) -> bool:
        """Whether a value is one of the group; what is not is noted."""
        wrong = list(self._ungrouped(node))
        for one in wrong if note else ():
            text = one.text if isinstance(one, Path) else "*"
            self.context.findings.add(
                one, f"{text} differs inside of a group; put it into GROUP BY, or collect it"
            )
        return not wrong

    def _ungrouped(self, node: Expr) -> Iterator[Expr]:
        if isinstance(node, Call) and node.name in AGGREGATES:
            return
        if not is_loose(node):
            value = self.many(lambda: self.expressions.value(node)) if not _is_list(node) else None
            if value is not None and value.sql in {one.sql for one in self.groups}:
                return
        if isinstance(node, Path | Star):
            yield node
            return
        for one in parts(node):
            inner = one.value if isinstance(one, Item) else one
            if isinstance(inner, Expr):
                yield from self._ungrouped(inner)

    # ---- order ----------------------------------------------------------------------------------
    def row_keys(self) -> tuple[Key, ...]:
        """What rows are ordered by: ORDER BY or an index, then what tells them apart."""
        keys = self.keys_of(self.order)
        if not keys and self._found_by:
            return (Key(self._found_by, ColumnKind.INTEGER, nullable=False),)
        if not keys:
            keys = self._index_order()
        down = keys[-1].descending if keys else False
        told = [key for source in self.scope.sources for key in source.keys]
        known = {key.sql for key in keys}
        return (
            *keys,
            *(
                msgspec.structs.replace(one, descending=down != one.descending)
                for one in told
                if one.sql not in known
            ),
        )

    def group_keys(self) -> tuple[Key, ...]:
        """What groups are ordered by: values of ORDER BY that they have, then their own."""
        keys = self.keys_of([one for one in self.order if self.is_grouped(one.node, note=False)])
        known = {key.sql for key in keys}
        down = keys[-1].descending if keys else False
        return (
            *keys,
            *(
                Key(one.sql, one.kind, self._may_be_null(one), down)
                for one in self.groups
                if one.sql not in known
            ),
        )

    def keys_of(self, order: Sequence[Ordered]) -> list[Key]:
        """Values of ORDER BY as keys, each once."""
        found: dict[str, Key] = {}
        for one in order:
            nullable = self._may_be_null(one.value)
            found.setdefault(
                one.value.sql, Key(one.value.sql, one.value.kind, nullable, one.descending)
            )
        return list(found.values())

    def _index_order(self) -> list[Key]:
        """Without ORDER BY: as the rows stand in the index that finds them (VW-40)."""
        if self.select.where is None or self.select.joins or self.scope.sources[0].shape is None:
            return []
        found = branches(self.scope, self.select.where)
        ranges = [leaf for leaf, how in found[0].items() if how == "range"]
        if len(found) > 1 or not ranges:
            return []
        column = next(
            one for one in self.scope.sources[0].shape.leaves() if one.name == ranges[0].name
        )
        value = self.scope.sources[0].value(column)
        return [Key(value.sql, value.kind, False)]

    def is_either(self) -> bool:
        """An OR finds all of the rows, and nobody says in which order they come.

        SQLite then walks along the order of the subjects, through the whole table, where it takes
        a branch for wide: half of a range, for all that it knows. But an answer has few rows, so
        all branches are narrow; with LIMIT they need not be.
        """
        select = self.select
        if select.where is None or self.order or select.limit is not None or self._found_by:
            return False
        return not select.joins and len(branches(self.scope, select.where)) > 1

    def _may_be_null(self, value: Value) -> bool:
        return value.column.nullable and value.leaf not in self._present

    def note_indexes(self, ordered: bool) -> None:
        """Ask for the indexes that this block needs."""
        order: list[Ordering] = []
        for one in self.order if ordered else ():
            if one.value.leaf is None:
                break
            order.append(Ordering(one.value.leaf, one.descending))
        joins = [one.on for one in self.select.joins]
        self.context.indexes.update(derive(self.scope, self.select.where, joins, order))

    # ---- SQL ------------------------------------------------------------------------------------
    def core(self, extra: str = "") -> str:
        """FROM and WHERE, with a further condition."""
        conditions = " AND ".join(one for one in (self.where, extra) if one)
        return f" FROM {self.source}" + (f" WHERE {conditions}" if conditions else "")

    def grouping(self, extra: str = "") -> str:
        """GROUP BY and HAVING, with a further condition of groups."""
        groups = ", ".join(one.sql for one in self.groups)
        conditions = " AND ".join(one for one in (self.having, extra) if one)
        return (f" GROUP BY {groups}" if groups else "") + (
            f" HAVING {conditions}" if conditions else ""
        )


def _never_null(compared: Mapping[Leaf, str]) -> frozenset[Leaf]:
    return frozenset(leaf for leaf, how in compared.items() if how == "range")


def _is_list(node: Expr) -> bool:
    return isinstance(node, Group | Collect | Star)


def _missing_sides(joins: Sequence[Join]) -> list[bool]:
    """For each source whether a join may leave it without a row."""
    missing = [False]
    for join in joins:
        if join.kind in ("RIGHT", "FULL"):
            missing = [True] * len(missing)
        missing.append(join.kind in ("LEFT", "FULL"))
    return missing


def _aliases(items: Sequence[Item]) -> dict[str, Expr]:
    """What SELECT names, items of lists too: what may be ordered and grouped by."""
    found: dict[str, Expr] = {}
    for item in items:
        inner = item.value
        if isinstance(inner, Group | Collect):
            for name, node in _aliases(inner.items).items():
                found.setdefault(name, node)
        elif item.alias is not None and not _is_list(inner) and not is_loose(inner):
            found[item.alias] = inner
    return found
