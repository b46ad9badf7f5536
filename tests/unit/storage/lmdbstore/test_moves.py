"""Moves on disk: what a drop leaves behind goes, and no end in the middle does harm."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actorkalix_storage.api import Damaged, HomeTable, Position, Snapshot, StoreFull
from actorkalix_storage.api.keys import KeyKind, drop_key, kind_key, shard_key, shard_of
from actorkalix_storage.failpoints import Failpoints
from actorkalix_storage.lmdbstore import LmdbStore, Options, dropping, open_store, verify
from actorkalix_storage.lmdbstore.check import check_folder
from actorkalix_storage.lmdbstore.child import Check
from actorkalix_storage.lmdbstore.environment import Environment
from actorkalix_storage.lmdbstore.rows import (
    Drop,
    pack_drop,
    pack_shard,
    unpack_drop,
    unpack_shard,
    unpack_source,
)
from actorkalix_storage.testing.harness import START_MS, cleaned, deleted, event, write

SECRET = b"what is dropped must leave the disk"
KEY = b"k" * 16
HOMES = HomeTable(4, ((0,), (1,), (0,), (1,)))
OF_SHARDS = (KeyKind.SHARD, KeyKind.HEAD, KeyKind.SHARD_LOG, KeyKind.SNAPSHOT, KeyKind.RECLAIM)


def opened(path: Path, number: int = 0, **options: int) -> LmdbStore:
    return open_store(
        path,
        service="shop",
        shards=4,
        cluster="0" * 32,
        number=number,
        lineage=77,
        options=Options(check=False, **options),
    )


def filled(path: Path, **options: int) -> LmdbStore:
    """Shard 0 with every kind of row, shard 1 as its neighbour in every log row."""
    store = opened(path, **options)
    store.put_homes(HOMES)
    store.open_shards(range(2), START_MS)
    for n in range(1, 31):
        for shard in (0, 1):
            entity, payload = f"e{n % 3}", SECRET if shard == 0 else b"kept"
            head = store.head(shard, "cart", entity)
            number = head.number + 1 if head else 1
            record = event(number, payload, entity=entity, key=KEY, expires_ms=START_MS + n)
            position = write(store, record, shard=shard).position
            if n == 15:
                incarnation = head.incarnation if head else 0
                folded = Snapshot(incarnation, number, position.offset, payload * 5_000)
                store.put_snapshot(shard, "cart", entity, folded)
    write(store, deleted(10, entity="e0"))
    store.checkpoint()
    write(store, cleaned(10, entity="e0"))
    return store


def rows_of(store: LmdbStore, shard: int) -> list[bytes]:
    """Keys of all rows of a shard, idempotency and timers included."""
    found: list[bytes] = []
    rows = store.environment.read()
    for key_, value in rows.cursor():
        key = bytes(key_)
        kind = int.from_bytes(key[:2], "big")
        if kind in OF_SHARDS:
            is_its = shard_of(key) == shard
        elif kind == KeyKind.TIMER:
            is_its = int.from_bytes(key[11:13], "big") == shard
        else:
            is_its = kind == KeyKind.IDEMPOTENCY and value[:2] == shard.to_bytes(2, "big")
        if is_its:
            found.append(key)
    rows.abort()
    return found


def copied(source: LmdbStore, target: LmdbStore, shard: int = 0, limit: int = 7) -> None:
    after, position = 0, source.durable(shard)
    while page := source.export(shard, after, limit):
        after = target.receive(shard, position, page)


@pytest.mark.parametrize("slice_rows", [1, 5, 500])
def test_a_dropped_shard_leaves_nothing_but_the_void(tmp_path: Path, slice_rows: int) -> None:
    store = filled(tmp_path, slice_rows=slice_rows)
    neighbour = store.records(1, 0)
    beside = rows_of(store, 1)
    assert len(rows_of(store, 0)) >= 10
    store.drop(0)
    while store.maintain(START_MS):
        pass
    assert rows_of(store, 0) == []
    assert rows_of(store, 1) == beside
    rows = store.environment.read()
    everything = b"".join(bytes(value) for _, value in rows.cursor())
    drop = rows.get(drop_key(0))
    rows.abort()
    assert SECRET not in everything
    assert drop is not None
    assert unpack_drop(drop, 0).is_swept
    assert store.records(1, 0) == neighbour
    for is_clean in (False, True):
        store.close() if is_clean else store.abandon()
        findings = verify(tmp_path)
        assert findings.ok, findings
        store = opened(tmp_path)
        assert store.durable(0).offset == 0
        assert store.records(1, 0) == neighbour
    store.close()


def test_an_end_between_any_two_slices_does_no_harm(tmp_path: Path) -> None:
    store = filled(tmp_path, slice_rows=2)
    neighbour = store.records(1, 0)
    store.drop(0)
    slices, more = 0, True
    while more:
        more = store.maintain(START_MS)
        slices += 1
        store.abandon()
        findings = check_folder(tmp_path, Check.FULL)
        assert findings.ok, (slices, findings)
        store = opened(tmp_path, slice_rows=2)
        assert store.subjects("cart") == [(1, "e0"), (1, "e1"), (1, "e2")]
        assert store.records(1, 0) == neighbour
        assert store.homes() == HOMES
    assert slices > 15
    assert rows_of(store, 0) == []
    store.close()


def test_a_shard_may_come_back_before_it_is_swept_away(tmp_path: Path) -> None:
    home, away = filled(tmp_path / "home", slice_rows=3), opened(tmp_path / "away", 1)
    records = home.records(0, 0)
    for _ in range(3):
        copied(home, away)
        home.drop(0)
        home.maintain(START_MS)
        copied(away, home)
        away.drop(0)
        assert home.records(0, 0) == records
        assert home.remembered(0, "cart", "e1", KEY) is not None
        home.checkpoint()
    for store, path in ((home, "home"), (away, "away")):
        store.abandon()
        findings = verify(tmp_path / path)
        assert findings.ok, findings


def test_a_slice_is_bounded_by_the_log_rows_that_it_rewrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    for n in range(1, 9):
        write(store, event(n, b"x" * 10_000))
    store.drop(0)
    monkeypatch.setattr(dropping, "ROW_BYTES_OF_SLICE", 25_000)
    slices = 0
    while store.maintain(START_MS):
        slices += 1
    assert slices == 3
    assert rows_of(store, 0) == []
    store.close()


def test_no_space_while_sweeping_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path)
    store.drop(0)
    failing = Failpoints("sweep.slice=enospc@1;snapshot.piece=enospc;drop.before_sync=enospc")
    monkeypatch.setattr("actorkalix_storage.failpoints._failpoints", failing)
    assert not store.maintain(START_MS)
    with pytest.raises(StoreFull):
        store.drop(1)
    assert store.durable(1).offset > 0
    assert store.open_shards([0], START_MS) == {0: 1}
    store.close()
    assert verify(tmp_path).ok


def test_damage_is_dropped_but_named(tmp_path: Path) -> None:
    """What cannot be read is left as it is; what begins anew is sound."""
    store = filled(tmp_path)
    store.close()
    data = (tmp_path / "data.mdb").read_bytes()
    (tmp_path / "data.mdb").write_bytes(data.replace(SECRET, SECRET[:-1] + b"?"))
    store = opened(tmp_path)
    with pytest.raises(Damaged):
        store.load(0, "cart", "e1")
    assert list(store.damaged_shards()) == [0]
    store.drop(0)
    store.abandon()
    store = opened(tmp_path)
    assert store.damaged_shards() == {}
    assert store.open_shards([0], START_MS) == {0: 1}
    write(store, event(1, b"anew", entity="e1"))
    assert store.remembered(0, "cart", "e1", b"o" * 16) is None
    store.close()
    findings = verify(tmp_path)
    assert not findings.ok
    assert all("shard 0" in damage for damage in findings.damages)
    store = opened(tmp_path)
    assert store.load(0, "cart", "e1") is not None
    store.close()


# ---- rows ---------------------------------------------------------------------------------
def test_rows_of_shards_that_are_no_copies_stay_as_they_were(tmp_path: Path) -> None:
    store = filled(tmp_path)
    state = store.shard(1)
    store.checkpoint()
    rows = store.environment.read()
    row = bytes(rows.get(shard_key(1)) or b"")
    rows.abort()
    assert row == pack_shard(state)
    assert len(row) == 41
    assert unpack_shard(row) == state
    store.close()


@pytest.mark.parametrize("bit", range(0, 120, 7))
def test_a_flipped_bit_in_the_row_of_a_drop_is_found(bit: int) -> None:
    row = bytearray(pack_drop(3, Drop(9 << 16)))
    assert unpack_drop(bytes(row), 3) == Drop(9 << 16)
    row[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged, match="shard 3"):
        unpack_drop(bytes(row), 3)
    with pytest.raises(Damaged, match="shard 4"):
        unpack_drop(pack_drop(3, Drop(9 << 16)), 4)


def altered(path: Path, key: bytes, row: bytes | None, at: int = -1) -> str:
    """What a full check says after a row was replaced, or a bit of it flipped."""
    store = opened(path, 1)
    with store.environment.write() as rows:
        old = bytearray(rows.get(key) or b"")
        assert old
        if at >= 0:
            old[at] ^= 0x10
            row = bytes(old)
        if row is None:
            rows.delete(key)
        else:
            rows.put(key, row)
    store.abandon()
    findings = check_folder(path, Check.FULL)
    assert not findings.ok
    return "\n".join(findings.damages)


def moved(path: Path) -> None:
    """A store with a copy, a dropped shard, a home table, all at rest."""
    source, store = filled(path / "source"), opened(path / "store", 1)
    store.put_homes(HOMES)
    copied(source, store, 0)
    copied(source, store, 1)
    store.drop(1)
    while store.maintain(START_MS):
        pass
    store.close()
    source.close()
    findings = verify(path / "store")
    assert findings.ok, findings


@pytest.mark.parametrize("at", [0, 5, 9])
def test_a_home_table_that_was_altered_is_found(tmp_path: Path, at: int) -> None:
    moved(tmp_path)
    assert "the home table" in altered(tmp_path / "store", kind_key(KeyKind.HOME), None, at)
    with pytest.raises(Damaged, match="the home table"):
        opened(tmp_path / "store", 1)


@pytest.mark.parametrize(
    "row, words",
    [
        (None, "dropped at [0-9]+ by the log, at 0 by its row"),
        (pack_drop(1, Drop(5 << 16, is_swept=True)), "by the log, at 327680 by its row"),
        (pack_drop(1, Drop(0, is_swept=True))[:-1], "the row of its drop"),
    ],
)
def test_a_drop_that_was_altered_is_found(tmp_path: Path, row: bytes | None, words: str) -> None:
    moved(tmp_path)
    assert re.search(words, altered(tmp_path / "store", drop_key(1), row))


def test_a_copy_whose_source_was_altered_is_found(tmp_path: Path) -> None:
    moved(tmp_path)
    path = tmp_path / "store"
    environment = Environment(path)
    rows = environment.read()
    row = bytes(rows.get(shard_key(0)) or b"")
    rows.abort()
    environment.close()
    state, source = unpack_shard(row), unpack_source(row)
    assert source is not None
    other = pack_shard(state, Position(source.lineage + 1, source.epoch, source.offset))
    assert "it is a copy of" in altered(path, shard_key(0), other)
