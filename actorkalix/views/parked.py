"""Subjects that wait because a view fails on them; kept in the view's file.

A subject is parked in the transaction that passes the record it failed on, with the version of the
last record that was handled: the records after it are read again from the log, in order, when it
is tried again. Until then all further records of it are left to that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from actorkalix_cluster.shardhost.feeding import Held

CREATE = (
    'CREATE TABLE IF NOT EXISTS "$parked"("shard" INTEGER NOT NULL, "component" TEXT NOT NULL, '
    '"entity" TEXT NOT NULL, "table" TEXT NOT NULL, "subject" TEXT NOT NULL, '
    '"version" INTEGER NOT NULL, "offset" INTEGER NOT NULL, "attempts" INTEGER NOT NULL, '
    '"since_ms" INTEGER NOT NULL, "failure" TEXT NOT NULL, PRIMARY KEY("table", "subject")) '
    "WITHOUT ROWID",
)

_SELECT = (
    'SELECT "shard", "component", "entity", "table", "subject", "version", "offset", "attempts", '
    '"since_ms", "failure" FROM "$parked"'
)


def parked_in(connection: sqlite3.Connection, limit: int = -1) -> list[Held]:
    """Parked subjects, those of low shards first; at most so many, all when it is negative."""
    rows = connection.execute(f'{_SELECT} ORDER BY "shard", "offset" LIMIT ?', (limit,))
    return [Held(*row) for row in rows.fetchall()]


def park(connection: sqlite3.Connection, held: Iterable[Held]) -> None:
    """Keep these, in place of what there is of the same subjects."""
    connection.executemany(
        'INSERT OR REPLACE INTO "$parked" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        [
            (
                *(one.shard, one.component, one.entity, one.table, one.subject),
                *(one.version, one.offset, one.attempts, one.since_ms, one.failure),
            )
            for one in held
        ],
    )


def free(connection: sqlite3.Connection, keys: Iterable[tuple[str, str]]) -> None:
    """These, by table and subject, wait no more."""
    connection.executemany('DELETE FROM "$parked" WHERE "table"=? AND "subject"=?', list(keys))


def free_shard(connection: sqlite3.Connection, shard: int) -> None:
    """Nothing of a shard waits any more."""
    connection.execute('DELETE FROM "$parked" WHERE "shard"=?', (shard,))


def keep_held(
    connection: sqlite3.Connection, before: Iterable[Held], after: Iterable[Held]
) -> None:
    """Have the file say who waits now.

    Args:
        connection: in a transaction.
        before, after: who did, and who does.
    """
    now = {(one.table, one.subject): one for one in after}
    was = {(one.table, one.subject): one for one in before}
    changed = [one for key, one in now.items() if was.get(key) != one]
    if changed:
        park(connection, changed)
    ended = [key for key in was if key not in now]
    if ended:
        free(connection, ended)
