"""Pages by token: every row once and in order, also while rows come, go and change (VW-50)."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import msgspec
import pytest

from actorkalix.viewsql import answers
from tests.property.view_sql import rows as made
from tests.property.view_sql.cases import (
    QUERIES,
    SEEDS,
    Case,
    alone,
    databases,
    kept,
    order_of,
    written_order,
)
from tests.property.view_sql.ordering import By, compare_values, ordered
from tests.property.view_sql.rows import Database, Item, some_item
from tests.property.view_sql.terms import COLUMNS, Env, Terms, Writing


class Page(msgspec.Struct):
    items: list[Item]
    total: int
    next_page: str
    more: bool


class Counts(msgspec.Struct):
    name: str | None
    count: int


class CountsPage(msgspec.Struct):
    counts: list[Counts]
    total: int
    next_page: str


def test_all_pages_are_the_whole() -> None:
    pages = 0
    for seed, random, database in databases():
        for _ in range(QUERIES // 2):
            terms, writing = Terms(random, {"items": COLUMNS["items"]}), Writing(random)
            where, by = terms.condition(2), order_of(random, terms, 3)
            size = random.randrange(1, 6)
            text = (
                "SELECT * AS items, total_count() AS total, next_page_token() AS next_page, "
                f"has_more() AS more FROM items WHERE {where.sql(writing)}"
                f"{written_order(by, writing, random)} OFFSET page_token_offset(:page) LIMIT {size}"
            )
            wanted = ordered(kept(alone(database, "items", "items"), where), by, ["items"])
            rows = [database.objects["items"][one["items"]["$subject"]] for one in wanted]
            answer = database.answer(text, {**writing.types, "page": str}, Page)
            found: list[Item] = []
            token, last = "", False
            while not last:
                page = answer.run(database.execute, {**writing.arguments, "page": token})
                last, token = not page.more, page.next_page
                assert page.total == len(rows)
                assert page.more == bool(token)
                assert len(page.items) == size or last
                found += page.items
                pages += 1
            if not by:
                found.sort(key=repr)
                rows.sort(key=repr)
            Case(seed, text, writing.arguments).check(found, rows)
    assert pages > SEEDS * QUERIES


def test_pages_while_rows_come_go_and_change() -> None:
    """A row that stays as it is comes exactly once; in order; none that was never there."""
    walked = 0
    for seed, random, database in databases():
        for _ in range(QUERIES // 4):
            terms, writing = Terms(random, {"items": COLUMNS["items"]}), Writing(random)
            by, size = order_of(random, terms, 3), random.randrange(1, 5)
            text = (
                f"SELECT * AS items, total_count() AS total, next_page_token() AS next_page, "
                f"has_more() AS more FROM items{written_order(by, writing, random)} "
                f"LIMIT {size} OFFSET page_token_offset(:page)"
            )
            answer = database.answer(text, {"page": str}, Page)
            stays = dict(database.objects["items"])
            found: list[Item] = []
            token, more = "", True
            while more:
                page = answer.run(database.execute, {"page": token})
                token, more = page.next_page, page.more
                found += page.items
                for subject in change(random, database):
                    stays.pop(subject, None)
                if len(found) > 300:  # whoever inserts ahead of the reader may go on without end
                    break
            else:
                case = Case(seed, text, {})
                for row in stays.values():
                    case.check(found.count(row), sum(one == row for one in stays.values()))
                walked += len(found)
            check_order(found, by, Case(seed, text, {}))
    assert walked > SEEDS * QUERIES


def change(random: Random, database: Database) -> list[str]:
    """Insert, delete and replace some rows; gives their subjects."""
    changed: list[str] = []
    for _ in range(random.randrange(3)):
        subjects = list(database.rows["items"])
        if len(subjects) > 3 and random.random() < 0.5:
            changed.append(random.choice(subjects))
            database.remove("items", changed[-1])
        else:
            changed.append(f"i{random.randrange(300):03}")
            database.put("items", changed[-1], some_item(random))
    return changed


def check_order(found: list[Item], by: By, case: Case) -> None:
    environments: list[Env] = [{"items": made.plain(one)} for one in found]
    for before, behind in pairwise(environments):
        for term, down in by:
            order = compare_values(term.eval(before), term.eval(behind))
            if order:
                case.check((order > 0) == down, True)
                break


def test_pages_of_groups() -> None:
    for seed, random, database in databases():
        down = random.choice(("", " DESC"))
        order = random.choice(("", f" ORDER BY count{down}", f" ORDER BY name{down}, count"))
        text = (
            "SELECT (note AS name, count(*) AS count) AS counts, total_count() AS total, "
            f"next_page_token() AS next_page FROM items GROUP BY note{order} "
            "LIMIT 2 OFFSET page_token_offset(:page)"
        )
        answer = database.answer(text, {"page": str}, CountsPage)
        whole = database.answer(
            f"SELECT note AS name, count(*) AS count FROM items GROUP BY note{order}",
            {},
            Counts,
            streams=True,
        )
        wanted = list(whole.run(database.execute, {}))
        page = answer.run(database.execute, {"page": ""})
        found = list(page.counts)
        while page.next_page:
            page = answer.run(database.execute, {"page": page.next_page})
            found += page.counts
        Case(seed, text, {}).check((found, page.total), (wanted, len(wanted)))


def test_a_stream_reads_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page begins behind the other, in any order, with LIMIT and OFFSET."""
    monkeypatch.setattr(answers, "VIEW_STREAM_ROWS", 3)
    for seed, random, database in databases():
        for _ in range(QUERIES // 4):
            terms, writing = Terms(random, {"items": COLUMNS["items"]}), Writing(random)
            by, take, skip = order_of(random, terms, 3), random.randrange(12), random.randrange(5)
            text = f"SELECT * FROM items{written_order(by, writing, random)}"
            wanted = ordered(alone(database, "items", "items"), by, ["items"])
            if random.random() < 0.6:
                text += f" LIMIT {take} OFFSET {skip}"
                wanted = wanted[skip : skip + take]
            answer = database.answer(text, {}, Item, streams=True)
            rows = [database.objects["items"][one["items"]["$subject"]] for one in wanted]
            Case(seed, text, {}).check(list(answer.run(database.execute, {})), rows)
