"""A target of feeds for tests: keeps what it is handed, exactly once, and fails when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    Again,
    Answer,
    Batch,
    Fed,
    Held,
    Place,
    Standing,
    pack_answer,
    unpack_batch,
)
from actorkalix_storage.api import Record, RecordKind
from tests.unit.cluster.shardhost.counter import COUNTER


class CounterSource:
    """Wants the events and ends of counters."""

    feed = "totals"
    components: frozenset[str] = frozenset((COUNTER,))
    folds: Mapping[str, frozenset[str]] = {}
    whole: frozenset[str] = frozenset()

    def wants(self, record: Record, /) -> bool:
        return record.kind in (RecordKind.EVENT, RecordKind.DELETED, RecordKind.CLEANED)


class Target:
    """Takes batches as a view does; all of it in memory.

    Attributes:
        places, entries: by shard, and in the order in which they were taken.
        held: subjects that wait.
        failing: entities on which it fails.
        refusing: why it takes nothing, or "".
        losing: so many answers are lost on their way.
        gate: it waits there before it takes a batch.
        batches: that it was sent.
        dropped: ranges that did not begin where it stood.
    """

    def __init__(self) -> None:
        self.generation = "one"
        self.places: dict[int, Place] = {}
        self.entries: list[Fed] = []
        self.held: dict[str, Held] = {}
        self.failing: set[str] = set()
        self.refusing = ""
        self.losing = 0
        self.gate: asyncio.Event | None = None
        self.batches: list[Batch] = []
        self.dropped = 0

    def of(self, entity: str) -> list[int]:
        """Amounts of an entity's events, in the order in which they were taken."""
        return [int(one.payload) for one in self.entries if one.entity == entity and one.payload]

    async def apply(self, feed: str, batch: bytes, /) -> bytes:
        made = unpack_batch(batch)
        self.batches.append(made)
        if self.gate is not None:
            await self.gate.wait()
        if self.refusing:
            return pack_answer(Answer(self.generation, (), 100, self.refusing))
        answer = self.take(made)
        if self.losing:
            self.losing -= 1
            raise ConnectionError("the answer is lost")
        return pack_answer(answer)

    def take(self, batch: Batch) -> Answer:
        """Take a batch at once."""
        names = dict.fromkeys(batch.asked)
        for shard, place in batch.parted:
            names[shard] = None
            if self.places.get(shard) == place:
                del self.places[shard]
        for part in batch.ranges:
            names[part.shard] = None
            if self.places.get(part.shard, BEGINNING) != part.begin:
                self.dropped += 1
                continue
            self.places[part.shard] = part.through
            for fed in part.entries:
                self._handle(part.shard, fed)
        for again in batch.again:
            names[again.held.shard] = None
            self._retry(again)
        return Answer(
            self.generation,
            tuple(
                Standing(
                    shard,
                    self.places.get(shard, BEGINNING),
                    tuple(one for one in self.held.values() if one.shard == shard),
                )
                for shard in names
            ),
        )

    def _handle(self, shard: int, fed: Fed) -> None:
        if fed.entity in self.held:
            return
        if fed.entity in self.failing:
            self.held[fed.entity] = Held(
                *(shard, COUNTER, fed.entity, "t", fed.entity, fed.version - 1, fed.offset),
                *(1, 0, "it fails"),
            )
            return
        self.entries.append(fed)

    def _retry(self, again: Again) -> None:
        held = again.held
        if self.held.get(held.entity) != held:
            return
        if held.entity in self.failing:
            attempts = held.attempts + 1
            self.held[held.entity] = Held(
                *(held.shard, held.component, held.entity, held.table, held.subject),
                *(held.version, held.offset, attempts, 0, "it fails"),
            )
            return
        end = self.places[held.shard][2]
        assert again.through >= end, "tests are small"
        self.entries += [fed for fed in again.entries if fed.offset <= end]
        del self.held[held.entity]
