"""The port through which a consumer hands over what it has read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import Record, ShardState

REASON_CHARACTERS_MAX = 500  # of a failure, as cursors and dead letters keep it


def reason_of(error: Exception) -> str:
    """Why entries were not handled."""
    return f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]


class Subscriber(Protocol):
    """Who handles entries.

    Attributes:
        consumer: id of the consumer, unique in the service; its cursors bear it.
        batch_max: entries that it takes at once, 1 and up.
        blocks: it stops at what it fails on.
        dead_letters: what it fails on for long is put away, and its subject goes on.
        from_now: a consumer that is new begins with what comes, not with the whole log.
        numbered: component, and beginning of the entity ids, of subjects whose records are numbered
            messages: it is told which it has missed (`gaps`). None where there are none.
        folds: component whose subjects may begin with their snapshots, for a consumer that reads a
            log from its beginning; "" for none.
    """

    consumer: str
    batch_max: int
    blocks: bool
    dead_letters: bool
    from_now: bool
    numbered: tuple[str, str] | None
    folds: str

    def wants(self, record: Record, /) -> bool:
        """Whether entries of this record are for it; pure."""
        ...

    def nothing_after(self, state: ShardState, /) -> int | None:
        """Offset behind which a shard has nothing that is wanted; None where only a look tells."""
        ...

    async def handle(self, entries: Sequence[Entry], /) -> None:
        """Handle entries; those of one subject are in order.

        Raises:
            Exception: they were not handled, none of them.
        """
        ...


class AroundSubscriber:
    """A `Subscriber` around another one, which does all of the work; for those that watch it.

    Args:
        subscriber: the other one.
    """

    def __init__(self, subscriber: Subscriber) -> None:
        self.consumer = subscriber.consumer
        self.batch_max = subscriber.batch_max
        self.blocks = subscriber.blocks
        self.dead_letters = subscriber.dead_letters
        self.from_now = subscriber.from_now
        self.numbered = subscriber.numbered
        self.folds = subscriber.folds
        self._subscriber = subscriber

    def wants(self, record: Record, /) -> bool:
        return self._subscriber.wants(record)

    def nothing_after(self, state: ShardState, /) -> int | None:
        return self._subscriber.nothing_after(state)

    async def handle(self, entries: Sequence[Entry], /) -> None:
        await self._subscriber.handle(entries)
