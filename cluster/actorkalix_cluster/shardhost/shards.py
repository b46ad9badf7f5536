"""The shards that a host owns, each with its epoch and its time.

A shard's clock never goes back: its now is the host's clock or the time of its last record,
whichever is later, and every record carries it (architecture: time). A shard that is not here is
not served; damaged ones are named with what was found.
"""

from __future__ import annotations

from collections.abc import Mapping

from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_storage.api import Store


class OwnedShard:
    """A shard of this host."""

    __slots__ = ("epoch", "number", "owned", "time_ms")

    def __init__(self, number: int, epoch: int, time_ms: int) -> None:
        self.number = number
        self.epoch = epoch
        self.time_ms = time_ms  # of its newest record, those in flight included
        self.owned = True


class Shards:
    """All shards of this host by number."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owned: dict[int, OwnedShard] = {}
        self.damaged: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._owned)

    def opened(self, epochs: Mapping[int, int], store: Store) -> None:
        """The store has raised these epochs for us."""
        for number, epoch in epochs.items():
            self._owned[number] = OwnedShard(number, epoch, store.shard(number).time_ms)
        self.damaged = dict(store.damaged_shards())

    def get(self, number: int) -> OwnedShard | None:
        """The shard, when this host owns it."""
        return self._owned.get(number)

    def numbers(self) -> list[int]:
        """Numbers of the shards that this host owns."""
        return list(self._owned)

    def now_ms(self, shard: OwnedShard) -> int:
        """The shard's time."""
        return max(self._clock.now_ms(), shard.time_ms)

    def lose(self, shard: OwnedShard) -> None:
        """Another owner has it."""
        shard.owned = False
        self._owned.pop(shard.number, None)

    def found_damaged(self, shard: OwnedShard, reason: str) -> None:
        """It is not served any more."""
        self.lose(shard)
        self.damaged[shard.number] = reason
