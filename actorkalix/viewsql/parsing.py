"""From the text of a query to its syntax: the grammar of VW-30 to VW-54, and what we add to it.

    query  = SELECT [DISTINCT] item {, item} FROM source {join} [WHERE cond]
             [GROUP BY value {, value} [HAVING cond]] [ORDER BY value [ASC|DESC] {, ...}]
             [OFFSET n] [LIMIT n]                     the last two in either order
    item   = * [AS a] | table.* [AS a] | value [AS a] | ( item {, item} ) AS a
    source = table [AS a] | ( query ) AS a
    join   = [INNER | LEFT [OUTER] | RIGHT [OUTER] | FULL [OUTER]] JOIN source ON cond

Values bind, from the loosest: OR, AND, NOT, comparisons, ||, + -, * / %, unary -, ::type. The
first word that does not fit ends the reading: what follows it could only be guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from actorkalix.limits import VIEW_SQL_CHARACTERS_MAX, VIEW_SQL_DEPTH_MAX
from actorkalix.viewsql.problems import Findings
from actorkalix.viewsql.syntax import (
    Derived,
    Expr,
    Item,
    Join,
    Joining,
    Named,
    Order,
    Select,
    Source,
    Span,
    Star,
)
from actorkalix.viewsql.terms import Terms

T = TypeVar("T")
_JOINS: tuple[Joining, ...] = ("INNER", "LEFT", "RIGHT", "FULL")
_CLAUSES = ("WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "LIMIT")
_ELSEWHERE = {
    "UNION": "UNION is not part of the query language; ask two queries",
    "CROSS": "a join says how rows meet: JOIN ... ON ...",
    "NATURAL": "a join says how rows meet: JOIN ... ON ...",
    "WITH": "a query begins with SELECT; sub-queries stand in FROM",
    "INSERT": "a query only reads; rows are changed by handlers of tables",
    "UPDATE": "a query only reads; rows are changed by handlers of tables",
    "DELETE": "a query only reads; rows are changed by handlers of tables",
}


def parse(text: str, findings: Findings) -> Select:
    """Read a query.

    Raises:
        Problem: a word does not fit; no more is said, for the rest could only be guessed.
    """
    if len(text) > VIEW_SQL_CHARACTERS_MAX:
        span = Span(0, 1)
        findings.add(span, f"a query has {VIEW_SQL_CHARACTERS_MAX:,} characters at most")
        findings.raise_if_any()
    return Parser(text, findings).whole()


class Parser(Terms):
    """Reads clauses; `Terms` reads what stands in them."""

    def whole(self) -> Select:
        """The query that is the whole text."""
        if not self.is_word("SELECT"):
            begins = f"a query begins with SELECT{self.near('SELECT')}"
            self.fail(_ELSEWHERE.get(self.here.upper, begins))
        found = self.select()
        self.take_sign(";")
        if self.here.span.start < len(self.text):
            self._misplaced()
        return found

    def select(self) -> Select:
        """A query or sub-query."""
        self.depth += 1
        if self.depth > VIEW_SQL_DEPTH_MAX:
            self.fail(f"a query is nested {VIEW_SQL_DEPTH_MAX} deep at most")
        start = self.word("SELECT")
        distinct = self.take_word("DISTINCT")
        items = self.several(self.item)
        if not self.is_word("FROM"):
            self.fail(f"FROM is missing{self.near('FROM')}")
        self.word("FROM")
        source = self._source()
        joins: list[Join] = []
        while (join := self._join()) is not None:
            joins.append(join)
        where = self.expr() if self.take_word("WHERE") else None
        group_by: tuple[Expr, ...] = ()
        having: Expr | None = None
        if self.take_words("GROUP", "BY"):
            group_by = self.several(self.expr)
        if self.take_word("HAVING"):
            having = self.expr()
        order_by = self.several(self._order) if self.take_words("ORDER", "BY") else ()
        limits: dict[str, Expr] = {}
        while (word := self.here.upper) in ("OFFSET", "LIMIT") and word not in limits:
            self.next()
            limits[word] = self.value()
        self.depth -= 1
        return Select(
            span=Span(start.start, self.before.span.end),
            items=items,
            source=source,
            joins=tuple(joins),
            where=where,
            group_by=group_by,
            having=having,
            order_by=order_by,
            offset=limits.get("OFFSET"),
            limit=limits.get("LIMIT"),
            distinct=distinct,
        )

    def item(self) -> Item:
        """What is selected."""
        begun = self.here.span
        value = self._star() or self.expr()
        alias = self.name("the name behind AS") if self.take_word("AS") else None
        if alias is None and self.is_name() and not self._clause_next():
            self.fail(f"AS is missing before {self.here.text}{self.near('FROM')}")
        return Item(span=Span(begun.start, self.before.span.end), value=value, alias=alias)

    def several(self, read: Callable[[], T]) -> tuple[T, ...]:
        """One or more, with commas between."""
        found = [read()]
        while self.take_sign(","):
            found.append(read())
        return tuple(found)

    def _star(self) -> Star | None:
        if self.is_sign("*"):
            return Star(span=self.next().span)
        if self.is_name() and self.sign_at(1, ".") and self.sign_at(2, "*"):
            table = self.next()
            self.next()
            return Star(span=table.span.to(self.next().span), table=table.text)
        return None

    def _source(self) -> Source:
        begun = self.here.span
        if self.take_sign("("):
            query = self.select()
            self.sign(")")
            if not self.take_word("AS"):
                self.fail("a sub-query has a name: ( SELECT ... ) AS name")
            alias = self.name("the name of the sub-query")
            return Derived(span=begun.to(self.before.span), query=query, alias=alias)
        table = self.name("the name of a table")
        alias = self.name("the name behind AS") if self.take_word("AS") else table
        if self.is_name() and not self._clause_next():
            near = self.near(*_CLAUSES, *_JOINS, "JOIN", "ON")
            self.fail(f"AS is missing before {self.here.text}{near}")
        return Named(span=begun.to(self.before.span), table=table, alias=alias)

    def _join(self) -> Join | None:
        begun = self.here.span
        if self.take_sign(","):
            self.fail("a join says how rows meet: JOIN ... ON ..., not a comma", begun)
        kind: Joining | None = next((one for one in _JOINS if self.take_word(one)), None)
        if kind not in (None, "INNER"):
            self.take_word("OUTER")
        if not self.take_word("JOIN"):
            if kind is not None:
                self.fail(f"JOIN is missing behind {kind}")
            return None
        source = self._source()
        if not self.take_word("ON"):
            self.fail("a join says how rows meet: ON is missing")
        on = self.expr()
        span = begun.to(self.before.span)
        return Join(span=span, kind="INNER" if kind is None else kind, source=source, on=on)

    def _order(self) -> Order:
        begun = self.here.span
        value = self.expr()
        descending = self.take_word("DESC")
        if not descending:
            self.take_word("ASC")
        if self.is_word("NULLS"):
            self.fail("nulls come last ascending and first descending; NULLS is not needed")
        return Order(span=begun.to(self.before.span), value=value, descending=descending)

    def _clause_next(self) -> bool:
        return self.here.upper in _ELSEWHERE

    def _misplaced(self) -> None:
        word = self.here.upper
        if word in _CLAUSES:
            order = "WHERE, GROUP BY, HAVING, ORDER BY, OFFSET, LIMIT"
            self.fail(f"{word} stands in another place; the order is {order}, each once")
        if word in _ELSEWHERE:
            self.fail(_ELSEWHERE[word])
        words = (*_CLAUSES, "AND", "OR", "ON", "IS", "IN", "LIKE", "JOIN", "AS", "ASC", "DESC")
        self.fail(f"{self.shown()} does not fit here{self.near(*words)}")
