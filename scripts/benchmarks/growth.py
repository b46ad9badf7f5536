"""The data folder under updates: value entities are changed over and over, in process, no host.

Every other commit is followed by a slice of background work, as where the writer has moments of
rest. What is measured is the file: it grows by what lives, not by what was written.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from actorkalix_cluster.placement import SHARDS_DEFAULT, shard_of
from actorkalix_storage.api import Append, Appended, Record, RecordKind
from actorkalix_storage.lmdbstore import LmdbStore, open_store

from .rows import Row, Setting, at_most

COMPONENT = "board"
BATCH = 64
STATE_BYTES = 200
COMMITS_PER_SLICE = 2
PARTS = (4, 2, 1)
MIB = 2**20


def log_growth(setting: Setting) -> list[Row]:
    """Size of the data file after half and all of the updates, beside that after a quarter."""
    with tempfile.TemporaryDirectory() as folder:
        quarter, *later = _sizes(Path(folder), setting.updates, setting.keys)
    return [
        Row(
            what=f"data file after {setting.updates // part:,} updates of {setting.keys:,} values",
            beside=f"after {setting.updates // PARTS[0]:,}",
            durable=True,
            payload_bytes=STATE_BYTES,
            unit="MiB",
            value=size,
            other=quarter,
            ratio=size / quarter,
            targets=(at_most(1.5, "ratio"),),
        )
        for part, size in zip(PARTS[1:], later, strict=True)
    ]


def _sizes(folder: Path, updates: int, keys: int) -> list[float]:
    """MiB of the data file after each of the parts."""
    store = open_store(folder, service="bench")
    store.open_shards(range(SHARDS_DEFAULT), _now_ms())
    batches = _batches(keys)
    sizes: list[float] = []
    done = commits = 0
    for part in PARTS:
        while done < updates // part:
            done += _commit(store, next(batches))
            commits += 1
            if commits % COMMITS_PER_SLICE == 0:
                store.maintain(_now_ms())
        sizes.append((folder / "data.mdb").stat().st_size / MIB)
    store.close()
    return sizes


def _batches(keys: int) -> Iterator[list[Append]]:
    """Updates of entities that are drawn, each at most once in a batch."""
    draw, versions = random.Random(1), [0] * keys
    shards = [shard_of(COMPONENT, f"k{key}", SHARDS_DEFAULT) for key in range(keys)]
    payload = draw.randbytes(STATE_BYTES)
    while True:
        batch: list[Append] = []
        for key in draw.sample(range(keys), min(BATCH, keys)):
            version = versions[key]
            versions[key] = number = version + 1
            record = Record(RecordKind.STATE, COMPONENT, f"k{key}", number, _now_ms(), payload)
            batch.append(Append(shards[key], 1, version, (record,)))
        yield batch


def _commit(store: LmdbStore, batch: list[Append]) -> int:
    for outcome in store.commit(batch):
        if not isinstance(outcome, Appended):
            raise RuntimeError(f"an update was not stored: {outcome.reason}")
    return len(batch)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
