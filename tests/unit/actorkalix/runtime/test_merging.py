"""One status out of those of the stores."""

from __future__ import annotations

import msgspec

from actorkalix.ports import FleetView, HostView, ServiceStatus, ShardView, StoreView
from actorkalix.process_listing import ProcessView
from actorkalix.runtime.merging import merged
from actorkalix_storage.api import HomeTable
from tests.unit.actorkalix.runtime.shop import service

TABLE = HomeTable(4, ((0,), (1,), (0,), (1,)))


def status(store: int, *shards: int, damaged: dict[int, str] | None = None) -> ServiceStatus:
    """Of a store with ten records in each of its shards."""
    opened = [ShardView(shard, store, 2, 10, 99) for shard in shards]
    return ServiceStatus(
        service="shop",
        cluster="c" * 32,
        lineage="feed",
        homes_version=3,
        shards=4,
        components={},
        controller_pid=0,
        standby_pid=0,
        hosts=[],
        stores=[StoreView(store, folder=f"store-{store}", records=10 * len(shards))],
        opened=opened,
        records=10 * len(shards),
        damaged=damaged or {},
    )


def test_stores_and_shards_stand_in_order() -> None:
    whole = merged({1: status(1, 1, 3), 0: status(0, 0, 2)}, TABLE, None, None, None)
    assert [store.store for store in whole.stores] == [0, 1]
    assert [shard.shard for shard in whole.opened] == [0, 1, 2, 3]
    assert (whole.records, whole.homes_version, whole.lineage) == (40, 4, "feed")


def test_shards_of_other_homes_are_left_out_and_not_counted() -> None:
    leftover = status(0, 0, 1, 2, damaged={1: "old", 2: "crc"})
    whole = merged({0: leftover, 1: "away"}, TABLE, None, None, None)
    assert [shard.shard for shard in whole.opened] == [0, 2]
    assert (whole.records, whole.stores[0].records, whole.damaged) == (20, 20, {2: "crc"})
    assert whole.stores[1] == StoreView(1, away="away")


def test_code_and_processes_are_added() -> None:
    fleet = FleetView(7, 8, (HostView(0, "serving", 9),))
    whole = merged({0: status(0, 0)}, TABLE, service.descriptor, fleet, None)
    assert whole.components == {"cart": "event_sourced", "profile": "value"}
    assert (whole.controller_pid, whole.standby_pid, whole.hosts[0].pid) == (7, 8, 9)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=ServiceStatus) == whole


def test_processes_of_all_hosts_stand_together() -> None:
    def processes(store: int, *names: str) -> ServiceStatus:
        views = [ProcessView("view", name, "", "serving", 9, "n", 1, 0.1, store) for name in names]
        return msgspec.structs.replace(status(store, store), processes=tuple(views))

    whole = merged({1: processes(1, "a"), 0: processes(0, "c", "b")}, TABLE, None, None, None)
    assert [(one.component, one.store) for one in whole.processes] == [("a", 1), ("b", 0), ("c", 0)]
