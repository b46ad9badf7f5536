"""What a feed has to say to its target, until it has said it."""

from __future__ import annotations

from collections.abc import Mapping

from actorkalix_cluster.shardhost.feed_progress import FeedProgress
from actorkalix_cluster.shardhost.feeding import FEED_VERSION, Again, Batch, Place, Range
from actorkalix_cluster.shardhost.limits import FeedLimits
from actorkalix_storage.api import Store


class FeedDue:
    """Shards of which there is something to say.

    Args:
        store: of the host.
        limits: of the feed.

    Attributes:
        asking: the target is to say where it stands.
        parted: it is to forget what it has, which led to this place.
        dirty: it is to take what was read.
        skipped: likewise, but there is no hurry, for nothing of it is wanted.
    """

    def __init__(self, store: Store, limits: FeedLimits) -> None:
        self.asking: dict[int, None] = {}
        self.parted: dict[int, Place] = {}
        self.dirty: dict[int, None] = {}
        self.skipped: dict[int, None] = {}
        self._store = store
        self._limits = limits

    def __bool__(self) -> bool:
        return bool(self.asking or self.parted or self.dirty)

    def forget(self, shard: int) -> None:
        """Say nothing of a shard."""
        self.asking.pop(shard, None)
        self.parted.pop(shard, None)
        self.put_down(shard)

    def put_down(self, shard: int) -> None:
        """Say nothing of what was read of a shard."""
        self.dirty.pop(shard, None)
        self.skipped.pop(shard, None)

    def hurry(self) -> None:
        """Say what there was no hurry for."""
        self.dirty.update(self.skipped)
        self.skipped.clear()

    def batch(
        self, progress: Mapping[int, FeedProgress], again: tuple[Again, ...], now_ms: int
    ) -> Batch | None:
        """What there is to say now, as much as a batch takes; None when it is nothing.

        Args:
            progress: by shard.
            again: what is tried again.
            now_ms: the host's time.
        """
        names = self._limits.batch_shards_max
        asked = tuple(self.asking)[:names]
        parted = tuple(self.parted.items())[:names]
        ranges = self._ranges(progress)
        if not (asked or parted or ranges or again):
            return None
        identity = self._store.identity
        return Batch(
            *(FEED_VERSION, identity.number, identity.shards, now_ms),
            *(asked, parted, tuple(ranges), again),
        )

    def _ranges(self, progress: Mapping[int, FeedProgress]) -> list[Range]:
        limits = self._limits
        ranges: list[Range] = []
        entries_left, bytes_left = limits.batch_entries_max, limits.batch_bytes_max
        while self.dirty and len(ranges) < limits.batch_shards_max:
            shard = next(iter(self.dirty))
            one = progress[shard]
            full = entries_left <= 0 or bytes_left <= 0
            if full or (ranges and one.entries and one.entries[0][2] > bytes_left):
                break
            del self.dirty[shard]
            if one.waiting:
                newest = self._store.applied(shard).offset
                part, size = one.range(newest, entries_left, bytes_left)
                entries_left, bytes_left = entries_left - len(part.entries), bytes_left - size
                ranges.append(part)
        return ranges
