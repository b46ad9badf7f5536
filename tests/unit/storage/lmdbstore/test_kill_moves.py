"""kill -9 at any step of a move: the next start ends with every record there, exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actorkalix_storage.api import Append, Appended, HomeTable, Snapshot
from actorkalix_storage.failpoints import VARIABLE
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store, read_homes, verify
from actorkalix_storage.testing.harness import START_MS, cleaned, deleted, event, write

SHARDS = 3
BEFORE, AFTER = HomeTable(1, ((0,),) * SHARDS), HomeTable(2, ((1,),) * SHARDS)

PROGRAM = """
import sys
from actorkalix_storage.api import HomeTable
from actorkalix_storage.lmdbstore import Options, open_store

options = Options(check=False, checkpoint_records=9, slice_rows=7)
stores = [
    open_store(f"{sys.argv[1]}/{n}", service="shop", shards=3, cluster="0" * 32, number=n,
               lineage=77, options=options)
    for n in (0, 1)
]
source, target = stores
after_moves = HomeTable(2, ((1,),) * 3)
if source.homes() != after_moves and target.homes() != after_moves:
    for shard in range(3):
        position = source.durable(shard)
        if source.shard(shard).sealed:
            continue
        begun = target.receiving(shard)
        if begun is None and target.durable(shard) == position:
            continue
        after = begun[1] if begun else 0
        while page := source.export(shard, after, 4):
            after = target.receive(shard, position, page)
            target.maintain(1)
    for shard in range(3):
        source.seal(shard, source.durable(shard).epoch)
for store in reversed(stores):
    store.put_homes(after_moves)
for shard in range(3):
    source.drop(shard)
    while source.maintain(1):
        pass
for store in stores:
    store.checkpoint()
    store.close()
"""


def opened(path: Path, number: int) -> LmdbStore:
    return open_store(
        path / str(number),
        service="shop",
        shards=SHARDS,
        cluster="0" * 32,
        number=number,
        lineage=77,
        options=Options(check=False),
    )


def filled(path: Path) -> list[object]:
    """The first store with something of everything; what all its shards answer."""
    store = opened(path, 0)
    store.put_homes(BEFORE)
    store.open_shards(range(SHARDS), START_MS)
    for shard in range(SHARDS):
        for n in range(1, 11):
            record = event(n, b"payload", key=bytes([n]) * 16, expires_ms=START_MS + n)
            write(store, record, shard=shard)
            write(store, event(n, b"gone", entity="b"), shard=shard)
        write(store, deleted(10, entity="b"), cleaned(10, entity="b"), shard=shard)
        store.put_snapshot(shard, "cart", "a", Snapshot(2, 1, 2, b"folded" * 30_000))
    found = answers(store)
    store.close()
    return found


def answers(store: LmdbStore) -> list[object]:
    return [
        (
            [s for s in store.records(shard, 0) if s.record.component],
            store.load(shard, "cart", "a"),
            store.remembered(shard, "cart", "a", bytes([3]) * 16),
            store.subjects("cart"),
        )
        for shard in range(SHARDS)
    ]


def move(path: Path, text: str) -> int:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), VARIABLE: text},
        check=False,
    ).returncode


@pytest.mark.parametrize(
    "places",
    [
        ("receive.before_sync@1", "receive.after_sync@1", "snapshot.piece@2"),
        ("receive.before_sync@3", "checkpoint.slice@2", "receive.after_sync@4"),
        ("receive.after_sync@2", "seal.before_sync@2", "seal.after_sync@1"),
        ("homes.before_sync@1", "homes.after_sync@1", "drop.before_sync@1"),
        ("homes.before_sync@2", "drop.middle@1", "sweep.slice@1", "sweep.slice@2"),
        ("drop.after_sync@2", "drop.middle@1", "sweep.slice@3"),
    ],
)
def test_a_move_that_is_killed_again_and_again(tmp_path: Path, places: tuple[str, ...]) -> None:
    before = filled(tmp_path)
    for place in places:
        name, _, number = place.partition("@")
        assert move(tmp_path, f"{name}=crash@{number}") == -signal.SIGKILL, place
        for folder in "01":
            findings = verify(tmp_path / folder)
            assert findings.ok, (place, findings)
    assert move(tmp_path, "") == 0
    assert [read_homes(tmp_path / folder) for folder in "01"] == [AFTER, AFTER]
    source, target = opened(tmp_path, 0), opened(tmp_path, 1)
    assert answers(target) == before
    assert answers(source) == [([], None, None, [])] * SHARDS
    assert target.open_shards(range(SHARDS), START_MS) == dict.fromkeys(range(SHARDS), 2)
    (outcome,) = target.commit([Append(0, 2, 10, (event(11),))])
    assert isinstance(outcome, Appended), outcome
    for store, folder in ((source, "0"), (target, "1")):
        store.close()
        assert verify(tmp_path / folder).ok
