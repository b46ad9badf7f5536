"""A subscriber for tests: keeps what it is given, fails when it is told to, waits at a barrier."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import Record, RecordKind, ShardState
from tests.unit.cluster.shardhost.counter import COUNTER


class Reader:
    """Handles the events of counters."""

    def __init__(
        self,
        consumer: str = "reader",
        *,
        batch_max: int = 1,
        blocks: bool = False,
        from_now: bool = False,
        dead_letters: bool = False,
    ) -> None:
        self.consumer = consumer
        self.batch_max = batch_max
        self.blocks = blocks
        self.from_now = from_now
        self.dead_letters = dead_letters
        self.numbered: tuple[str, str] | None = None
        self.folds = ""
        self.seen: list[tuple[str, str]] = []  # entity and payload
        self.sizes: list[int] = []
        self.failing: set[str] = set()  # entities, or "entity payload"
        self.gate: asyncio.Event | None = None
        self.under_way = 0
        self.tries = 0
        self.tried = 0

    def wants(self, record: Record, /) -> bool:
        return record.component == COUNTER and record.kind is RecordKind.EVENT

    def nothing_after(self, state: ShardState, /) -> int | None:
        return None

    async def handle(self, entries: Sequence[Entry], /) -> None:
        self.under_way += 1
        self.tries += 1
        self.tried += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
            for entry in entries:
                entity, payload = entry.record.entity, entry.record.payload.decode()
                if entity in self.failing or f"{entity} {payload}" in self.failing:
                    raise ValueError(f"cannot handle {payload} of {entity}")
        finally:
            self.under_way -= 1
        self.sizes.append(len(entries))
        self.seen += [(e.record.entity, e.record.payload.decode()) for e in entries]

    def of(self, entity: str) -> list[str]:
        """What it has handled of an entity, in order."""
        return [payload for name, payload in self.seen if name == entity]
