"""Where a view stands in each shard's log, and what it says of itself; in the view's own file.

Positions lie in the file that the rows lie in, and change in the same transactions: whoever deletes
the file has a view that begins anew, and nobody can have rows without their positions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from actorkalix_cluster.shardhost.feeding import BEGINNING, Place
from actorkalix_storage.api import Position

T = TypeVar("T")

CREATE = (
    'CREATE TABLE IF NOT EXISTS "$meta"("key" TEXT PRIMARY KEY, "value" TEXT NOT NULL)',
    'CREATE TABLE IF NOT EXISTS "$positions"("shard" INTEGER PRIMARY KEY, '
    '"lineage" INTEGER NOT NULL, "epoch" INTEGER NOT NULL, "offset" INTEGER NOT NULL, '
    '"newest" INTEGER NOT NULL)',
)
VARIABLES_MAX = 512
"""Of one statement; SQLite takes some 32,000, but each number of them is a statement of its own."""

_PUT = 'INSERT OR REPLACE INTO "$positions" VALUES(?, ?, ?, ?, ?)'
_HALF, _WHOLE = 1 << 63, 1 << 64


def positions_in(connection: sqlite3.Connection) -> dict[int, Position]:
    """Positions by shard; shards of which nothing was read have none."""
    rows = connection.execute('SELECT "shard", "lineage", "epoch", "offset" FROM "$positions"')
    return {shard: Position(*_place(*at)) for shard, *at in rows.fetchall()}


def places_in(connection: sqlite3.Connection, shards: Iterable[int]) -> dict[int, Place]:
    """Places of these shards; `BEGINNING` where nothing was read."""
    wanted = list(shards)
    found: dict[int, Place] = dict.fromkeys(wanted, BEGINNING)
    for some in chunks(wanted):
        marks = ",".join("?" * len(some))
        rows = connection.execute(
            f'SELECT "shard", "lineage", "epoch", "offset" FROM "$positions" '
            f'WHERE "shard" IN ({marks})',
            some,
        )
        for shard, *at in rows.fetchall():
            found[shard] = _place(*at)
    return found


def lags_in(connection: sqlite3.Connection) -> dict[int, int]:
    """Records of each shard that it lacked when it was last told of the shard's newest."""
    rows = connection.execute(
        'SELECT "shard", "newest" - "offset" FROM "$positions" WHERE "newest" > "offset"'
    )
    return dict(rows.fetchall())


def put_places(
    connection: sqlite3.Connection, places: Mapping[int, Place], newest: Mapping[int, int]
) -> None:
    """Keep places, each with the offset of the shard's newest record as it is known."""
    connection.executemany(
        _PUT,
        [
            (shard, _signed(at[0]), at[1], at[2], max(at[2], newest.get(shard, 0)))
            for shard, at in places.items()
        ],
    )


def forget_place(connection: sqlite3.Connection, shard: int) -> None:
    """Begin anew with a shard."""
    connection.execute('DELETE FROM "$positions" WHERE "shard"=?', (shard,))


def meta_in(connection: sqlite3.Connection) -> dict[str, str]:
    """What the file says of itself."""
    return dict(connection.execute('SELECT "key", "value" FROM "$meta"').fetchall())


def put_meta(connection: sqlite3.Connection, **values: object) -> None:
    """Have the file say this of itself."""
    connection.executemany(
        'INSERT OR REPLACE INTO "$meta" VALUES(?, ?)',
        [(key, str(value)) for key, value in values.items()],
    )


def chunks(values: Sequence[T]) -> Iterator[list[T]]:
    """Values in lists whose lengths are powers of two, so that there are few statements.

    The last ones are repeated where that fills a list.
    """
    for at in range(0, len(values), VARIABLES_MAX):
        some = list(values[at : at + VARIABLES_MAX])
        size = 1 << (len(some) - 1).bit_length()
        yield some + some[-1:] * (size - len(some))


def _place(lineage: int, epoch: int, offset: int) -> Place:
    return (lineage % _WHOLE, epoch, offset)


def _signed(lineage: int) -> int:
    """64 bits as SQLite has them."""
    return lineage - _WHOLE if lineage >= _HALF else lineage
