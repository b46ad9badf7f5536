"""What processes are told travels as bytes and comes back as it was."""

from __future__ import annotations

import msgspec

from actorkalix.runtime.loading import ServiceSpec
from actorkalix.runtime.orders import ControllerConfig, HostConfig, HostFacts, StoreConfig
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_storage.api import HomeTable

HOMES = HomeTable(3, ((0,), (1,)))


def test_they_come_back_as_they_were() -> None:
    host = HostConfig(ServiceSpec("shop", "service", "/shop"), dev=True)
    making = Making("shop/", "actorkalix", "/tmp/ak-1", "/tmp/ak-1/handover", b"\x00ticket")
    told: tuple[msgspec.Struct, ...] = (
        host,
        StoreConfig("/data/store-0", "c" * 32, 2, HOMES),
        HostFacts(2, {1: "checksum"}),
        ControllerConfig(host, "/data", {0: "/data/store-0"}, "c" * 32, 7, 2, HOMES, making, 20.0),
    )
    for each in told:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(each), type=type(each)) == each
