"""States that are written ahead: pieces in rows, and what nobody names any more."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import lmdb
import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actorkalix_storage.api import Ahead, Append, Appended, Damaged, Record, RecordKind, StoreFull
from actorkalix_storage.api.keys import KeyKind, ahead_key, aheads_key, kind_key
from actorkalix_storage.lmdbstore import LmdbStore, Options
from actorkalix_storage.lmdbstore.aheads import PIECE_BYTES, PIECES_OF_TRANSACTION
from actorkalix_storage.lmdbstore.check import check_folder
from actorkalix_storage.lmdbstore.child import Check
from actorkalix_storage.memorystore import MemoryStore
from actorkalix_storage.testing.harness import START_MS, cleaned, deleted, state, write
from tests.unit.storage.lmdbstore.compacting import count_of, opened, rest, sound

SMALL_SLICES = Options(check=False, checkpoint_records=3, slice_rows=2)
LARGE = bytes(range(256)) * 2_500
PIECES = -(-len(LARGE) // PIECE_BYTES)


def put(store: LmdbStore, payload: bytes = LARGE, entity: str = "a", key: bytes = b"") -> None:
    ahead = Ahead(0, "cart", entity, payload)
    while store.write_ahead(ahead):
        pass
    head = store.head(0, "cart", entity)
    number, version = (head.number, head.version) if head else (0, 0)
    record = msgspec.structs.replace(state(number + 1, payload, entity=entity), key=key)
    epoch = store.shard(0).position.epoch
    (outcome,) = store.commit([Append(0, epoch, version, (record,), ahead.name)])
    assert isinstance(outcome, Appended), outcome


def newest(store: LmdbStore, entity: str = "a") -> bytes:
    history = store.load(0, "cart", entity)
    assert history is not None
    return history.records[-1].record.payload


def pieces(store: LmdbStore) -> int:
    return count_of(store, KeyKind.AHEAD)


def test_the_commit_has_the_name_alone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    before = store._estimate.log_bytes
    put(store)
    assert store._estimate.log_bytes - before < 250
    assert pieces(store) == PIECES
    store.close()
    sound(tmp_path)


def test_what_is_superseded_goes_and_the_newest_stays(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    put(store, entity="b")
    for n in range(5):
        put(store, LARGE + b"%d" % n)
    assert pieces(store) == 6 * PIECES
    rest(store)
    assert pieces(store) == 2 * PIECES
    assert newest(store) == LARGE + b"4"
    write(store, state(6, b"small"))
    rest(store)
    assert pieces(store) == PIECES
    store.close()
    sound(tmp_path)


def test_what_a_crash_has_left_goes_after_the_next_start(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    for entity in "abc":
        put(store, entity=entity)
        put(store, LARGE[::-1], entity)
    half = Ahead(0, "cart", "d", LARGE * 3)
    assert store.write_ahead(half)
    store.abandon()
    sound(tmp_path)
    store = opened(tmp_path)
    assert pieces(store) == 6 * PIECES + PIECES_OF_TRANSACTION
    rest(store)
    assert pieces(store) == 3 * PIECES
    assert [newest(store, entity) for entity in "abc"] == [LARGE[::-1]] * 3
    store.close()
    sound(tmp_path)


def test_a_state_on_its_way_is_not_swept_up(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    put(store)
    ahead = Ahead(0, "cart", "a", LARGE * 3)
    while store.write_ahead(ahead):
        put(store, LARGE, "b")
        rest(store)
    rest(store)
    store.commit([Append(0, 1, 1, (state(2, LARGE * 3),), ahead.name)])
    rest(store)
    assert newest(store) == LARGE * 3


def test_numbers_of_states_are_never_used_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    put(store)
    store.abandon()
    store = opened(tmp_path)
    again = Ahead(0, "cart", "a", b"z" * len(LARGE))
    store.write_ahead(again)
    assert newest(store) == LARGE
    store.abandon()


def test_a_full_disk_leaves_the_state_before(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    put(store)
    ahead = Ahead(0, "cart", "a", LARGE[::-1])
    environment = store._environment

    def refuse(transaction: lmdb.Transaction[bytes]) -> None:
        transaction.abort()
        raise lmdb.MapFullError("no space")

    store.write_ahead(ahead)
    vars(environment)["commit"] = refuse
    with pytest.raises(StoreFull):
        store.write_ahead(ahead)
    del vars(environment)["commit"]
    store.forget_ahead(ahead)
    rest(store)
    assert (newest(store), pieces(store)) == (LARGE, PIECES)
    put(store, LARGE[::-1])
    store.close()
    sound(tmp_path)


@pytest.mark.parametrize("harm", ["missing", "changed"])
def test_damage_of_the_newest_state_is_named_and_not_served(tmp_path: Path, harm: str) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    put(store)
    put(store, LARGE[::-1])
    (number,) = {n[0] for n in _numbers(store)} - {min(_numbers(store))[0]}
    key = ahead_key(aheads_key(0, "cart", "a"), number, 1)
    with store._environment.write() as rows:
        if harm == "missing":
            rows.delete(key)
        else:
            rows.put(key, b"x" + (rows.get(key) or b"")[1:])
    with pytest.raises(Damaged, match="cart/a"):
        store.load(0, "cart", "a")
    assert list(store.damaged_shards()) == [0]
    store.abandon()
    findings = check_folder(tmp_path, Check.FULL)
    assert not findings.ok
    assert "cart/a" in findings.first


def _numbers(store: LmdbStore) -> set[tuple[int, int]]:
    rows = store._environment.read()
    found = {
        (int.from_bytes(key[-10:-2], "big"), int.from_bytes(key[-2:], "big"))
        for key in (bytes(key) for key, _ in rows.cursor())
        if key[:2] == kind_key(KeyKind.AHEAD)
    }
    rows.abort()
    return found


ENTITIES = ["a", "b", "b\0"]
entities = st.sampled_from(ENTITIES)
sizes = st.sampled_from([10, 70_000, PIECE_BYTES // 2, PIECE_BYTES, 3 * PIECE_BYTES])


class States(RuleBasedStateMachine):
    """Large and small states on disk and in memory; whatever happens, the newest is read."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="aheads-"))
        self.disk = opened(self.path, SMALL_SLICES)
        self.memory = MemoryStore(self.disk.identity)
        self.written = 0
        self.on_its_way: list[Ahead] = []
        self.begin()

    def begin(self) -> None:
        for store in (self.disk, self.memory):
            store.open_shards([0], START_MS)

    @rule(entity=entities, size=sizes, stale=st.booleans())
    def change(self, entity: str, size: int, stale: bool) -> None:
        self.written += 1
        payload = b"%d" % self.written * size
        head = self.memory.head(0, "cart", entity)
        number, version = (head.number, head.version) if head else (0, 0)
        record = Record(RecordKind.STATE, "cart", entity, number + 1, START_MS, payload)
        epoch = self.memory.shard(0).position.epoch
        append = Append(0, epoch, version + stale, (record,))
        outcomes: list[object] = []
        for store in (self.disk, self.memory):
            ahead = Ahead(0, "cart", entity, payload)
            while size > 10 and store.write_ahead(ahead):
                pass
            outcomes += store.commit([msgspec.structs.replace(append, ahead=ahead.name)])
        assert outcomes[0] == outcomes[1]

    @rule(entity=entities, more=st.integers(1, 2))
    def begin_one(self, entity: str, more: int) -> None:
        ahead = Ahead(0, "cart", entity, b"half" * (PIECE_BYTES // 2))
        self.on_its_way.append(ahead)
        for _ in range(more):
            if ahead.name == b"":
                self.disk.write_ahead(ahead)

    @rule()
    def give_up(self) -> None:
        for ahead in self.on_its_way:
            self.disk.forget_ahead(ahead)
        self.on_its_way.clear()

    @rule(entity=entities)
    def end_life(self, entity: str) -> None:
        head = self.memory.head(0, "cart", entity)
        if head:
            for store in (self.disk, self.memory):
                records = (deleted(head.number, entity=entity), cleaned(head.number, entity=entity))
                write(store, *records)

    @rule(slices=st.integers(1, 5))
    def maintain(self, slices: int) -> None:
        for _ in range(slices):
            self.disk.maintain(START_MS)

    @rule(kill=st.booleans())
    def reopen(self, kill: bool) -> None:
        self.on_its_way.clear()
        self.disk.abandon() if kill else self.disk.close()
        self.disk, self.memory = opened(self.path, SMALL_SLICES), self.memory.crash()
        self.begin()

    @invariant()
    def newest_states_are_equal(self) -> None:
        for entity in ENTITIES:
            subject = (0, "cart", entity)
            assert self.disk.load(*subject) == self.memory.load(*subject)
        assert not self.disk.damaged_shards()

    def teardown(self) -> None:
        self.give_up()
        rest(self.disk)
        needed = 0
        for entity in ENTITIES:
            history = self.memory.load(0, "cart", entity)
            size = len(history.records[-1].record.payload) if history else 0
            needed += -(-size // PIECE_BYTES) if size > 30 else 0
        assert pieces(self.disk) == needed
        self.disk.close()
        sound(self.path)
        shutil.rmtree(self.path)


TestStates = States.TestCase
TestStates.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
