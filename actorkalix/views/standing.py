"""Where a view's file stands: what it has passed, what waits, which generation it is. Pure.

All of it lies in the file beside the rows and is written in their transactions, so it is read as
they are: of one moment, by any process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from actorkalix.views.reading import Read
from actorkalix.views.updates import Here
from actorkalix_cluster.shardhost.feeding import Held
from actorkalix_storage.api import Position

_WHOLE = 1 << 64  # SQLite's integers have a sign, lineages have none
POSITIONS = 'SELECT "shard", "lineage", "epoch", "offset", "newest" FROM "$positions"'
META = 'SELECT "key", "value" FROM "$meta"'
PARKED = (
    'SELECT "shard", "component", "entity", "table", "subject", "version", "offset", "attempts", '
    '"since_ms", "failure" FROM "$parked"'
)


class Standing(msgspec.Struct, frozen=True):
    """Where the file stands in a shard: what it has passed, and the shard's last offset then."""

    position: Position
    newest: int


def standings(read: Read) -> dict[int, Standing]:
    """By shard."""
    return {
        shard: Standing(Position(lineage % _WHOLE, epoch, offset), newest)
        for shard, lineage, epoch, offset, newest in read(POSITIONS, ())
    }


def here(read: Read) -> Here:
    """Generation and numbers of the file."""
    meta: dict[str, Any] = dict(read(META, ()))
    return Here(
        str(meta.get("generation", "")), int(meta.get("seq", 0)), int(meta.get("removed_from", 0))
    )


def parked(read: Read, limit: int) -> list[Held]:
    """The subjects that wait, the longest first."""
    rows = read(f'{PARKED} ORDER BY "since_ms", "table", "subject" LIMIT ?', (limit,))
    return [Held(*row) for row in rows]


def parked_in(read: Read, shards: Collection[int]) -> list[Held]:
    """Those of some shards."""
    places = ", ".join("?" * len(shards))
    rows = read(f'{PARKED} WHERE "shard" IN ({places})', tuple(shards))
    return [Held(*row) for row in rows]


def missing(
    standing: Mapping[int, Standing], wanted: Mapping[int, Position]
) -> dict[int, Position]:
    """What of the wanted positions the file has not passed yet."""
    return {
        shard: position
        for shard, position in wanted.items()
        if shard not in standing or not passed(standing[shard].position, position)
    }


def passed(stands: Position, wanted: Position) -> bool:
    """Whether a file that stands there has passed the wanted position.

    Within a lineage, offsets and epochs never fall; a file of another lineage has still to learn
    that it is one.
    """
    return (
        stands.lineage == wanted.lineage
        and stands.offset >= wanted.offset
        and stands.epoch >= wanted.epoch
    )


def behind(standing: Mapping[int, Standing]) -> int:
    """Records that it has not passed, as far as it was told."""
    return sum(max(0, one.newest - one.position.offset) for one in standing.values())
