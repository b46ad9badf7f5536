"""A read goes on while the log that it holds up is small."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from actorkalix.errors import QueryTooSlow
from actorkalix.limits import VIEW_LOG_BYTES_MAX
from actorkalix.views import holding
from actorkalix.views.files import connect_writer
from actorkalix.views.holding import LOOK_S, Holding, log_of
from actorkalix.views.reading import Reader

SLOW = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(c.x) FROM c, t"


def test_the_log_lies_beside_the_file() -> None:
    assert log_of("file:/data/my%20views/g1.sqlite?mode=ro") == "/data/my views/g1.sqlite-wal"
    assert log_of("file:view-1?mode=memory&cache=shared") == ""


def test_it_is_looked_at_when_a_read_lasts(tmp_path: Path) -> None:
    path = tmp_path / "g1.sqlite"
    held = Holding([f"file:{path}?mode=ro", "file:x?mode=memory"])
    held.begin(10.0)
    assert not held.harms(10.3), "there is no log"
    with open(f"{path}-wal", "wb") as log:
        log.truncate(VIEW_LOG_BYTES_MAX + 1)
    assert not held.harms(10.3), "it was looked at just now"
    assert held.harms(10.3 + LOOK_S)
    held.begin(11.0)
    assert not held.harms(11.1)
    assert held.harms(11.2)


def test_a_query_that_makes_the_log_grow_is_ended_before_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "VIEW_LOG_BYTES_MAX", 100_000)
    path = tmp_path / "g1.sqlite"
    writer = connect_writer(f"file:{path}")
    writer.execute("CREATE TABLE t(x)")
    writer.execute("INSERT INTO t VALUES(1)")
    reader = Reader(f"file:{path}?mode=ro")
    begun = time.monotonic()
    with pytest.raises(QueryTooSlow, match="took longer than it may"):
        reader.run(lambda read: read(SLOW, ()), until=begun + 0.4)
    writer.executemany("INSERT INTO t VALUES(?)", [("x" * 1_000,)] * 200)
    begun = time.monotonic()
    with pytest.raises(QueryTooSlow, match="its log has outgrown"):
        reader.run(lambda read: read(SLOW, ()), until=begun + 60)
    assert time.monotonic() - begun < 30
    reader.close()
    writer.close()


def test_a_log_that_begins_anew_is_cut_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actorkalix.views.files.VIEW_LOG_BYTES_MAX", 400_000)
    path = tmp_path / "g1.sqlite"
    writer = connect_writer(f"file:{path}")
    writer.execute("CREATE TABLE t(x)")
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()
    for _ in range(30):
        with writer:
            writer.execute("BEGIN")
            writer.executemany("INSERT INTO t VALUES(?)", [("x" * 1_000,)] * 1_000)
    log = Path(f"{path}-wal")
    assert log.stat().st_size > 20_000_000, "a reader keeps all of it"
    reader.execute("ROLLBACK")
    for _ in range(3):
        writer.execute("INSERT INTO t VALUES('y')")
    assert log.stat().st_size <= 100_000
    reader.close()
    writer.close()
