"""A service of several stores in memory, its shards dealt in turn, asked without processes."""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.ports import FleetView, HostMethod, HostView
from actorkalix.runtime.fanout import ClusterInspection, LocalCalls, inspect_methods
from actorkalix.runtime.inspection import StoreInspection
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_storage.api import HomeTable
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.actorkalix.runtime.shop import service
from tests.unit.actorkalix.runtime.stock import IDENTITY, SHARDS, Stock


class Cluster:
    """Stores, what their hosts offer, and an inspection over all of them.

    Attributes:
        table: homes of the shards, also in every store.
        stocks, methods: by number of the store; a store that is taken out of `methods` is away.
    """

    def __init__(
        self, stores: int = 2, code: ServiceDescriptor | None = service.descriptor
    ) -> None:
        self.table = HomeTable(1, tuple((shard % stores,) for shard in range(SHARDS)))
        self.stocks: dict[int, Stock] = {}
        self.methods: dict[int, dict[str, HostMethod]] = {}
        for number in range(stores):
            store = MemoryStore(msgspec.structs.replace(IDENTITY, number=number))
            store.put_homes(self.table)
            self.stocks[number] = Stock(service.descriptor, store, self.table.of_store(number))
            self.methods[number] = dict(inspect_methods(StoreInspection(store, code)))
        self.calls = LocalCalls(self.methods)
        self.inspection = ClusterInspection(self.calls, lambda: self.table, code)

    def home(self, component: str, entity: str) -> int:
        """Number of the store that has an entity."""
        return self.table.homes[shard_of(component, entity, SHARDS)][0]

    def send(self, component: str, entity: str, method: str, /, **arguments: Any) -> None:
        """One command to its home."""
        self.stocks[self.home(component, entity)].send(component, entity, method, **arguments)

    def ids(self, store: int, count: int) -> list[str]:
        """Ids of carts whose home is a store."""
        candidates = (f"c{n}" for n in range(1000))
        return [each for each in candidates if self.home("cart", each) == store][:count]


class Processes:
    """A `Fleet` that says what it was given."""

    def __init__(self, *hosts: HostView) -> None:
        self.view = FleetView(100, 200, hosts)

    def fleet(self) -> FleetView:
        return self.view
