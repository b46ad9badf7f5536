"""What is read of a store's rows before it is made."""

from __future__ import annotations

import msgspec

from actorkalix_storage.api import HomeTable, Position, ShardState

from .rows import CheckpointRow, Drop


class Basis(msgspec.Struct, frozen=True):
    """What the rows say when a store is opened: the tables as far as they are kept in memory.

    Attributes:
        mark: the checkpoint that recovery begins from.
        shards: states at the checkpoint, without those of which only sweepings are left.
        copies: shard -> position of its source, for shards that came by a copy.
        drops: of all shards that were ever dropped.
        homes: the home table.
        hours: hours of which idempotency rows exist.
    """

    mark: CheckpointRow
    shards: dict[int, ShardState]
    copies: dict[int, Position]
    drops: dict[int, Drop]
    homes: HomeTable | None
    hours: tuple[int, ...]
