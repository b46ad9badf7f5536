"""The store on disk: what is particular to it."""

from __future__ import annotations

import threading
from pathlib import Path

import lmdb
import pytest

from actorkalix_storage.api import DurabilityLost
from actorkalix_storage.lmdbstore import (
    Findings,
    LmdbStore,
    Options,
    open_store,
    opening,
    verify,
)
from actorkalix_storage.lmdbstore.child import Check
from actorkalix_storage.lmdbstore.folder import is_short
from actorkalix_storage.testing.harness import START_MS, cleaned, deleted, event, write

SECRET = b"what is cleaned must leave the disk"


def opened(path: Path, **options: int) -> LmdbStore:
    return open_store(path, service="shop", shards=4, options=Options(check=False, **options))


def test_cleaned_payloads_leave_the_log(tmp_path: Path) -> None:
    """ES-52: events and snapshots are physically removed."""
    store = opened(tmp_path, slice_rows=3)
    store.open_shards([0], START_MS)
    for n in range(1, 6):
        write(store, event(n, SECRET))
        write(store, event(n, b"kept", entity="b"))
    write(store, deleted(5))
    write(store, cleaned(5))
    store.checkpoint()
    while store.maintain(START_MS):
        pass
    rows = store._environment.read()
    log = b"".join(bytes(value) for _, value in rows.cursor())
    rows.abort()
    assert SECRET not in log
    assert log.count(b"kept") == 5
    store.close()
    findings = verify(tmp_path)
    assert findings.ok, findings
    store = opened(tmp_path)
    assert [s.record.payload for s in store.records(0, 1)] == [b"kept"] * 5
    assert store.durable(0).offset == 13
    store.close()


def test_readers_agree_while_the_writer_checkpoints(tmp_path: Path) -> None:
    """Whatever moves from memory to disk meanwhile, a reader sees a prefix of the truth."""
    store = opened(tmp_path, checkpoint_records=20, slice_rows=7)
    store.open_shards(range(4), START_MS)
    rounds, entities = 120, [f"e{i}" for i in range(8)]
    done = threading.Event()
    wrong: list[str] = []

    def read(entity: str) -> None:
        seen = 0
        while not done.is_set():
            history = store.load(0, "cart", entity)
            numbers = [s.record.number for s in history.records] if history else []
            if numbers != list(range(1, len(numbers) + 1)) or len(numbers) < seen:
                wrong.append(f"{entity}: {numbers[-3:]} after {seen}")
            seen = len(numbers)
            subjects = store.subjects("cart")
            if subjects != sorted(set(subjects)):
                wrong.append(f"subjects {subjects}")

    readers = [threading.Thread(target=read, args=(entity,)) for entity in entities[:3]]
    for reader in readers:
        reader.start()
    for n in range(1, rounds + 1):
        for entity in entities:
            write(store, event(n, entity=entity))
        store.maintain(START_MS)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    store.close()
    assert verify(tmp_path).ok


def test_a_big_store_opens_without_reading_its_heads(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    write(store, event(1))
    store.close()
    store = opened(tmp_path)
    assert store._active.heads == {}
    assert store.head(0, "cart", "a") is not None
    store.close()


def test_a_walk_through_a_shards_log_goes_on_in_its_next_chunk(tmp_path: Path) -> None:
    """Wherever it begins: what is kept of the chunk before says nothing of the next one."""
    store = opened(tmp_path)
    store.open_shards([0], START_MS)
    write(store, *(event(n) for n in range(1, 701)))
    store.checkpoint()
    for after in (0, 100, 511, 512):
        assert len(store.records(0, after, limit=1000)) == 701 - after
    assert store.damaged_shards() == {}
    store.close()


def test_a_clean_close_needs_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(tmp_path, service="shop").close()
    calls: list[Path] = []

    def run_check(path: Path, check: Check) -> Findings:
        calls.append(path)
        return Findings(ok=True)

    monkeypatch.setattr(opening, "run_check", run_check)
    open_store(tmp_path, service="shop").abandon()
    assert calls == []
    open_store(tmp_path, service="shop").close()
    assert calls == [tmp_path]
    assert not is_short(tmp_path)


def test_an_error_after_a_failed_sync_ends_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    store.open_shards([0], START_MS)

    def fail(transaction: lmdb.Transaction[bytes]) -> None:
        transaction.abort()
        error = lmdb.Error("mdb_txn_commit: Input/output error")
        error.code = 5  # type: ignore[misc]  # as the binding sets it
        raise error

    monkeypatch.setattr(store._environment, "commit", fail)
    with pytest.raises(DurabilityLost):
        write(store, event(1))
    with pytest.raises(DurabilityLost):
        store.head(0, "cart", "a")
    store.close()
    store = opened(tmp_path)
    assert store.head(0, "cart", "a") is None
    store.close()
