"""Data folders with many entities, made once and kept: through the store's commit, in big batches.

What is made is what the service itself would have written: one `Added` each, in the folder that
`actorkalix run` expects. A folder that was not finished has another name and is made anew.
"""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path

from actorkalix.codec import codecs_for
from actorkalix_cluster.placement import SHARDS_DEFAULT, shard_of
from actorkalix_cluster.placement.ring import RingStore, propose
from actorkalix_storage.api import Append, Appended, HomeTable, Record, RecordKind
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store
from actorkalix_storage.lmdbstore.rows import FORMAT

from .service import Added, service

BATCH = 10_000
OPTIONS = Options(checkpoint_records=100_000, slice_rows=20_000)
"""Nobody waits for a commit here: slices may be long."""


def stocked(scratch: Path, entities: int) -> Path:
    """A data folder in which so many entities are, `k0` and up, each with one event."""
    folder = scratch / f"entities-{entities}-format-{FORMAT}"
    if not folder.exists():
        making = scratch / f"{folder.name}.making"
        shutil.rmtree(making, ignore_errors=True)
        _make(store_of(making), entities)
        making.rename(folder)
    return folder


def store_of(folder: Path) -> Path:
    """The store in a data folder."""
    return folder / "store-0"


def _make(folder: Path, entities: int) -> None:
    folder.parent.mkdir(parents=True)
    store = open_store(folder, service=service.name, options=OPTIONS)
    store.put_homes(HomeTable(1, propose([RingStore(0)], SHARDS_DEFAULT)))
    now_ms = time.time_ns() // 1_000_000
    epochs = store.open_shards(range(SHARDS_DEFAULT), now_ms)
    descriptor = service.descriptor.components["counter"]
    payload = codecs_for(descriptor).stored.encode_event(Added(1))
    numbers = iter(range(entities))
    while batch := list(itertools.islice(numbers, BATCH)):
        _commit(store, [_append(f"k{number}", epochs, payload, now_ms) for number in batch])
        while store.maintain(now_ms):
            pass
    store.close()


def _append(entity: str, epochs: dict[int, int], payload: bytes, now_ms: int) -> Append:
    shard = shard_of("counter", entity, SHARDS_DEFAULT)
    record = Record(RecordKind.EVENT, "counter", entity, 1, now_ms, payload)
    return Append(shard, epochs[shard], 0, (record,))


def _commit(store: LmdbStore, appends: list[Append]) -> None:
    for outcome in store.commit(appends):
        if not isinstance(outcome, Appended):
            raise RuntimeError(f"an entity was not stored: {outcome.reason}")
