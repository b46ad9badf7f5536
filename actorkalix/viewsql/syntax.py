"""What a query says, as written: names are not looked up yet. Every part knows its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Literal, cast

import msgspec

Arithmetic = Literal["+", "-", "*", "/", "%", "||"]
Comparison = Literal["=", "!=", "<", "<=", ">", ">="]


class Span(msgspec.Struct, frozen=True):
    """A place in the text of a query, in characters: from `start` up to, not including, `end`."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """From here to the end of the other."""
        return Span(self.start, max(self.end, other.end))


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a query."""

    span: Span


def parts(node: Node) -> Iterator[Node]:
    """The nodes directly in a node."""
    for field in node.__struct_fields__:
        value: object = getattr(node, field)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            several = cast("Iterable[object]", value)
            yield from (one for one in several if isinstance(one, Node))


def walk(node: Node) -> Iterator[Node]:
    """A node and all nodes in it, sub-queries too."""
    yield node
    for one in parts(node):
        yield from walk(one)


class Constant(Node, frozen=True):
    """A literal: text, whole number, number with a point or exponent, TRUE, FALSE, NULL."""

    value: str | int | Decimal | bool | None


class Param(Node, frozen=True):
    """`:name`."""

    name: str


class Path(Node, frozen=True):
    """`name`, `table.name`, `name.inner.inner`."""

    parts: tuple[str, ...]
    places: tuple[Span, ...]

    @property
    def text(self) -> str:
        """As written, without backticks."""
        return ".".join(self.parts)


class Star(Node, frozen=True):
    """`*` or `table.*`."""

    table: str | None = None


class Group(Node, frozen=True):
    """`( item, item ) AS name`: items of their own names under one name."""

    items: tuple[Item, ...]


class Collect(Node, frozen=True):
    """`collect([distinct] item, item)`: a list in a result."""

    items: tuple[Item, ...]
    distinct: bool


class Negative(Node, frozen=True):
    """`- value`."""

    value: Expr


class Binary(Node, frozen=True):
    """Arithmetic and `||`."""

    operator: Arithmetic
    left: Expr
    right: Expr
    at: Span


class Compare(Node, frozen=True):
    """`left = right` and its like; `!=` also stands for `<>`."""

    operator: Comparison
    left: Expr
    right: Expr
    at: Span


class Logic(Node, frozen=True):
    """`a AND b AND c`, `a OR b`: two values or more."""

    operator: Literal["AND", "OR"]
    values: tuple[Expr, ...]


class Not(Node, frozen=True):
    """`NOT a`."""

    value: Expr


class In(Node, frozen=True):
    """`value IN (item, item)`."""

    value: Expr
    items: tuple[Expr, ...]


class AnyOf(Node, frozen=True):
    """`value = ANY(array)`."""

    value: Expr
    array: Expr


class IsNull(Node, frozen=True):
    """`value IS NULL`."""

    value: Expr


class Like(Node, frozen=True):
    """`value LIKE pattern`; `folded` when case does not count (ILIKE)."""

    value: Expr
    pattern: Expr
    folded: bool


class Cast(Node, frozen=True):
    """`value::type`, `CAST(value AS type)`."""

    value: Expr
    type: str
    at: Span


class Call(Node, frozen=True):
    """A function: `name(argument, argument)`, `count(*)`, `count(distinct a)`."""

    name: str
    arguments: tuple[Expr, ...]
    distinct: bool = False
    star: bool = False


Expr = (
    Constant
    | Param
    | Path
    | Star
    | Group
    | Collect
    | Negative
    | Binary
    | Compare
    | Logic
    | Not
    | In
    | AnyOf
    | IsNull
    | Like
    | Cast
    | Call
)


class Item(Node, frozen=True):
    """What is selected, and under which name."""

    value: Expr
    alias: str | None = None


class Named(Node, frozen=True):
    """A table in FROM or JOIN."""

    table: str
    alias: str


class Derived(Node, frozen=True):
    """`( SELECT ... ) AS alias`."""

    query: Select
    alias: str


Source = Named | Derived
Joining = Literal["INNER", "LEFT", "RIGHT", "FULL"]


class Join(Node, frozen=True):
    """A further table and how its rows meet the others."""

    kind: Joining
    source: Source
    on: Expr


class Order(Node, frozen=True):
    """A column of ORDER BY."""

    value: Expr
    descending: bool


class Select(Node, frozen=True):
    """A query.

    Attributes:
        offset: a number, a parameter, or a call of page_token_offset.
        limit: a number or a parameter.
    """

    items: tuple[Item, ...]
    source: Source
    joins: tuple[Join, ...] = ()
    where: Expr | None = None
    group_by: tuple[Expr, ...] = ()
    having: Expr | None = None
    order_by: tuple[Order, ...] = ()
    offset: Expr | None = None
    limit: Expr | None = None
    distinct: bool = False
