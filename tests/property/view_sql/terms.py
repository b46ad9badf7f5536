"""Random values and conditions: each writes itself as SQL, and evaluates itself naively.

Nothing here is of the package: nulls, comparisons, patterns and lists are written down once more.
A value is None, bool, int, float, Decimal, str or datetime; an environment maps names of tables to
a row, a dict, or None where an outer join has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from tests.property.view_sql.rows import (
    DECIMALS,
    FLOATS,
    NUMBERS,
    TEXTS,
    TIMES,
    Colour,
)

Env = Mapping[str, Any]
TYPES: dict[str, Any] = {
    "text": str,
    "integer": int,
    "float": float,
    "decimal": Decimal,
    "bool": bool,
    "time": datetime,
    "enum": str,
}
VALUES: dict[str, tuple[Any, ...]] = {
    "text": TEXTS,
    "integer": NUMBERS,
    "float": FLOATS,
    "decimal": DECIMALS,
    "bool": (True, False),
    "time": TIMES,
    "enum": tuple(one.value for one in Colour),
}
COLUMNS: dict[str, dict[str, str]] = {
    "items": {
        "name": "text",
        "number": "integer",
        "bonus": "integer",
        "weight": "float",
        "rate": "float",
        "note": "text",
        "done": "bool",
        "seen": "bool",
        "at": "time",
        "until": "time",
        "price": "decimal",
        "fee": "decimal",
        "colour": "enum",
        "home.city": "text",
        "home.zip": "text",
        "home.level": "integer",
    },
    "notes": {"item": "text", "rank": "integer", "text": "text", "score": "float"},
}
"""Scalar columns of the tables and their kinds."""
MIXED = {
    "integer": ("integer", "float", "decimal"),
    "float": ("float", "integer", "decimal"),
    "decimal": ("decimal", "integer", "float"),
    "text": ("text",),
    "enum": ("enum",),
    "bool": ("bool",),
    "time": ("time",),
}


@dataclass
class Writing:
    """Writes one query: constants become literals or parameters, as chance has it."""

    random: Random
    duck: bool = False
    types: dict[str, Any] = field(default_factory=dict[str, Any])
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])

    def constant(self, value: Any, kind: str) -> str:
        """A constant as SQL."""
        if not self.duck and self.random.random() < 0.5:
            name = f"p{len(self.types)}"
            self.types[name], self.arguments[name] = TYPES[kind], value
            return f":{name}"
        return self.literal(value, kind)

    def literal(self, value: Any, kind: str) -> str:
        """A literal."""
        if value is None:
            return "NULL"
        if kind in ("text", "enum"):
            return "'" + str(value).replace("'", "''") + "'"
        if kind == "bool":
            return "TRUE" if value else "false"
        if kind == "time":
            text = value.isoformat().replace("+00:00", "Z")
            return f"TIMESTAMPTZ '{text}'" if self.duck else f"'{text}'"
        if kind == "float":
            return f"{value!r}::double" if self.duck else repr(value)
        return str(value) if kind == "integer" else f"{value}::numeric"


@dataclass
class Term:
    """A value or condition."""

    kind: str
    sql: Callable[[Writing], str]
    eval: Callable[[Env], Any]
    table: str = ""


def column(table: str, name: str, kind: str, qualified: bool) -> Term:
    """A column, by its dotted name."""
    parts = name.split(".")

    def value(env: Env) -> Any:
        found: Any = env[table]
        for part in parts:
            found = None if found is None else found[part]
        return found

    def sql(writing: Writing) -> str:
        if writing.duck:
            return f'{table}."{name}"'
        return f"{table}.{name}" if qualified else name

    return Term(kind, sql, value, table)


def constant(random: Random, kind: str) -> Term:
    """A literal or parameter; NULL now and then."""
    value = random.choice(VALUES[kind])
    return Term(kind, lambda writing: writing.constant(value, kind), lambda env: value)


class Terms:
    """Makes terms over some tables.

    Args:
        random: makes choices.
        tables: from the name in the query to its columns and their kinds.
    """

    def __init__(self, random: Random, tables: Mapping[str, Mapping[str, str]]) -> None:
        self.random = random
        self.columns = [
            column(alias, name, kind, qualified=len(tables) > 1 or random.random() < 0.3)
            for alias, columns in tables.items()
            for name, kind in columns.items()
        ]
        self.lists = [alias for alias, one in tables.items() if "home.city" in one]

    def column(self, *kinds: str) -> Term:
        """A column of one of these kinds, or of any."""
        fitting = [one for one in self.columns if not kinds or one.kind in kinds]
        return self.random.choice(fitting)

    def value(self, kind: str, depth: int = 1) -> Term:
        """A value that compares with that kind."""
        random = self.random
        there = {one.kind for one in self.columns}
        wanted = random.choice([one for one in MIXED[kind] if one in (*there, kind)])
        if random.random() < 0.5:
            return constant(random, kind if random.random() < 0.7 else wanted)
        if depth and random.random() < 0.4:
            made = self.computed(kind, depth - 1)
            if made is not None:
                return made
        if any(one.kind == wanted for one in self.columns):
            return self.column(wanted)
        return constant(random, kind)

    def computed(self, kind: str, depth: int) -> Term | None:
        """Arithmetic and functions; None where there are none for the kind."""
        random = self.random
        if kind in ("integer", "decimal") and any(one.kind == kind for one in self.columns):
            sign = random.choice("+-*")
            left, right = self.column(kind), constant(random, kind)
            operate: dict[str, Callable[[Any, Any], Any]] = {
                "+": lambda a, b: a + b,
                "-": lambda a, b: a - b,
                "*": lambda a, b: a * b,
            }
            return Term(
                kind,
                lambda w: f"({left.sql(w)} {sign} {right.sql(w)})",
                of_two(operate[sign], left, right),
            )
        if kind != "text":
            return None
        text = self.column("text")
        match random.randrange(5):
            case 0:
                return Term("text", lambda w: f"lower({text.sql(w)})", of_one(str.lower, text))
            case 1:
                other = constant(random, "text")
                return Term(
                    "text",
                    lambda w: f"({text.sql(w)} || {other.sql(w)})",
                    of_two(lambda a, b: a + b, text, other),
                )
            case 2:
                start, count = random.randrange(1, 4), random.randrange(3)
                return Term(
                    "text",
                    lambda w: f"substring({text.sql(w)}, {start}, {count})",
                    of_one(lambda a: a[start - 1 : start - 1 + count], text),
                )
            case 3:
                other = constant(random, "text")

                def first(env: Env) -> Any:
                    found = text.eval(env)
                    return other.eval(env) if found is None else found

                return Term("text", lambda w: f"coalesce({text.sql(w)}, {other.sql(w)})", first)
            case _:
                return Term("text", lambda w: f"upper({text.sql(w)})", of_one(str.upper, text))

    # ---- conditions -----------------------------------------------------------------------------
    def condition(self, depth: int) -> Term:
        """A condition; True, False or None."""
        random = self.random
        if depth and random.random() < 0.6:
            left = self.condition(depth - 1)
            if random.random() < 0.3:
                return Term("bool", lambda w: f"NOT ({left.sql(w)})", negation(left))
            right = self.condition(depth - 1)
            word, both = random.choice((("AND", conjunction), ("OR", disjunction)))
            return Term(
                "bool", lambda w: f"({left.sql(w)} {word} {right.sql(w)})", both(left, right)
            )
        tests = (self.comparison, self.comparison, self.null, self.inside, self.like)
        if self.lists and random.random() < 0.15:
            return self.member()
        return random.choice(tests)()

    def comparison(self) -> Term:
        left = self.column()
        if left.kind == "bool" and self.random.random() < 0.4:
            return left
        right = self.value(left.kind)
        sign = self.random.choice(("=", "!=", "<>", "<", "<=", ">", ">="))
        if self.random.random() < 0.2:
            left, right = right, left
        return Term(
            "bool", lambda w: f"{left.sql(w)} {sign} {right.sql(w)}", compared(sign, left, right)
        )

    def null(self) -> Term:
        value, word = self.column(), self.random.choice(("IS NULL", "IS NOT NULL"))
        wanted = word == "IS NULL"
        return Term(
            "bool",
            lambda w: f"{value.sql(w)} {word}",
            lambda env: (value.eval(env) is None) == wanted,
        )

    def inside(self) -> Term:
        value = self.column()
        items = [constant(self.random, value.kind) for _ in range(self.random.randrange(1, 4))]
        tests = [compared("=", value, one) for one in items]
        found = Term("bool", lambda w: "", tests[0])
        for test in tests[1:]:
            found = Term("bool", lambda w: "", disjunction(found, Term("bool", str, test)))
        no = self.random.random() < 0.3
        word = "NOT IN" if no else "IN"
        return Term(
            "bool",
            lambda w: f"{value.sql(w)} {word} ({', '.join(one.sql(w) for one in items)})",
            negation(found) if no else found.eval,
        )

    def like(self) -> Term:
        texts = [one for one in self.columns if one.kind == "text"]
        value, folded = self.random.choice(texts), self.random.random() < 0.3
        pattern = self.random.choice(("a%", "%b", "%a%", "_", "a_", "x_y", "%", "", "B%", "*", "é"))
        word = "ILIKE" if folded else "LIKE"
        regex = "".join({"%": ".*", "_": "."}.get(one, re.escape(one)) for one in pattern)
        matches = re.compile(regex, re.DOTALL | (re.IGNORECASE if folded else 0))
        return Term(
            "bool",
            lambda w: f"{value.sql(w)} {word} {w.constant(pattern, 'text')}",
            of_one(lambda text: matches.fullmatch(text) is not None, value),
        )

    def member(self) -> Term:
        random, alias = self.random, self.random.choice(self.lists)
        name, kind = random.choice((("tags", "text"), ("codes", "integer")))
        value = constant(random, kind) if random.random() < 0.6 else self.value(kind, depth=0)
        if value.kind not in (kind, "integer", "float"):
            value = constant(random, kind)

        def test(env: Env) -> Any:
            row, wanted = env[alias], value.eval(env)
            if row is None:
                return None
            if wanted is None:
                return None if row[name] else False
            return any(exact(one) == exact(wanted) for one in row[name])

        def sql(w: Writing) -> str:
            found = f"{value.sql(w)} = ANY({alias}.{name})"
            # DuckDB takes no list for an empty one, PostgreSQL for null.
            null = f"CASE WHEN {alias}.{name} IS NULL THEN NULL ELSE {found} END"
            return f"({null})" if w.duck else found

        return Term("bool", sql, test)


def exact(value: Any) -> Any:
    """A number as a fraction, so that all kinds of numbers compare exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return Fraction(value)


