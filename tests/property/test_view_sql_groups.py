"""Groups, aggregates, collections and sub-queries of the views' SQL against a naive evaluator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from tests.property.view_sql.cases import (
    QUERIES,
    SEEDS,
    Case,
    databases,
    in_any_order,
    kept,
    struct_of,
    tuples,
)
from tests.property.view_sql.groups import Aggregate, aggregate, grouped, ordered_groups
from tests.property.view_sql.joins import joined
from tests.property.view_sql.ordering import ordered
from tests.property.view_sql.terms import COLUMNS, TYPES, Env, Term, Terms, Writing, compared

Of = Callable[[Sequence[Env]], Any]


def several(rows: Sequence[Env]) -> bool:
    return len(rows) > 1


def having_of(random: Random, found: Aggregate) -> tuple[str, Of]:
    """A condition of groups: SQL and test."""
    limit = random.randrange(5)
    if found.kind != "integer":
        return "count(*) > 1", several
    sign = random.choice(("<", ">=", "="))
    number = Term("integer", lambda w: str(limit), lambda env: limit)

    def test(rows: Sequence[Env]) -> bool:
        value = Term("integer", lambda w: "", lambda env: found.of(rows))
        return compared(sign, value, number)({}) is True

    return f"{{}} {sign} {limit}", test


def test_groups_and_aggregates() -> None:
    matched = 0
    for seed, random, database in databases():
        for _ in range(QUERIES):
            source = joined(random, database, 2)
            terms, writing = Terms(random, source.tables), Writing(random)
            by = random.sample(terms.columns, random.randrange(3))
            made = [aggregate(random, terms) for _ in range(random.randrange(1, 4))]
            names = [f"c{place}" for place in range(len(by) + len(made))]
            columns: list[Term | Aggregate] = [*by, *made]
            kinds = [one.kind for one in columns]
            selected = ", ".join(
                f"{one.sql(writing)} AS {name}" for one, name in zip(columns, names, strict=True)
            )
            text = f"SELECT {selected} FROM {source.sql(writing)}"
            environments = source.environments
            if random.random() < 0.5:
                where = terms.condition(2)
                text += f" WHERE {where.sql(writing)}"
                environments = kept(environments, where)
            groups: list[Sequence[Env]] = [environments]
            if by:
                groups = list(grouped(environments, by).values())
            if by:
                text += " GROUP BY " + ", ".join(one.sql(writing) for one in by)
            if by and random.random() < 0.4:
                sql, test = having_of(random, made[0])
                text += " HAVING " + sql.format(made[0].sql(writing))
                groups = [one for one in groups if test(one)]
            if by:
                place, down = random.randrange(len(names)), random.random() < 0.5
                text += f" ORDER BY {names[place]}{' DESC' if down else ''}"
                groups = list(ordered_groups(groups, [(_value(by, made, place), down)], by))
            result = struct_of(dict(zip(names, (TYPES[one] for one in kinds), strict=True)))
            answer = database.answer(text, writing.types, result, streams=True)
            found = tuples(answer.run(database.execute, writing.arguments))
            wanted = [
                (*(one.eval(rows[0]) for one in by), *(one.of(rows) for one in made))
                for rows in groups
            ]
            Case(seed, text, writing.arguments).check(
                [in_any_order(one) for one in found], [in_any_order(one) for one in wanted]
            )
            matched += len(found)
    assert matched > 2 * SEEDS * QUERIES, "there are hardly any groups"


def _value(by: list[Term], made: list[Aggregate], place: int) -> Of:
    if place >= len(by):
        return made[place - len(by)].of

    def value(rows: Sequence[Env]) -> Any:
        return by[place].eval(rows[0])

    return value


class Child(msgspec.Struct):
    text: str | None
    score: float | None


class Parent(msgspec.Struct):
    key: str | None
    children: list[Child]
    scores: list[float]
    texts: list[str]
    count: int


class Parents(msgspec.Struct):
    parents: list[Parent]
    total: int
    more: bool


def test_collections_in_groups_of_a_join() -> None:
    """VW-43, VW-44: lists that a join fills, empty ones where a side is missing."""
    lists = empty = 0
    for seed, random, database in databases():
        for _ in range(QUERIES):
            kind = random.choice(("LEFT ", "", "FULL "))
            column = random.choice(("name", "note", "home.city"))
            writing = Writing(random)
            terms = Terms(random, {"a": COLUMNS["items"], "b": COLUMNS["notes"]})
            by = [
                (one, random.random() < 0.5)
                for one in random.sample([one for one in terms.columns if one.table == "b"], 2)
            ]
            key = next(one for one in terms.columns if one.sql(Writing(random)) == f"a.{column}")
            distinct = random.choice(("", "distinct "))
            inner = (
                f"a.{column} AS key, (b.text, b.score) AS children, b.score AS scores, "
                f"collect({distinct}b.text) AS texts, count(*) AS count"
            )
            wraps = random.random() < 0.5
            text = (
                f"SELECT ({inner}) AS parents, total_count() AS total, has_more() AS more"
                if wraps
                else f"SELECT {inner}"
            )
            text += f" FROM items AS a {kind}JOIN notes AS b ON a.name = b.item"
            rows = _met(database, kind.strip())
            if random.random() < 0.3:
                where = terms.condition(1)
                text += f" WHERE {where.sql(writing)}"
                rows = kept(rows, where)
            if random.random() < 0.5:
                text += f" GROUP BY a.{column}"
            text += " ORDER BY " + ", ".join(
                f"{one.sql(writing)}{' DESC' if down else ''}" for one, down in by
            )
            limit = random.randrange(1, 5)
            text += f" LIMIT {limit}"
            rows = ordered(rows, by, ["a", "b"])
            groups = ordered_groups(list(grouped(rows, [key]).values()), [], [key])
            wanted = [_parent(key, one, bool(distinct)) for one in groups]
            case = Case(seed, text, writing.arguments)
            result: Any = Parents if wraps else Parent
            answer = database.answer(text, writing.types, result, streams=not wraps)
            found = answer.run(database.execute, writing.arguments)
            if wraps:
                case.check((found.total, found.more), (len(wanted), len(wanted) > limit))
                case.check(found.parents, wanted[:limit])
            else:
                case.check(list(found), wanted[:limit])
            lists += sum(len(one.children) for one in wanted)
            empty += sum(not one.children for one in wanted)
    assert lists > SEEDS * QUERIES
    assert empty > SEEDS


def _met(database: Any, kind: str) -> list[Env]:
    left = list(database.rows["items"].values())
    right = list(database.rows["notes"].values())
    found: list[Env] = [
        {"a": one, "b": other} for one in left for other in right if one["name"] == other["item"]
    ]
    if kind in ("LEFT", "FULL"):
        items = {other["item"] for other in right}
        found += [{"a": one, "b": None} for one in left if one["name"] not in items]
    if kind == "FULL":
        names = {one["name"] for one in left}
        found += [{"a": None, "b": other} for other in right if other["item"] not in names]
    return found


def _parent(key: Term, rows: Any, distinct: bool) -> Parent:
    there = [row["b"] for row in rows if row["b"] is not None]
    texts = [one["text"] for one in there if one["text"] is not None]
    return Parent(
        key.eval(rows[0]),
        [Child(one["text"], one["score"]) for one in there],
        [one["score"] for one in there],
        list(dict.fromkeys(texts)) if distinct else texts,
        len(rows),
    )


def test_subqueries_are_tables() -> None:
    matched = 0
    for seed, random, database in databases():
        for _ in range(QUERIES):
            source = joined(random, database, 2)
            terms, writing = Terms(random, source.tables), Writing(random)
            inner = random.sample(terms.columns, 3)
            names = ["x", "y", "z"]
            where, by = terms.condition(1), [(random.choice(terms.columns), False)]
            selected = ", ".join(
                f"{one.sql(writing)} AS {name}" for one, name in zip(inner, names, strict=True)
            )
            text = f"SELECT {selected} FROM {source.sql(writing)} WHERE {where.sql(writing)}"
            rows = ordered(kept(source.environments, where), by, list(source.tables))
            if random.random() < 0.5:
                text += f" ORDER BY {by[0][0].sql(writing)} LIMIT 5 OFFSET 1"
                rows = rows[1:6]
            derived: list[Env] = [
                {"s": {name: one.eval(env) for one, name in zip(inner, names, strict=True)}}
                for env in rows
            ]
            kinds = {name: one.kind for one, name in zip(inner, names, strict=True)}
            outside = Terms(random, {"s": kinds})
            condition = outside.null() if "text" not in kinds.values() else outside.condition(1)
            text = f"SELECT s.* FROM ({text}) AS s WHERE {condition.sql(writing)}"
            result = struct_of({name: TYPES[kind] for name, kind in kinds.items()})
            answer = database.answer(text, writing.types, result, streams=True)
            found = tuples(answer.run(database.execute, writing.arguments))
            wanted = [tuple(env["s"].values()) for env in kept(derived, condition)]
            Case(seed, text, writing.arguments).check(
                sorted(map(in_any_order, found)), sorted(map(in_any_order, wanted))
            )
            matched += len(found)
    assert matched > SEEDS * QUERIES
