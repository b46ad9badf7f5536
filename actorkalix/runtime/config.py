"""What `actorkalix run` is asked, what a host is told, what is reported meanwhile: plain values."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actorkalix.runtime.loading import ServiceSpec

PORT = 9000
ADMIN_PORT = 9889
LOOPBACK = "127.0.0.1"


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What `actorkalix run` was asked to do.

    Attributes:
        service: as `loading.resolve` reads it.
        app_dir: folder in which modules are looked for; None for the usual.
        address: to listen on; beyond loopback the service needs an acl.
        port: of the HTTP API; 0 takes a free one.
        admin_port: of health, metrics and inspection, on loopback always; 0 takes a free one.
        data: data folder; None for `.actorkalix/<service>` beside the module.
        cpus: for Ray's tasks; None for what the machine has.
    """

    service: str
    app_dir: str | None = None
    address: str = LOOPBACK
    port: int = PORT
    admin_port: int = ADMIN_PORT
    data: str | None = None
    cpus: int | None = None


class HostConfig(msgspec.Struct, frozen=True):
    """What a host is told to be; travels as msgpack.

    Attributes:
        spec: where the service is defined; the host imports it itself.
        store: folder of its store.
    """

    spec: ServiceSpec
    store: str


class HostFacts(msgspec.Struct, frozen=True):
    """What a host says of itself when it serves.

    Attributes:
        shards: that it owns.
        damaged: shards that it does not serve, with the reason.
    """

    shards: int
    damaged: dict[int, str]


class Starting(msgspec.Struct, frozen=True, tag_field="event", tag="starting"):
    """All that can be checked beforehand is good; Ray is started now."""

    service: str
    data: str


class Waiting(msgspec.Struct, frozen=True, tag_field="event", tag="waiting"):
    """The run before in this folder was killed, and the rest of it is ending."""

    data: str


class Serving(
    msgspec.Struct,
    frozen=True,
    tag_field="event",
    tag="serving",
    rename={"url": "http", "admin_url": "admin"},
):
    """Requests are taken.

    Attributes:
        service: its name.
        url, admin_url: where.
        data: the data folder.
        durability: what a reply means.
        shards: number of shards served.
        damaged: shards that are not served, with the reason.
        components: kinds by component id.
        pids: process ids by what they are: run, host, raylet, gcs_server.
        ray_logs: folder of Ray's own logs.
        seconds: since `Starting`.
    """

    service: str
    url: str
    admin_url: str
    data: str
    durability: str
    shards: int
    damaged: dict[int, str]
    components: dict[str, str]
    pids: dict[str, int]
    ray_logs: str
    seconds: float


class HostDied(msgspec.Struct, frozen=True, tag_field="event", tag="host_died"):
    """A host process ended unasked; another takes its place.

    Attributes:
        pid: of the process, 0 when it died before it had one.
        reason: what is known of it.
        deaths: how many there were within the last 60 s, this one included.
    """

    pid: int
    reason: str
    deaths: int


class Restarted(msgspec.Struct, frozen=True, tag_field="event", tag="restarted"):
    """Requests are taken again, `away_s` seconds after the last host had ended."""

    pid: int
    away_s: float


class Draining(msgspec.Struct, frozen=True, tag_field="event", tag="draining"):
    """No more requests are taken; those in flight have `grace_s` seconds."""

    grace_s: float


class Stopped(msgspec.Struct, frozen=True, tag_field="event", tag="stopped"):
    """Everything has ended; `drained` says whether all requests were answered."""

    drained: bool


RunEvent = Starting | Waiting | Serving | HostDied | Restarted | Draining | Stopped
Report = Callable[[RunEvent], None]
