"""Damage on disk is found, named, and never kills the process that asks."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from actorkalix_storage.api import Append, Damaged, RefusalKind, Refused, Snapshot
from actorkalix_storage.api.keys import log_key
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store, verify
from actorkalix_storage.lmdbstore.check import check_folder
from actorkalix_storage.lmdbstore.child import Check
from actorkalix_storage.testing.harness import START_MS, cleaned, deleted, event, reply, write

PAYLOAD = b"a payload that stands once in the file: "
KEY = b"k" * 16


def filled(path: Path, *, options: Options | None = None) -> LmdbStore:
    """A store with every kind of row, half of it after the last checkpoint."""
    store = open_store(path, service="shop", shards=8, options=options)
    store.open_shards(range(4), START_MS)
    for n in range(40):
        shard, entity = n % 4, f"e{n % 12}"
        head = store.head(shard, "cart", entity)
        number = head.number + 1 if head else 1
        record = event(number, PAYLOAD + b"%04d" % n, entity=entity, key=KEY, expires_ms=START_MS)
        position = write(store, record, shard=shard).position
        if n == 20:
            incarnation = head.incarnation if head else position.offset
            snapshot = Snapshot(incarnation, number, position.offset, b"s" * 100_000)
            store.put_snapshot(shard, "cart", entity, snapshot)
            write(store, deleted(number, entity=entity), shard=shard)
            write(store, cleaned(number, entity=entity), shard=shard)
            store.checkpoint()
    return store


def flip(path: Path, at: int, mask: int = 0xFF) -> None:
    with (path / "data.mdb").open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ mask]))


def flip_in(path: Path, what: bytes, back: int = 0, mask: int = 0xFF) -> None:
    """Flip the byte `back` before some bytes, in every copy (pages that are free keep old ones)."""
    data = (path / "data.mdb").read_bytes()
    places = [found.start() - back for found in re.finditer(re.escape(what), data)]
    assert places
    for at in places:
        flip(path, at, mask)


def test_a_sound_store_is_found_sound(tmp_path: Path) -> None:
    store = filled(tmp_path)
    write(store, reply(4, KEY, b"r", entity="e1"), shard=1)
    live = verify(tmp_path, live=True)
    assert live.ok, live
    store.maintain(START_MS)
    store.close()
    findings = verify(tmp_path)
    assert findings.ok, findings
    assert (findings.records, findings.shards) == (47, 4)
    assert findings.rows > findings.records
    store = open_store(tmp_path, service="shop", shards=8)
    while store.maintain(START_MS + 10**9):
        pass
    store.close()
    assert verify(tmp_path).ok
    data = (tmp_path / "data.mdb").read_bytes()
    assert data.count(PAYLOAD + b"0019") >= 1


def test_a_flipped_bit_in_the_tail_takes_its_shard_out_of_service(tmp_path: Path) -> None:
    filled(tmp_path).abandon()
    flip_in(tmp_path, PAYLOAD + b"0038")
    store = open_store(tmp_path, service="shop", shards=8)
    assert list(store.damaged_shards()) == [2]
    assert "checksum" in store.damaged_shards()[2]
    with pytest.raises(Damaged, match="checksum"):
        store.load(2, "cart", "e2")
    assert store.open_shards([1, 2], START_MS) == {1: 2}
    (outcome,) = store.commit([Append(2, 1, 0, (event(1),))])
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.DAMAGED
    assert store.load(1, "cart", "e1") is not None
    store.close()
    store = open_store(tmp_path, service="shop", shards=8)
    assert list(store.damaged_shards()) == [2], "damage is not forgotten by a checkpoint"
    store.close()
    findings = verify(tmp_path)
    assert not findings.ok
    assert "shard 2" in findings.first


def test_a_flipped_bit_before_the_checkpoint_is_found_when_it_is_read(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.close()
    flip_in(tmp_path, PAYLOAD + b"0005")
    store = open_store(tmp_path, service="shop", shards=8)
    assert store.damaged_shards() == {}
    with pytest.raises(Damaged, match=r"log row .*checksum"):
        store.load(1, "cart", "e5")
    assert list(store.damaged_shards()) == [1]
    store.close()


def test_a_log_row_that_is_gone_is_damage(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with store._environment.write() as rows:
        rows.delete(log_key(store._sequence - 3))
    store.abandon()
    with pytest.raises(Damaged, match=r"log row .* is missing"):
        open_store(tmp_path, service="shop", shards=8)
    assert "is missing" in verify(tmp_path).first


def test_a_file_cut_short_is_damage_and_kills_nobody(tmp_path: Path) -> None:
    filled(tmp_path).close()
    size = (tmp_path / "data.mdb").stat().st_size
    with (tmp_path / "data.mdb").open("r+b") as file:
        file.truncate(size // 2 // 4096 * 4096)
    findings = verify(tmp_path)
    assert findings.fatal
    assert findings.first
    with pytest.raises(Damaged):
        open_store(tmp_path, service="shop", shards=8)


@pytest.mark.parametrize("size", [0, 1, 4096, 8192])
def test_a_file_of_nothing_is_damage(tmp_path: Path, size: int) -> None:
    """A data file appears whole, by a rename: an empty one is not one that was being made."""
    (tmp_path / "data.mdb").write_bytes(b"\0" * size)
    with pytest.raises(Damaged, match="meta page"):
        open_store(tmp_path, service="shop")


def test_the_death_of_the_child_is_a_finding(tmp_path: Path) -> None:
    """LIVE leaves out the look at the pages, so LMDB itself meets the missing ones: SIGBUS."""
    filled(tmp_path).close()
    with (tmp_path / "data.mdb").open("r+b") as file:
        file.truncate(4096 * 3)
    findings = verify(tmp_path, live=True)
    assert findings.fatal
    assert "SIG" in findings.first


def test_whatever_bit_is_flipped_is_found_or_matters_not(tmp_path: Path) -> None:
    """A flip is either found, or in bytes that nothing reads: then all answers are the same."""
    original = tmp_path / "data.mdb"
    store = filled(tmp_path)
    store.close()
    data = original.read_bytes()
    chance = random.Random(20)
    found = 0
    for _ in range(150):
        at = chance.randrange(len(data))
        mask = 1 << chance.randrange(8)
        flip(tmp_path, at, mask)
        try:
            findings = check_folder(tmp_path, Check.FULL)
        finally:
            original.write_bytes(data)
        found += not findings.ok
        assert findings.ok == (not findings.damages)
    assert found >= 20


def test_every_flip_in_a_frame_is_found(tmp_path: Path) -> None:
    filled(tmp_path).close()
    original = tmp_path / "data.mdb"
    data = original.read_bytes()
    chance = random.Random(21)
    for n in (0, 11, 33, 39):
        back = chance.randrange(96)
        flip_in(tmp_path, PAYLOAD + b"%04d" % n, back, 1 << chance.randrange(8))
        findings = check_folder(tmp_path, Check.FULL)
        original.write_bytes(data)
        assert not findings.ok
        assert "log row" in findings.first
