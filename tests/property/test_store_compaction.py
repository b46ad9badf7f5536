"""A store on disk that reclaims all the time still answers as one in memory that never does."""

from __future__ import annotations

from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

from actorkalix_storage.api import (
    Append,
    Head,
    History,
    RecordKind,
    Store,
    StoredRecord,
)
from actorkalix_storage.lmdbstore import Options
from actorkalix_storage.lmdbstore.estimate import NOW
from tests.property.test_store_equivalence import (
    ENTITIES,
    HOUR_MS,
    SETTINGS,
    SHARDS,
    TwoPairs,
    TwoStores,
    shards,
)

VALUES = ["v", "w"]  # have states, and no events
Answers = tuple[Head | None, History | None, list[StoredRecord], list[StoredRecord | None]]

values = st.sampled_from(VALUES)
intents_of_values = st.sampled_from(
    ["state", *["state unkeyed"] * 12, "reply", "reply unkeyed", "delete", "clean"]
)


class Compacting(TwoStores):
    """The store on disk reclaims all the time; what may still be asked for is the same."""

    asked = (*ENTITIES, *VALUES)

    def __init__(self) -> None:
        super().__init__()
        self.disk.abandon()
        self.options = Options(
            check=False,
            checkpoint_records=3,
            slice_rows=2,
            keys_kept_ms=HOUR_MS,
            compact_bytes=0,
            compact_percent=0,
            segment_frames=7,
        )
        self.disk = self.open(0)

    @rule(shard=shards, entity=values, what=st.lists(intents_of_values, min_size=3, max_size=12))
    def change(self, shard: int, entity: str, what: list[str]) -> None:
        """Commits of one record each."""
        for intent in what:
            batch = self.batch([(shard, entity, intent.removesuffix(" unkeyed"), b"z")])
            if intent.endswith("unkeyed"):
                batch = [
                    replace(append, records=tuple(replace(r, key=b"") for r in append.records))
                    for append in batch
                ]
            self.commit_both(batch)

    def commit_both(self, batch: list[Append]) -> None:
        self.both(lambda store: store.commit(batch))

    @rule(slices=st.sampled_from([5, 40, 400]))
    def reclaim(self, slices: int) -> None:
        self.disk.checkpoint()
        self.disk._estimate.add(NOW, 1)
        self.maintain(slices)

    def answers(self, store: Store) -> dict[str, object]:
        """All but the records that another one has superseded."""
        found = super().answers(store)
        for shard in range(SHARDS):
            records = store.records(shard, 0, limit=1000)
            events = [
                r for r in records if r.record.kind not in (RecordKind.STATE, RecordKind.REPLY)
            ]
            found[f"records {shard}"] = events
            for entity in self.asked:
                subject = (shard, "cart", entity)
                head, load, history, remembered = cast("Answers", found[f"{subject}"])
                needed = [r for r in history if head and r.position.offset >= head.state_offset]
                found[f"{subject}"] = (head, load, needed, remembered)
        return found


class CompactingPairs(Compacting, TwoPairs):
    """Shards move with their holes; each copy is made at once, for its pages differ."""

    @rule(shard=shards, limit=st.sampled_from([1, 3, 100]), most=st.just(0))
    def copy(self, shard: int, limit: int, most: int) -> None:
        source = self.memory.durable(shard)
        if source.offset == 0 or source != self.memory.applied(shard):
            return
        self.both_others(lambda store: store.drop(shard))
        carry(self.memory, self.other_memory, shard, limit)
        carry(self.disk, self.other_disk, shard, limit)

    @rule(shard=shards, limit=st.sampled_from([1, 3, 100]))
    def bring_back(self, shard: int, limit: int) -> None:
        source = self.memory.durable(shard)
        if source.offset == 0 or self.other_memory.durable(shard) != source:
            return
        if source != self.memory.applied(shard):
            return
        self.both(lambda store: store.drop(shard))
        carry(self.other_memory, self.memory, shard, limit)
        carry(self.other_disk, self.disk, shard, limit)

    @rule(slices=st.sampled_from([5, 40, 400]))
    def reclaim_other(self, slices: int) -> None:
        self.other_disk.checkpoint()
        self.other_disk._estimate.add(NOW, 1)
        self.maintain_other(slices)


def carry(store: Store, target: Store, shard: int, limit: int) -> None:
    """Copy a whole shard."""
    source, after = store.durable(shard), 0
    while page := store.export(shard, after, limit):
        after = target.receive(shard, source, page)
        assert after == page.through


TestCompacting = Compacting.TestCase
TestCompacting.settings = SETTINGS
TestCompactingPairs = CompactingPairs.TestCase
TestCompactingPairs.settings = settings(SETTINGS, max_examples=30)
