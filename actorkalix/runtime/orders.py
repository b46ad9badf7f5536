"""What the processes of a run are told to be, and what a host says back; travels as msgpack."""

from __future__ import annotations

import msgspec

from actorkalix.runtime.loading import ServiceSpec
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_storage.api import HomeTable


class HostConfig(msgspec.Struct, frozen=True):
    """What a host is told to be; travels as msgpack.

    Attributes:
        spec: where the service is defined; the host imports it itself.
        dev: as in `RunConfig`.
        making: what all processes of the run share; None where tasks are none.
        view_nodes: as in `RunConfig`; "" for none.
    """

    spec: ServiceSpec
    dev: bool = False
    making: Making | None = None
    view_nodes: str = ""


class StoreConfig(msgspec.Struct, frozen=True):
    """What a host is told of its store; travels as msgpack.

    Attributes:
        folder: where it lies.
        cluster: that it must belong to.
        shards: number of shards of the service.
        homes: which store has a shard.
        views: folder of the views' files.
    """

    folder: str
    cluster: str
    shards: int
    homes: HomeTable
    views: str = ""


class HostFacts(msgspec.Struct, frozen=True):
    """What a host says of itself when it serves.

    Attributes:
        shards: that it owns.
        damaged: shards that it does not serve, with the reason.
    """

    shards: int
    damaged: dict[int, str]


class ControllerConfig(msgspec.Struct, frozen=True):
    """What a controller is told to be; travels as msgpack.

    Attributes:
        host: what hosts are told to be.
        data: the data folder.
        stores: folder of each store.
        cluster, lineage, shards, homes: of the service, as its stores have them.
        making: what all processes share; the controller hands out sockets itself.
        grace_s: for draining, seconds.
    """

    host: HostConfig
    data: str
    stores: dict[int, str]
    cluster: str
    lineage: int
    shards: int
    homes: HomeTable
    making: Making
    grace_s: float