def of_one(operate: Callable[[Any], Any], term: Term) -> Callable[[Env], Any]:
    """Null where the term is null."""

    def value(env: Env) -> Any:
        found = term.eval(env)
        return None if found is None else operate(found)

    return value


def of_two(operate: Callable[[Any, Any], Any], left: Term, right: Term) -> Callable[[Env], Any]:
    """Null where a term is null."""

    def value(env: Env) -> Any:
        a, b = left.eval(env), right.eval(env)
        return None if a is None or b is None else operate(a, b)

    return value


def compared(sign: str, left: Term, right: Term) -> Callable[[Env], Any]:
    """A comparison; null where a side is null."""
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<>": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    return of_two(lambda a, b: tests[sign](exact(a), exact(b)), left, right)


def negation(term: Term) -> Callable[[Env], Any]:
    """NOT of three values."""
    return of_one(lambda a: not a, term)


def conjunction(left: Term, right: Term) -> Callable[[Env], Any]:
    """AND of three values."""

    def value(env: Env) -> Any:
        a, b = left.eval(env), right.eval(env)
        if a is False or b is False:
            return False
        return None if a is None or b is None else True

    return value


def disjunction(left: Term, right: Term) -> Callable[[Env], Any]:
    """OR of three values."""

    def value(env: Env) -> Any:
        a, b = left.eval(env), right.eval(env)
        if a is True or b is True:
            return True
        return None if a is None or b is None else False

    return value
