"""Groups and aggregates, naively."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import cmp_to_key
from random import Random
from typing import Any

from tests.property.view_sql.ordering import compare_values
from tests.property.view_sql.terms import Env, Term, Terms, Writing, exact


@dataclass
class Aggregate:
    """Something of many rows.

    Attributes:
        kind: of it.
        sql: writes it.
        of: the rows of a group.
    """

    kind: str
    sql: Callable[[Writing], str]
    of: Callable[[Sequence[Env]], Any]


def aggregate(random: Random, terms: Terms) -> Aggregate:
    """One of all there are."""
    name = random.choice(("count(*)", "count", "count distinct", "sum", "avg", "min", "max"))
    if name == "count(*)":
        return Aggregate("integer", lambda w: random.choice(("count(*)", "COUNT(*)")), len)
    numbers = name in ("sum", "avg")
    term = terms.column(*(("integer", "float", "decimal") if numbers else ()))
    distinct = name == "count distinct" or (name == "sum" and random.random() < 0.2)
    word = name.split(" ")[0]

    def of(rows: Sequence[Env]) -> Any:
        values = [found for row in rows if (found := term.eval(row)) is not None]
        if distinct:
            values = list({exact(one): one for one in values}.values())
        if word == "count":
            return len(values)
        if not values:
            return None
        if word in ("min", "max"):
            return (min if word == "min" else max)(values)
        total = sum((Fraction(one) for one in values), Fraction(0))
        return number(total if word == "sum" else total / len(values), term.kind, word)

    kind = {"count": "integer", "avg": "decimal" if term.kind == "decimal" else "float"}.get(
        word, term.kind
    )
    return Aggregate(kind, lambda w: f"{word}({'distinct ' if distinct else ''}{term.sql(w)})", of)


def number(value: Fraction, kind: str, word: str) -> Any:
    """A sum or an average of numbers of a kind."""
    if kind == "decimal":
        with localcontext(Context(prec=38)):
            return Decimal(value.numerator) / Decimal(value.denominator)
    return float(value) if word == "avg" or kind == "float" else int(value)


Key = tuple[Any, ...]


def grouped(environments: Iterable[Env], by: Sequence[Term]) -> dict[Key, list[Env]]:
    """Rows by the values of terms."""
    found: dict[Key, list[Env]] = {}
    for env in environments:
        found.setdefault(tuple(exact(one.eval(env)) for one in by), []).append(env)
    return found


def ordered_groups(
    groups: Sequence[Sequence[Env]],
    by: Sequence[tuple[Callable[[Sequence[Env]], Any], bool]],
    terms: Sequence[Term],
) -> list[Sequence[Env]]:
    """Groups in the order of some values of theirs, then of what they are grouped by."""
    down = by[-1][1] if by else False

    def compare(left: Sequence[Env], right: Sequence[Env]) -> int:
        for of, descending in by:
            found = compare_values(of(left), of(right))
            if found:
                return -found if descending else found
        for term in terms:
            found = compare_values(term.eval(left[0]), term.eval(right[0]))
            if found:
                return -found if down else found
        return 0

    return sorted(groups, key=cmp_to_key(compare))
