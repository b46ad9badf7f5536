"""All feeds of a host; see `feed`.

Theory of operation. Commits tell what landed, in the order of the log of each shard. A feed that is
at the end of the log takes it from there; one that is not leaves it to the store. A host without
feeds does nothing at all, and neither does one in which nothing lands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from actorkalix_cluster.shardhost.feed import Feed
from actorkalix_cluster.shardhost.feeding import FeedSource, FeedTarget
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_storage.api import Append, Position


class Feeds:
    """See the head of this file.

    Args:
        parts: the host's.
        sources: one for each feed.
        target: of all of them.

    Attributes:
        feeds: by id.
    """

    def __init__(self, parts: Parts, sources: Sequence[FeedSource], target: FeedTarget) -> None:
        self.feeds = {source.feed: Feed(source, target, parts) for source in sources}
        self._all = list(self.feeds.values())
        self._clock = parts.clock

    def start(self, shards: Iterable[int]) -> None:
        """Begin to read these shards."""
        numbers = list(shards)
        for feed in self._all:
            for shard in numbers:
                feed.attach(shard)

    def landed(self, append: Append, position: Position, incarnation: int) -> None:
        """An append is durable.

        Args:
            append: what landed.
            position: of its last record.
            incarnation: offset of the first record of its subject's life.
        """
        for feed in self._all:
            feed.landed(append, position, incarnation)

    def lost(self, shard: int) -> None:
        """The shard is not ours any more."""
        for feed in self._all:
            feed.detach(shard)

    def begin_again(self, feed: str = "") -> None:
        """A target was started again, maybe with nothing: ask it where it stands.

        Args:
            feed: whose; "" is all.
        """
        for each in self._all:
            if feed in ("", each.id):
                each.begin_again()

    @property
    def busy(self) -> bool:
        """Something is being read or handed over."""
        return any(feed.busy for feed in self._all)

    @property
    def caught_up(self) -> bool:
        """The targets have all that they want of what has landed, and hold nothing back."""
        return all(feed.caught_up for feed in self._all)

    def passed(self, shard: int) -> Mapping[str, Position]:
        """Up to where each target needs nothing of a shard's log any more."""
        return {f"view {feed.id}": feed.passed(shard) for feed in self._all}

    async def drain(self, timeout_s: float) -> None:
        """Let what is under way end, begin nothing more."""
        if not self._all:
            return
        ending = asyncio.gather(*(feed.drain() for feed in self._all))
        late = self._clock.call_later(int(timeout_s * 1000), ending.cancel)
        await asyncio.wait([ending])  # its cancel is the timeout, not ours
        late.cancel()
        self.stop()

    def stop(self) -> None:
        """Begin nothing more; what is under way is left."""
        for feed in self._all:
            feed.stop()
