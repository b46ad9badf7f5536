"""Stores that reclaim in their logs at once, and what tests ask of them."""

from __future__ import annotations

from pathlib import Path

from actorkalix_storage.api.keys import KeyKind, kind_key
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store
from actorkalix_storage.lmdbstore.check import check_folder
from actorkalix_storage.lmdbstore.child import Check
from actorkalix_storage.lmdbstore.estimate import NOW
from actorkalix_storage.testing.harness import (
    START_MS,
)

HOUR_MS = 3_600_000
KEY = b"0123456789abcdef"
TINY = Options(
    check=False,
    checkpoint_records=50,
    slice_rows=20,
    compact_bytes=4_000,
    segment_frames=100,
    keys_kept_ms=24 * HOUR_MS,
)
ALWAYS = Options(
    check=False, checkpoint_records=1, slice_rows=20, compact_bytes=0, compact_percent=0
)


def opened(path: Path, options: Options = TINY, number: int = 0) -> LmdbStore:
    return open_store(
        path, service="shop", shards=4, cluster="0" * 32, number=number, lineage=77, options=options
    )


def rest(store: LmdbStore, now_ms: int = START_MS) -> None:
    """Let the store do all that it has to do."""
    while store.maintain(now_ms):
        pass


def compacted(store: LmdbStore, now_ms: int = START_MS) -> None:
    """A checkpoint, so that the mark moves on, and a whole pass."""
    store.checkpoint()
    passes = store.reclaimed.passes
    store._estimate.add(NOW, 1)
    rest(store, now_ms)
    assert store.reclaimed.passes > passes
    assert not store.reclaimed.given_up


def log_rows(store: LmdbStore) -> dict[bytes, int]:
    """Key and size of all rows of the log."""
    rows = store._environment.read()
    cursor = rows.cursor()
    found = {}
    if cursor.set_range(kind_key(KeyKind.LOG)):
        found = {bytes(key): len(value) for key, value in cursor}
    rows.abort()
    return found


def count_of(store: LmdbStore, kind: KeyKind) -> int:
    rows = store._environment.read()
    found = sum(1 for key, _ in rows.cursor() if bytes(key[:2]) == kind_key(kind))
    rows.abort()
    return found


def sound(path: Path) -> None:
    findings = check_folder(path, Check.FULL)
    assert findings.ok, findings
