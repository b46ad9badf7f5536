"""A reader of a view's file reads its tables, and nothing else by any words; all of it ends."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from actorkalix.errors import Overloaded, QueryTooLarge, QueryTooSlow, ViewIncomplete
from actorkalix.views.reading import Read, Reader, ReaderPool, TooMuch, refuse_more
from tests.unit.actorkalix.views.files import File, one

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"


@pytest.fixture
def file(tmp_path: Path) -> Generator[File]:
    made = File(tmp_path / "g1.sqlite")
    for number in range(100):
        made.put(f"c{number}", number)
    yield made
    made.close()


def pool_of(file: File, threads: int = 1) -> ReaderPool:
    return ReaderPool(lambda: file.uri, threads=threads)


def later() -> float:
    return time.monotonic() + 5


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'other.sqlite' AS other",
        "DETACH main",
        "PRAGMA journal_mode",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = 0",
        "PRAGMA writable_schema = 1",
        "INSERT INTO carts VALUES('x', '', 1, 1)",
        "DELETE FROM carts",
        "UPDATE carts SET size = 1",
        "DROP TABLE carts",
        "CREATE TABLE more(a)",
        "CREATE TEMP TABLE more(a)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON carts BEGIN SELECT 1; END",
        "VACUUM",
        "VACUUM INTO 'copy.sqlite'",
        "REINDEX",
        "ANALYZE",
        "SAVEPOINT here",
        "SELECT * FROM sqlite_master",
        "SELECT sql FROM sqlite_schema",
        "SELECT * FROM sqlite_temp_master",
        "SELECT * FROM pragma_table_info('carts')",
        "SELECT load_extension('evil')",
        "SELECT zeroblob(1000000000)",
        "SELECT randomblob(1000000000)",
        "SELECT fts5_source_id()",
        "SELECT writefile('x', 'y')",
        "SELECT readfile('/etc/passwd')",
        "SELECT sqlite_version()",
        "SELECT 1; DELETE FROM carts",
    ],
)
def test_nothing_but_reading_its_own_tables_goes(file: File, sql: str) -> None:
    before = file.read('SELECT * FROM "carts"', ())
    reader = Reader(file.uri)
    with pytest.raises((sqlite3.DatabaseError, sqlite3.ProgrammingError)):
        reader.run(one(sql), until=later())
    reader.close()
    assert file.read('SELECT * FROM "carts"', ()) == before
    assert sorted(path.name.partition("-")[0] for path in file.path.parent.iterdir()) in (
        ["g1.sqlite"],
        ["g1.sqlite"] * 3,
    )


@pytest.mark.parametrize(
    "sql, found",
    [
        ('SELECT count(*), sum("size") FROM "carts"', [(100, 4950)]),
        ('SELECT "$row" FROM "carts" WHERE "$subject" = \'c7\'', [(b'{"size":7}',)]),
        ("SELECT value FROM json_each('[1, 2]')", [(1,), (2,)]),
        ('SELECT rowid FROM "carts$words" WHERE "carts$words" MATCH \'"red"\'', [(1,)]),
    ],
)
def test_queries_are_answered(file: File, sql: str, found: list[tuple[object, ...]]) -> None:
    file.db.execute("INSERT INTO \"carts$words\" VALUES('red pen')")
    reader = Reader(file.uri)
    assert reader.run(one(sql), until=later()) == found
    reader.close()


def test_a_query_that_would_never_end_is_ended(file: File) -> None:
    reader = Reader(file.uri)
    with pytest.raises(QueryTooSlow):
        reader.run(one(ENDLESS), until=time.monotonic() + 0.05)
    assert reader.run(one("SELECT 1"), until=later()) == [(1,)]
    reader.close()


def test_a_small_query_is_answered_at_once_and_a_large_one_never_again(file: File) -> None:
    pool = pool_of(file)
    assert pool.at_once("small", one("SELECT 1")) == [(1,)]
    with pytest.raises(TooMuch):
        pool.at_once("large", one(ENDLESS))
    with pytest.raises(TooMuch):
        pool.at_once("large", one("SELECT 1"))
    pool.close()


def test_on_a_thread_a_query_has_until_its_deadline(file: File) -> None:
    async def scenario() -> None:
        pool = pool_of(file)
        found = await pool.aside(one('SELECT count(*) FROM "carts"'), timeout_s=5)
        assert found == [(100,)]
        with pytest.raises(QueryTooSlow):
            await pool.aside(one(ENDLESS), timeout_s=0.05)
        pool.close()

    asyncio.run(scenario())


def test_what_is_read_as_a_snapshot_is_of_one_moment(file: File) -> None:
    counts: list[int] = []

    def work(read: Read) -> None:
        for _ in range(2):
            counts.append(read('SELECT count(*) FROM "carts"', ())[0][0])
            file.put(f"more{len(counts)}", 1)

    pool = pool_of(file)
    pool.at_once("both", work, snapshot=True)
    assert counts == [100, 100]
    assert pool.at_once("after", one('SELECT count(*) FROM "carts"')) == [(102,)]
    pool.close()


def test_more_than_may_wait_are_refused(file: File) -> None:
    async def scenario() -> None:
        pool = ReaderPool(lambda: file.uri, threads=1, waiting_max=1)
        first = asyncio.create_task(pool.aside(one(ENDLESS), timeout_s=0.1))
        await asyncio.sleep(0)  # it is under way
        with pytest.raises(Overloaded):
            await pool.aside(one("SELECT 1"), timeout_s=5)
        with pytest.raises(QueryTooSlow):
            await first
        pool.close()

    asyncio.run(scenario())


def test_another_file_is_served_as_soon_as_it_is_there(file: File, tmp_path: Path) -> None:
    async def scenario() -> None:
        files = [file.uri]
        pool = ReaderPool(lambda: files[-1], threads=1)
        count = one('SELECT count(*) FROM "carts"')
        assert pool.at_once("count", count) == [(100,)]
        assert await pool.aside(count, timeout_s=5) == [(100,)]
        other = File(tmp_path / "g2.sqlite", "g2")
        files.append(other.uri)
        assert pool.at_once("count", count) == [(0,)]
        assert await pool.aside(count, timeout_s=5) == [(0,)]
        pool.close()
        other.close()

    asyncio.run(scenario())


def test_a_file_that_is_not_there_or_damaged_is_an_incomplete_view(tmp_path: Path) -> None:
    path = tmp_path / "bad.sqlite"
    pool = ReaderPool(lambda: f"file:{path}?mode=ro", threads=1)
    with pytest.raises(ViewIncomplete):
        pool.at_once("one", one("SELECT 1 FROM carts"))
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(ViewIncomplete):
        pool.at_once("two", one("SELECT 1 FROM carts"))
    with pytest.raises(ViewIncomplete):
        asyncio.run(pool.aside(one("SELECT 1 FROM carts"), timeout_s=5))
    assert pool.failures == 3
    pool.close()


def test_a_change_is_seen_by_the_number(file: File) -> None:
    reader = Reader(file.uri)
    before = reader.version()
    assert reader.version() == before
    file.put("c1", 7)
    assert reader.version() != before
    reader.close()


def test_too_many_rows_are_refused() -> None:
    refuse_more([(1,), (2,)], 2, "q")
    with pytest.raises(QueryTooLarge, match="q finds more than 1 rows"):
        refuse_more([(1,), (2,)], 1, "q")
