"""The store on disk equals the store in memory, whatever is done to both (ES-22, ES-53).

One machine drives two stores through appends (good, stale, speculated), waiting records, snapshots,
cleanup, key expiry, single checkpoint slices, failed commits, kills and clean reopens, and compares
all that they answer. A second pair takes shards from the first and gives them back.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import lmdb
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actorkalix_storage.api import (
    Append,
    AppendRefused,
    Record,
    RecordKind,
    Snapshot,
    Store,
    StoreFull,
    TimerKind,
)
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store
from actorkalix_storage.lmdbstore.check import check_folder
from actorkalix_storage.lmdbstore.child import Check
from actorkalix_storage.memorystore import MemoryStore

SHARDS = 2
START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
ENTITIES = ["a", "b", "b\0", "é"]
KEYS = [bytes([n]) * 16 for n in range(3)]

shards = st.integers(0, SHARDS - 1)
entities = st.sampled_from(ENTITIES)
payloads = st.sampled_from([b"", b"x", b"y" * 100])
intents = st.sampled_from(
    ["event", "event", "events", "state", "reply", "delete", "clean", "stale", "wrong"]
)
appends = st.lists(st.tuples(shards, entities, intents, payloads), min_size=1, max_size=4)

What = list[tuple[int, str, str, bytes]]

MEMORY_FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class TwoStores(RuleBasedStateMachine):
    asked: tuple[str, ...] = tuple(ENTITIES)

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="store-", dir=MEMORY_FOLDER))
        self.now_ms = START_MS
        self.options = Options(
            check=False, checkpoint_records=3, slice_rows=2, keys_kept_ms=HOUR_MS
        )
        self.disk = self.open(0)
        self.memory = MemoryStore(self.disk.identity, keys_kept_ms=HOUR_MS)

    def open(self, number: int) -> LmdbStore:
        return open_store(
            self.path / str(number),
            service="shop",
            shards=SHARDS,
            cluster="0" * 32,
            number=number,
            lineage=77,
            options=self.options,
        )

    @initialize()
    def begin(self) -> None:
        self.open_shards()

    # ---- what is done to both -------------------------------------------------------------
    @rule()
    def open_shards(self) -> None:
        free = [s for s in range(SHARDS) if self.memory.durable(s) == self.memory.applied(s)]
        self.both(lambda store: store.open_shards(free, self.now_ms))

    @rule(what=appends)
    def commit(self, what: What) -> None:
        batch = self.batch(what)
        self.both(lambda store: store.commit(batch))

    @rule(what=appends)
    def fail(self, what: What) -> None:
        """A commit that fails for want of space leaves nothing behind in either."""
        batch = self.batch(what)
        self.memory.fail_next_commit(StoreFull("no space"))
        environment = self.disk._environment

        def refuse(transaction: lmdb.Transaction[bytes]) -> None:
            transaction.abort()
            raise lmdb.MapFullError("no space")

        vars(environment)["commit"] = refuse  # stands before the method of the class
        try:
            self.both(lambda store: self.attempt(lambda: store.commit(batch)))
        finally:
            del vars(environment)["commit"]
            self.memory._fault = None

    @rule(shard=shards, entity=entities, payload=payloads)
    def append(self, shard: int, entity: str, payload: bytes) -> None:
        """Waits on top of what waits already: the version is the durable one."""
        waiting = self.memory._waiting.get(shard)
        tables = waiting.ahead(self.memory._tables) if waiting else self.memory._tables
        head = tables.head((shard, "cart", entity))
        number, version = (head.number, head.version) if head else (0, 0)
        record = Record(RecordKind.EVENT, "cart", entity, number + 1, self.now_ms, payload, KEYS[0])
        epoch = self.memory.durable(shard).epoch
        self.both(lambda store: self.attempt(lambda: store.append(shard, epoch, version, [record])))

    @rule(shard=shards, back=st.integers(0, 3))
    def apply(self, shard: int, back: int) -> None:
        up_to = self.memory.durable(shard).offset - back
        self.both(lambda store: store.apply(shard, up_to))

    @rule(shard=shards, back=st.integers(0, 3))
    def truncate(self, shard: int, back: int) -> None:
        offset = max(self.memory.applied(shard).offset, self.memory.durable(shard).offset - back)
        self.both(lambda store: store.truncate_after(shard, offset))

    @rule(shard=shards, entity=entities, payload=payloads)
    def snapshot(self, shard: int, entity: str, payload: bytes) -> None:
        head = self.memory.head(shard, "cart", entity)
        if head and not head.state_offset:
            snapshot = Snapshot(head.incarnation, head.number, head.offset, payload)
            self.both(lambda store: store.put_snapshot(shard, "cart", entity, snapshot))

    @rule(minutes=st.sampled_from([0, 1, 50, 70]))
    def pass_time(self, minutes: int) -> None:
        self.now_ms += minutes * 60_000

    # ---- what must change nothing ---------------------------------------------------------
    @rule(slices=st.integers(1, 4))
    def maintain(self, slices: int) -> None:
        self.memory.maintain(self.now_ms)
        for _ in range(slices):
            self.disk.maintain(self.now_ms)
        while self.disk._oldest_hour != self.memory._oldest_hour:
            self.disk.maintain(self.now_ms)

    @rule()
    def crash(self) -> None:
        self.disk.abandon()
        self.disk, self.memory = self.open(0), self.memory.crash()

    @rule()
    def reopen(self) -> None:
        self.disk.close()
        self.disk, self.memory = self.open(0), self.memory.crash()

    # ---- comparing ------------------------------------------------------------------------
    @invariant()
    def answers_are_equal(self) -> None:
        assert self.answers(self.disk) == self.answers(self.memory)

    def answers(self, store: Store) -> dict[str, object]:
        """All that can be asked, by question."""
        found: dict[str, object] = {
            "damaged": store.damaged_shards(),
            "subjects": store.subjects("cart"),
            "due": [store.due(kind, self.now_ms + HOUR_MS) for kind in TimerKind],
        }
        for shard in range(SHARDS):
            found[f"shard {shard}"] = (
                store.shard(shard),
                store.applied(shard),
                store.receiving(shard),
            )
            found[f"records {shard}"] = store.records(shard, 0, limit=1000)
            for entity in self.asked:
                subject = (shard, "cart", entity)
                found[f"{subject}"] = (
                    store.head(*subject),
                    store.load(*subject),
                    store.history(*subject, limit=1000),
                    [store.remembered(*subject, key) for key in KEYS],
                )
        return found

    def teardown(self) -> None:
        self.disk.abandon()
        findings = [check_folder(folder, Check.FULL) for folder in self.path.iterdir()]
        shutil.rmtree(self.path)
        assert all(found.ok for found in findings), findings

    def both(self, ask: Callable[[Store], object]) -> None:
        assert ask(self.disk) == ask(self.memory)

    def attempt(self, act: Callable[[], object]) -> object:
        try:
            return act()
        except (ValueError, StoreFull) as error:
            return type(error)
        except AppendRefused as error:
            return error.refused

    def batch(self, what: What) -> list[Append]:
        """Appends as speculating writers make them: each on top of what it believes."""
        believed: dict[tuple[int, str], tuple[int, int, bool]] = {}
        batch: list[Append] = []
        for shard, entity, intent, payload in what:
            if self.memory.durable(shard) != self.memory.applied(shard):
                continue
            head = self.memory.head(shard, "cart", entity)
            known = (head.version, head.number, bool(head.deleted_ms)) if head else (0, 0, False)
            version, number, dead = believed.get((shard, entity), known)
            records = self.records(entity, intent, number, payload)
            epoch = self.memory.shard(shard).position.epoch - (intent == "stale")
            batch.append(Append(shard, epoch, version, tuple(records)))
            cleaned = intent == "clean"
            believed[(shard, entity)] = (
                0 if cleaned else version + len(records),
                0 if cleaned else records[-1].number,
                dead,
            )
        return batch

    def records(self, entity: str, intent: str, number: int, payload: bytes) -> list[Record]:
        kind = {
            "state": RecordKind.STATE,
            "reply": RecordKind.REPLY,
            "delete": RecordKind.DELETED,
            "clean": RecordKind.CLEANED,
        }.get(intent, RecordKind.EVENT)
        count = 3 if intent == "events" else 1
        step = 7 if intent == "wrong" else int(kind in (RecordKind.EVENT, RecordKind.STATE))
        return [
            Record(
                kind,
                "cart",
                entity,
                number + step * (i + 1),
                self.now_ms,
                payload,
                KEYS[(number + i) % 3] if kind is not RecordKind.CLEANED else b"",
                payload,
                self.now_ms + 1_000 * len(payload),
            )
            for i in range(count)
        ]


class TwoPairs(TwoStores):
    """The second pair is what shards are copied to."""

    def __init__(self) -> None:
        super().__init__()
        self.other_disk = self.open(1)
        self.other_memory = MemoryStore(self.other_disk.identity, keys_kept_ms=HOUR_MS)

    @rule(shard=shards, limit=st.sampled_from([1, 3, 100]), most=st.sampled_from([1, 3, 100]))
    def copy(self, shard: int, limit: int, most: int) -> None:
        """Begin a copy, or go on with it, for a few pages; begin anew where the source went on."""
        source = self.memory.durable(shard)
        if source.offset == 0 or source != self.memory.applied(shard):
            return
        begun = self.other_memory.receiving(shard)
        if begun is None and self.other_memory.durable(shard) == source:
            return
        after = begun[1] if begun and begun[0] == source else 0
        if after == 0:
            self.both_others(lambda store: store.drop(shard))
        for _ in range(most):
            page = self.memory.export(shard, after, limit)
            assert self.disk.export(shard, after, limit) == page
            if page is None:
                break
            assert self.other_memory.receive(shard, source, page) == page.through
            assert self.other_disk.receive(shard, source, page) == page.through
            after = page.through

    @rule(shard=shards, limit=st.sampled_from([1, 3, 100]))
    def bring_back(self, shard: int, limit: int) -> None:
        """Where the copy is whole and the same: drop the source, and copy it back."""
        source = self.memory.durable(shard)
        if source.offset == 0 or self.other_memory.durable(shard) != source:
            return
        if source != self.memory.applied(shard):
            return
        self.both(lambda store: store.drop(shard))
        assert self.memory.records(shard, 0) == []
        after = 0
        while page := self.other_memory.export(shard, after, limit):
            assert self.other_disk.export(shard, after, limit) == page
            after = page.through
            assert self.disk.receive(shard, source, page) == after
            assert self.memory.receive(shard, source, page) == after

    @rule(shard=shards)
    def drop_copy(self, shard: int) -> None:
        self.both_others(lambda store: store.drop(shard))

    @rule(shard=shards)
    def drop(self, shard: int) -> None:
        """What begins anew has the positions of the dropped one: its copy must go too."""
        self.both(lambda store: self.attempt(lambda: store.drop(shard)))
        self.both_others(lambda store: store.drop(shard))

    @rule(slices=st.integers(1, 4))
    def maintain_other(self, slices: int) -> None:
        for _ in range(slices):
            self.other_disk.maintain(START_MS)
        self.other_memory.maintain(START_MS)

    @rule()
    def crash_other(self) -> None:
        self.other_disk.abandon()
        self.other_disk, self.other_memory = self.open(1), self.other_memory.crash()

    @invariant()
    def others_answer_equally(self) -> None:
        assert self.answers(self.other_disk) == self.answers(self.other_memory)

    def teardown(self) -> None:
        self.other_disk.abandon()
        super().teardown()

    def both_others(self, ask: Callable[[Store], object]) -> None:
        assert ask(self.other_disk) == ask(self.other_memory)


TestTwoStores = TwoStores.TestCase
TestTwoPairs = TwoPairs.TestCase
SETTINGS = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestTwoStores.settings = SETTINGS
TestTwoPairs.settings = settings(SETTINGS, max_examples=30)
