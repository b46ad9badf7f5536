"""Joins and groups, naively."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.property.view_sql.rows import Database
from tests.property.view_sql.terms import COLUMNS, Env, Term, Terms, Writing, exact

KINDS = ("", "INNER ", "LEFT ", "LEFT OUTER ", "RIGHT ", "FULL OUTER ")


@dataclass
class From:
    """Joined tables.

    Attributes:
        sql: what stands behind FROM.
        environments: the rows.
        tables: names and their columns.
    """

    sql: Callable[[Writing], str]
    environments: list[Env]
    tables: dict[str, Any]


def joined(
    random: Random, database: Database, most: int, columns: Mapping[str, Any] = COLUMNS
) -> From:
    """One table, or some that are joined.

    Args:
        random: makes choices.
        database: has the rows.
        most: tables.
        columns: of the tables that may be used.
    """
    aliases = ["a", "b", "c"][: random.randrange(1, most + 1)]
    chosen = {alias: random.choice(("items", "notes")) for alias in aliases}
    first = aliases[0]
    rows = {alias: list(database.rows[table].values()) for alias, table in chosen.items()}
    environments: list[Env] = [{first: row} for row in rows[first]]
    tables: dict[str, Any] = {first: columns[chosen[first]]}
    written: list[Callable[[Writing], str]] = [lambda w: f"{chosen[first]} AS {first}"]
    for alias in aliases[1:]:
        tables[alias] = columns[chosen[alias]]
        on, kind = meeting(random, tables, alias), random.choice(KINDS)
        nobody = dict.fromkeys(name for name in tables if name != alias)
        word = kind.split(" ")[0]
        environments = join(environments, rows[alias], alias, on, word, nobody)
        written.append(_write_join(kind, chosen[alias], alias, on))
    return From(lambda w: " ".join(one(w) for one in written), environments, tables)


def _write_join(kind: str, table: str, alias: str, on: Term) -> Callable[[Writing], str]:
    return lambda w: f"{kind}JOIN {table} AS {alias} ON {on.sql(w)}"


def meeting(random: Random, tables: dict[str, Any], alias: str) -> Term:
    """How a further table meets the others: mostly by a column of each."""
    terms = Terms(random, tables)
    if random.random() < 0.2:
        return terms.condition(1)
    mine = [one for one in terms.columns if one.table == alias]
    others = [one for one in terms.columns if one.table != alias]
    pairs = [
        (left, right)
        for left in mine
        for right in others
        if left.kind == right.kind and left.kind in ("text", "integer", "float", "bool")
    ]
    left, right = random.choice(pairs)

    def test(env: Env) -> Any:
        a, b = left.eval(env), right.eval(env)
        return None if a is None or b is None else exact(a) == exact(b)

    return Term("bool", lambda w: f"{left.sql(w)} = {right.sql(w)}", test)


def join(
    left: Sequence[Env],
    right: Sequence[Any],
    alias: str,
    on: Term,
    kind: str,
    nobody: Mapping[str, Any],
) -> list[Env]:
    """Rows of a join, naively.

    Args:
        left: rows so far.
        right: rows of the further table.
        alias: its name.
        on: how they meet.
        kind: LEFT, RIGHT, FULL, or another word for inner.
        nobody: a left row without any.
    """
    found: list[Env] = []
    met: set[int] = set()
    for env in left:
        pairs = [{**env, alias: row} for row in right]
        matching = [one for one, pair in enumerate(pairs) if on.eval(pair) is True]
        found += [pairs[one] for one in matching]
        met.update(matching)
        if not matching and kind in ("LEFT", "FULL"):
            found.append({**env, alias: None})
    if kind in ("RIGHT", "FULL"):
        found += [{**nobody, alias: row} for one, row in enumerate(right) if one not in met]
    return found
