"""Indexes that queries need, derived from what they compare, join and order by (VW-90).

A query finds its rows by columns that it compares for equality, then by the columns that it orders
by or, without these, by one that it compares for less and greater. All end in the subject, which
makes the order of a query one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Literal

import msgspec

from actorkalix.viewsql.kinds import COMPOSED
from actorkalix.viewsql.scope import Leaf, Scope, Value
from actorkalix.viewsql.storage import quoted
from actorkalix.viewsql.syntax import (
    AnyOf,
    Compare,
    Constant,
    Expr,
    In,
    IsNull,
    Like,
    Logic,
    Not,
    Param,
    Path,
)

INDEX = "$index "  # names begin with it
_BRANCHES_MAX = 16  # of an OR that are looked at; SQLite does not look at more either
How = Literal["same", "range"]


class Index(msgspec.Struct, frozen=True, order=True):
    """An index of a table.

    Attributes:
        table: its name.
        columns: names, each with whether it is descending; the subject comes behind them.
    """

    table: str
    columns: tuple[tuple[str, bool], ...]

    @property
    def name(self) -> str:
        """Its name in SQLite: the same for the same index, another for every other."""
        text = "\0".join(f"{name}\0{down:d}" for name, down in self.columns)
        return f"{INDEX}{self.table} {blake2b(text.encode(), digest_size=8).hexdigest()}"

    @property
    def create(self) -> str:
        """The statement that makes it where it is not there."""
        columns = [quoted(name) + (" DESC" if down else "") for name, down in self.columns]
        last = self.columns[-1][1] if self.columns else False
        columns.append('"$subject"' + (" DESC" if last else ""))
        return (
            f"CREATE INDEX IF NOT EXISTS {quoted(self.name)} "
            f"ON {quoted(self.table)}({', '.join(columns)})"
        )

    @property
    def shown(self) -> str:
        """For people: `carts(checked_out, quantity DESC)`."""
        columns = ", ".join(name + (" DESC" if down else "") for name, down in self.columns)
        return f"{self.table}({columns})"


def needed(indexes: Iterable[Index]) -> tuple[Index, ...]:
    """The indexes of several queries, without those that another one begins with."""
    found = sorted(set(indexes))
    return tuple(
        one
        for one in found
        if not any(
            other != one
            and other.table == one.table
            and other.columns[: len(one.columns)] == one.columns
            for other in found
        )
    )


class Ordering(msgspec.Struct, frozen=True):
    """A column that rows are ordered by."""

    leaf: Leaf
    descending: bool


def derive(
    scope: Scope, where: Expr | None, joins: Iterable[Expr], order: Iterable[Ordering]
) -> tuple[Index, ...]:
    """Indexes for one SELECT.

    Args:
        scope: what its names mean; all of them mean something.
        where: its condition.
        joins: conditions of its joins.
        order: columns of tables that it orders by, as far as they are such, from the first.
    """
    met = [compared for on in joins for compared in branches(scope, on)]
    found: set[Index] = set()
    for branch in branches(scope, where) if where is not None else [{}]:
        for source in scope.sources:
            found.update(_for_source(scope, source.number, branch, list(order)))
    for branch in met:
        for source in scope.sources:
            found.update(_for_source(scope, source.number, branch, []))
    return tuple(sorted(found))


def branches(scope: Scope, node: Expr) -> list[dict[Leaf, How]]:
    """What a condition compares: one set of columns for each branch of its ORs."""
    if isinstance(node, Logic):
        each = [branches(scope, one) for one in node.values]
        if node.operator == "OR":
            return [one for some in each for one in some]
        return _product(each)
    return [dict(_compared(scope, node))]


def _product(each: list[list[dict[Leaf, How]]]) -> list[dict[Leaf, How]]:
    """Branches of an AND: all ways through its ORs, as long as they are few."""
    found: list[dict[Leaf, How]] = [{}]
    for some in each:
        if len(found) * len(some) <= _BRANCHES_MAX:
            found = [_both(one, other) for one in found for other in some]
    return found


def _both(left: dict[Leaf, How], right: dict[Leaf, How]) -> dict[Leaf, How]:
    same: dict[Leaf, How] = {
        leaf: how for each in (left, right) for leaf, how in each.items() if how == "same"
    }
    return {**left, **right, **same}


def _compared(scope: Scope, node: Expr) -> Iterator[tuple[Leaf, How]]:
    match node:
        case Compare(operator=operator, left=left, right=right) if operator != "!=":
            for side in (left, right):
                yield from _leaf(scope, side, "same" if operator == "=" else "range")
        case In(value=value, items=items) if all(_is_given(one) for one in items):
            yield from _leaf(scope, value, "same")
        case AnyOf(value=value, array=Param()):
            yield from _leaf(scope, value, "same")
        case IsNull(value=value):
            yield from _leaf(scope, value, "same")
        case Like(value=value, pattern=wanted, folded=False):
            if not (isinstance(wanted, Constant) and str(wanted.value)[:1] in ("%", "_")):
                yield from _leaf(scope, value, "range")
        case Path() | Not(value=Path()):
            yield from _leaf(scope, node.value if isinstance(node, Not) else node, "same")
        case _:
            return


def _leaf(scope: Scope, node: Expr, how: How) -> Iterator[tuple[Leaf, How]]:
    value: Value | None = scope.value(node) if isinstance(node, Path) else None
    if value is not None and value.leaf is not None and value.kind not in COMPOSED:
        yield value.leaf, how


def _is_given(node: Expr) -> bool:
    return isinstance(node, Constant | Param) or type(node).__name__ == "Cast"


def _for_source(
    scope: Scope, number: int, compared: dict[Leaf, How], order: list[Ordering]
) -> Iterator[Index]:
    shape = scope.sources[number - 1].shape
    if shape is None:
        return
    same = [leaf.name for leaf, how in compared.items() if leaf.source == number and how == "same"]
    ranges = [
        leaf.name for leaf, how in compared.items() if leaf.source == number and how == "range"
    ]
    same.sort()
    mine: list[tuple[str, bool]] = []
    for one in order:
        if one.leaf.source != number:
            break
        if one.leaf.name not in same:
            mine.append((one.leaf.name, one.descending))
    if mine and mine[0][1]:  # read backwards, for one index serves both directions
        mine = [(name, not down) for name, down in mine]
    columns = [(name, False) for name in same]
    if mine:
        yield Index(shape.name, (*columns, *mine))
        ranges = [name for name in ranges if name != mine[0][0] and not columns]
    if ranges:
        yield Index(shape.name, (*columns, (ranges[0], False)))
    elif columns and not mine:
        yield Index(shape.name, tuple(columns))
