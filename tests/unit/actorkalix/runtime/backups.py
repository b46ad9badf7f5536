"""Data folders of several stores at rest, and backups of them, without processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from actorkalix.ports import HostMethod
from actorkalix.runtime.backup import BackedUp, BackupEvent, ServiceBackup
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.host_backup import backup_methods
from actorkalix_storage.api import HomeTable
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store
from actorkalix_storage.testing.harness import START_MS, event, write

SHARDS = 4
CLUSTER = "ab" * 16
LINEAGE = 0x0123_4567_89AB_CDEF
MIB = 1024**2
EVENTS = 3


async def at_once(seconds: float) -> None:
    """Sleeps not at all."""
    await asyncio.to_thread(int)


def opened(data: Path, number: int, reserve_bytes: int = 0) -> LmdbStore:
    """A store of a data folder."""
    return open_store(
        data / f"store-{number}",
        service="shop",
        shards=SHARDS,
        cluster=CLUSTER,
        number=number,
        lineage=LINEAGE,
        options=Options(check=False, reserve_bytes=reserve_bytes),
    )


def filled(data: Path, stores: int = 2) -> dict[int, LmdbStore]:
    """Open stores of one lineage; store N has three events of 1 MiB in shard N."""
    found = {number: opened(data, number) for number in range(stores)}
    homes = HomeTable(1, tuple((shard % stores,) for shard in range(SHARDS)))
    for number, store in found.items():
        store.put_homes(homes)
        store.open_shards([number], START_MS)
        for n in range(1, EVENTS + 1):
            write(store, event(n, bytes([n]) * MIB), shard=number)
    return found


def methods_of(stores: Mapping[int, LmdbStore]) -> dict[int, dict[str, HostMethod]]:
    """What the hosts of these stores offer."""
    return {number: dict(backup_methods(store)) for number, store in stores.items()}


def service_backup(
    stores: Mapping[int, LmdbStore],
    data: Path,
    *,
    methods: Mapping[int, Mapping[str, HostMethod]] | None = None,
    sleep: Callable[[float], Awaitable[object]] = at_once,
) -> ServiceBackup:
    """The coordinator over stores that are open here."""
    return ServiceBackup(LocalCalls(methods or methods_of(stores)), data, sleep=sleep)


async def events_of(backup: ServiceBackup, target: Path) -> list[BackupEvent]:
    """All that is told of a backup."""
    return [event async for event in backup(str(target))]


def backed_up(data: Path, target: Path, stores: int = 2) -> BackedUp:
    """A backup of a new data folder, which is closed again."""
    found = filled(data, stores)
    try:
        last = asyncio.run(events_of(service_backup(found, data), target))[-1]
    finally:
        for store in found.values():
            store.close()
    assert isinstance(last, BackedUp)
    return last
