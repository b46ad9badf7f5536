"""A view's file as its writer leaves it, made by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actorkalix.views.reading import Parameters, Read, Rows

SCHEMA = (
    "PRAGMA journal_mode = WAL",
    'CREATE TABLE "carts"("$subject" TEXT PRIMARY KEY, "$row" BLOB, "$seq" INTEGER, "size")',
    'CREATE TABLE "$removed"("table" TEXT, "subject" TEXT, "seq" INTEGER, '
    'PRIMARY KEY("table", "subject"))',
    'CREATE TABLE "$meta"("key" TEXT PRIMARY KEY, "value" TEXT NOT NULL)',
    'CREATE TABLE "$positions"("shard" INTEGER PRIMARY KEY, "lineage" INTEGER, "epoch" INTEGER, '
    '"offset" INTEGER, "newest" INTEGER)',
    'CREATE TABLE "$parked"("shard" INTEGER, "component" TEXT, "entity" TEXT, "table" TEXT, '
    '"subject" TEXT, "version" INTEGER, "offset" INTEGER, "attempts" INTEGER, '
    '"since_ms" INTEGER, "failure" TEXT, PRIMARY KEY("table", "subject"))',
    'CREATE VIRTUAL TABLE "carts$words" USING fts5(words)',
)
CHANGES = (
    'SELECT "$subject", "$seq", "size" > :more, "$row" FROM "carts" '
    'WHERE "$seq" > :after AND "$seq" <= :upto ORDER BY "$seq" LIMIT :limit'
)


class File:
    """A writer of such a file."""

    def __init__(self, path: Path, generation: str = "g1") -> None:
        self.path = path
        self.uri = f"file:{path}?mode=ro&generation={generation}"
        self.db = sqlite3.connect(path, isolation_level=None)
        for statement in SCHEMA:
            self.db.execute(statement)
        self.seq = 0
        self.meta(generation=generation, seq=0)

    def meta(self, **values: object) -> None:
        """Have it say this of itself."""
        for key, value in values.items():
            self.db.execute('INSERT OR REPLACE INTO "$meta" VALUES(?, ?)', (key, str(value)))

    def put(self, subject: str, size: int) -> None:
        """A row, by a change of its own."""
        self.seq += 1
        with self.db:
            self.db.execute("BEGIN")
            self.db.execute('DELETE FROM "$removed" WHERE "subject" = ?', (subject,))
            self.db.execute(
                'INSERT OR REPLACE INTO "carts" VALUES(?, ?, ?, ?)',
                (subject, b'{"size":%d}' % size, self.seq, size),
            )
            self.meta(seq=self.seq)

    def remove(self, subject: str) -> None:
        """No such row any more."""
        self.seq += 1
        with self.db:
            self.db.execute("BEGIN")
            self.db.execute('DELETE FROM "carts" WHERE "$subject" = ?', (subject,))
            self.db.execute(
                'INSERT OR REPLACE INTO "$removed" VALUES(?, ?, ?)', ("carts", subject, self.seq)
            )
            self.meta(seq=self.seq)

    def stand(self, shard: int, lineage: int, epoch: int, offset: int, newest: int = 0) -> None:
        """It has passed this."""
        signed = lineage - (1 << 64) if lineage >= 1 << 63 else lineage
        self.db.execute(
            'INSERT OR REPLACE INTO "$positions" VALUES(?, ?, ?, ?, ?)',
            (shard, signed, epoch, offset, max(offset, newest)),
        )

    def park(self, shard: int, entity: str, offset: int) -> None:
        """It fails on this."""
        self.db.execute(
            'INSERT OR REPLACE INTO "$parked" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
            (shard, "cart", entity, "carts", entity, 1, offset, 3, 1_000, "KeyError: 'x'"),
        )

    def read(self, sql: str, parameters: Parameters) -> Rows:
        """A `Read` over its own connection."""
        return self.db.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self.db.close()


def one(sql: str, parameters: Any = ()) -> Callable[[Read], Rows]:
    """Work that reads one statement."""
    return lambda read: read(sql, parameters)
