"""Damage that reads well: rows under another key, manifests with another number, lost branches."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import lmdb
import pytest

from actorkalix_storage.api import Damaged, Snapshot
from actorkalix_storage.api.keys import head_key, shard_key, snapshot_key, snapshots_key
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store, verify
from actorkalix_storage.lmdbstore.check import check_folder
from actorkalix_storage.lmdbstore.child import Check
from actorkalix_storage.lmdbstore.environment import Environment
from actorkalix_storage.testing.harness import START_MS, event, write
from tests.unit.storage.lmdbstore.test_damage import flip

PAGE_BYTES = 4096
PAGE_HEADER = struct.Struct("=QHHHH")  # mdb.c MDB_page: number, pad, flags, lower, upper
P_BRANCH = 0x01
NODE_HEADER_BYTES = 8  # mdb.c MDB_node: page in lo, hi and flags, then the size of the key
EVENTS = 3
ENTITIES = 200

Rows: TypeAlias = "lmdb.Transaction[bytes]"


def _opened(path: Path) -> LmdbStore:
    return open_store(path, service="shop", shards=8, options=Options(check=False))


def _with_a_snapshot(path: Path) -> None:
    """An entity with a snapshot of all its events."""
    store = _opened(path)
    store.open_shards([0], START_MS)
    for number in range(1, EVENTS + 1):
        write(store, event(number))
    head = store.head(0, "cart", "a")
    assert head is not None
    store.put_snapshot(0, "cart", "a", Snapshot(head.incarnation, EVENTS, head.offset, b"all"))
    store.close()


def _changed(path: Path, change: Callable[[Rows, bytes, bytes], None]) -> None:
    """Do something to the snapshot's only piece."""
    key = snapshot_key(snapshots_key(0, "cart", "a"), EVENTS, 0)
    environment = Environment(path)
    with environment.write() as rows:
        piece = rows.get(key)
        assert piece is not None
        change(rows, key, piece)
    environment.close()


def _other_number(rows: Rows, key: bytes, piece: bytes) -> None:
    rows.delete(key)
    rows.put(snapshot_key(snapshots_key(0, "cart", "a"), EVENTS - 1, 0), piece)


def _other_offset(rows: Rows, key: bytes, piece: bytes) -> None:
    incarnation, offset = struct.unpack_from(">QQ", piece)
    rows.put(key, struct.pack(">QQ", incarnation, offset - 1) + piece[16:])


def _other_entity(rows: Rows, key: bytes, piece: bytes) -> None:
    rows.delete(key)
    rows.put(snapshot_key(snapshots_key(0, "cart", "b"), EVENTS, 0), piece)


@pytest.mark.parametrize("change", [_other_number, _other_offset, _other_entity])
def test_a_snapshot_of_something_else_is_named_and_not_used(
    tmp_path: Path, change: Callable[[Rows, bytes, bytes], None]
) -> None:
    _with_a_snapshot(tmp_path)
    assert verify(tmp_path).ok
    _changed(tmp_path, change)
    findings = verify(tmp_path)
    assert "the checksum does not match" in findings.first, findings
    store = _opened(tmp_path)
    history = store.load(0, "cart", "a")
    assert history is not None
    assert (history.snapshot, len(history.records)) == (None, EVENTS)
    store.close()


def _branch_keys(raw: bytes) -> Iterator[int]:
    """Where the last byte of each key in a branch page is; the first key of a page is empty."""
    for page in range(2 * PAGE_BYTES, len(raw), PAGE_BYTES):
        _, _, flags, lower, _ = PAGE_HEADER.unpack_from(raw, page)
        if flags & P_BRANCH:
            for i in range(1, (lower - PAGE_HEADER.size) // 2):
                at = page + struct.unpack_from("=H", raw, page + PAGE_HEADER.size + 2 * i)[0]
                size = struct.unpack_from("=H", raw, at + NODE_HEADER_BYTES - 2)[0]
                yield at + NODE_HEADER_BYTES + size - 1


def test_a_row_to_which_no_key_leads_is_named(tmp_path: Path) -> None:
    store = _opened(tmp_path)
    store.open_shards([0], START_MS)
    for n in range(ENTITIES):
        write(store, event(1, entity=f"entity {n:03}"))
    store.close()
    assert verify(tmp_path).ok
    named = False
    for at in _branch_keys((tmp_path / "data.mdb").read_bytes()):
        flip(tmp_path, at, 0x02)
        store = _opened(tmp_path)
        lost = [n for n in range(ENTITIES) if store.head(0, "cart", f"entity {n:03}") is None]
        store.abandon()
        findings = check_folder(tmp_path, Check.FULL)
        assert not lost or not findings.ok, f"{at}: entities {lost} are gone"
        named = named or "its key does not lead to it" in findings.first
        flip(tmp_path, at, 0x02)
    assert named


def _flipped(path: Path, key: bytes, at: int) -> None:
    """Turn one bit of a row."""
    environment = Environment(path)
    with environment.write() as rows:
        row = bytearray(rows.get(key) or b"")
        row[at] ^= 0x04
        rows.put(key, bytes(row))
    environment.close()


@pytest.mark.parametrize("at", [0, 3, 4, 20, 51, 52, 59, 60, 71])
def test_no_bit_of_a_head_is_believed(tmp_path: Path, at: int) -> None:
    _with_a_snapshot(tmp_path)
    _flipped(tmp_path, head_key(0, "cart", "a"), at)
    store = _opened(tmp_path)
    with pytest.raises(Damaged, match="a head: the checksum does not match"):
        store.load(0, "cart", "a")
    assert 0 in store.damaged_shards()
    store.close()
    assert not verify(tmp_path).ok


@pytest.mark.parametrize("at", [0, 4, 12, 19, 30, 32])
def test_a_shard_whose_row_is_damaged_is_not_served_and_others_are(tmp_path: Path, at: int) -> None:
    store = _opened(tmp_path)
    store.open_shards([0, 1], START_MS)
    write(store, event(1), shard=1)
    store.close()
    _flipped(tmp_path, shard_key(0), at)
    store = _opened(tmp_path)
    assert list(store.damaged_shards()) == [0]
    assert "the checksum does not match" in store.damaged_shards()[0]
    assert list(store.open_shards([0, 1], START_MS)) == [1]
    assert store.load(1, "cart", "a") is not None
    store.close()
    assert not verify(tmp_path).ok


def test_keys_that_are_no_text_are_damage(tmp_path: Path) -> None:
    store = _opened(tmp_path)
    store.open_shards([0], START_MS)
    write(store, event(1))
    store.close()
    environment = Environment(tmp_path)
    with environment.write() as rows:
        row = rows.get(head_key(0, "cart", "a"))
        assert row is not None
        rows.put(head_key(0, "cart", "a") + b"\xff", row)
    environment.close()
    store = _opened(tmp_path)
    with pytest.raises(Damaged, match="an id in the key of a row"):
        store.subjects("cart")
    store.close()
    assert "cannot be read" in verify(tmp_path).first
