"""The views' SQL against a naive evaluator: random rows, random queries, equal answers.

A seed is a database and some queries; `VIEW_SQL_SEEDS=5000 pytest ...` tries more of them,
and with `VIEW_SQL_FIRST=100000` others.
"""

from __future__ import annotations

from tests.property.view_sql.cases import (
    QUERIES,
    SEEDS,
    Case,
    alone,
    databases,
    in_any_order,
    kept,
    order_of,
    struct_of,
    tuples,
    written_order,
)
from tests.property.view_sql.joins import joined
from tests.property.view_sql.ordering import ordered
from tests.property.view_sql.rows import Item
from tests.property.view_sql.terms import COLUMNS, TYPES, Terms, Writing


def test_rows_of_one_table_are_filtered_ordered_and_limited() -> None:
    matched = 0
    for seed, random, database in databases():
        for _ in range(QUERIES):
            terms = Terms(random, {"items": COLUMNS["items"]})
            where, by, writing = terms.condition(3), order_of(random, terms), Writing(random)
            text = f"SELECT * FROM items WHERE {where.sql(writing)}"
            text += written_order(by, writing, random)
            wanted = kept(alone(database, "items", "items"), where)
            wanted = ordered(wanted, by, ["items"])
            if by and random.random() < 0.5:
                skip, take = random.randrange(4), random.randrange(8)
                text += random.choice(
                    (f" LIMIT {take} OFFSET {skip}", f" OFFSET {skip} LIMIT {take}")
                )
                wanted = wanted[skip : skip + take]
            answer = database.answer(text, writing.types, Item, streams=True)
            found = list(answer.run(database.execute, writing.arguments))
            rows = [database.objects["items"][one["items"]["$subject"]] for one in wanted]
            if not by:
                found.sort(key=repr)
                rows.sort(key=repr)
            Case(seed, text, writing.arguments).check(found, rows)
            matched += len(rows)
    assert matched > SEEDS * QUERIES, "the conditions hardly ever match"


def test_joins_of_all_kinds() -> None:
    matched = missing = 0
    for seed, random, database in databases():
        for _ in range(QUERIES):
            source = joined(random, database, 3)
            terms, writing = Terms(random, source.tables), Writing(random)
            by = order_of(random, terms)
            items = [terms.column() for _ in range(3)]
            names = [f"c{place}" for place in range(len(items))]
            selected = ", ".join(
                f"{one.sql(writing)} AS {name}" for one, name in zip(items, names, strict=True)
            )
            text = f"SELECT {selected} FROM {source.sql(writing)}"
            environments = source.environments
            if random.random() < 0.6:
                where = terms.condition(2)
                text += f" WHERE {where.sql(writing)}"
                environments = kept(environments, where)
            text += written_order(by, writing, random)
            result = struct_of(dict(zip(names, (TYPES[one.kind] for one in items), strict=True)))
            answer = database.answer(text, writing.types, result, streams=True)
            found = tuples(answer.run(database.execute, writing.arguments))
            wanted = [
                tuple(one.eval(env) for one in items)
                for env in ordered(environments, by, list(source.tables))
            ]
            if not by:
                found.sort(key=in_any_order)
                wanted.sort(key=in_any_order)
            Case(seed, text, writing.arguments).check(found, wanted)
            matched += len(found)
            missing += sum(None in env.values() for env in environments)
    assert matched > 10 * SEEDS * QUERIES, "the joins hardly ever find something"
    assert missing > SEEDS * QUERIES, "outer joins hardly ever miss a side"
