"""A data folder as hosts leave it: written by stores that are the homes of their shards alone."""

from __future__ import annotations

from pathlib import Path

from actorkalix.runtime.settling import Prepared
from actorkalix_cluster.placement import shard_of
from actorkalix_storage.api import Append, Appended, Record, RecordKind
from actorkalix_storage.lmdbstore import LmdbStore, open_store, read_homes

NOW_MS = 1_700_000_000_000
SHARDS = 16
ENTITIES = [f"cart-{number}" for number in range(40)]


def opened(prepared: Prepared, number: int) -> LmdbStore:
    return open_store(
        prepared.stores[number],
        service="shop",
        shards=prepared.shards,
        cluster=prepared.cluster,
        number=number,
        create=False,
    )


def serve(prepared: Prepared, *, clean: bool = True) -> None:
    """One more event in each entity, by the home of its shard."""
    for number in prepared.stores:
        store = opened(prepared, number)
        homes = prepared.homes.of_store(number)
        epochs = store.open_shards(homes, NOW_MS, sealed=True)
        assert sorted(epochs) == list(homes)
        for entity in ENTITIES:
            shard = shard_of("cart", entity, prepared.shards)
            if shard in epochs:
                head = store.head(shard, "cart", entity)
                version = head.version if head is not None else 0
                payload = f"{entity}/{version + 1}".encode()
                record = Record(RecordKind.EVENT, "cart", entity, version + 1, NOW_MS, payload)
                (done,) = store.commit([Append(shard, epochs[shard], version, (record,))])
                assert isinstance(done, Appended), done
        if clean:
            store.close()
        else:
            store.abandon()


def check(data: Path, prepared: Prepared, events: int) -> None:
    """Every entity has its events once, at its home; the folder has these stores alone."""
    assert sorted(path.name for path in data.glob("store-*")) == sorted(
        Path(folder).name for folder in prepared.stores.values()
    )
    assert not (data / "moving.json").exists()
    found: dict[str, list[bytes]] = {}
    for number, folder in prepared.stores.items():
        assert read_homes(folder) == prepared.homes
        store = opened(prepared, number)
        assert (store.identity.lineage, store.damaged_shards()) == (prepared.lineage, {})
        for shard in range(prepared.shards):
            at_home = number in prepared.homes.homes[shard]
            assert store.receiving(shard) is None
            assert at_home or store.durable(shard).offset == 0
        for shard, entity in store.subjects("cart", limit=1_000):
            assert entity not in found, f"{entity} is in two stores"
            history = store.history(shard, "cart", entity)
            found[entity] = [stored.record.payload for stored in history]
        store.close()
    assert found == {
        entity: [f"{entity}/{n}".encode() for n in range(1, events + 1)]
        for entity in (ENTITIES if events else ())
    }
