"""What `actorkalix run` is asked and what it reports meanwhile: plain values, quickly imported."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

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
        hosts: how many, with one store each; None for as many as the folder has stores, or one.
        ray: address of a Ray that runs already, `auto` or host:port; None starts one of our own.
        view_nodes: resource of Ray's that the nodes have where views are to live; None for here.
        dev: look for mistakes in handlers that cost time to look for.
        cpus: for Ray's tasks; None for what the machine has.
    """

    service: str
    app_dir: str | None = None
    address: str = LOOPBACK
    port: int = PORT
    admin_port: int = ADMIN_PORT
    data: str | None = None
    hosts: int | None = None
    ray: str | None = None
    view_nodes: str | None = None
    dev: bool = False
    cpus: int | None = None


class Starting(msgspec.Struct, frozen=True, tag_field="event", tag="starting"):
    """All that can be checked beforehand is good; Ray is started, or the one at `ray` joined."""

    service: str
    data: str
    ray: str | None = None


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
        hosts: process id of each store's host, by the number of the store.
        fenced: stores that are not served, with the reason.
        pids: process ids by what they are: run, controller, host (of the first store), raylet, and
            gcs_server where it is ours.
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
    hosts: dict[int, int]
    fenced: dict[int, str]
    pids: dict[str, int]
    ray_logs: str
    seconds: float


class Moving(msgspec.Struct, frozen=True, tag_field="event", tag="moving"):
    """Shards are moved between stores before anything is served.

    Attributes:
        done, of: shards.
        records: copied so far.
    """

    done: int
    of: int
    records: int


class HostDied(msgspec.Struct, frozen=True, tag_field="event", tag="host_died"):
    """A host process ended unasked; another takes its place.

    Attributes:
        store: number of its store.
        pid: of the process, 0 when it died before it had one.
        reason: what is known of it.
        deaths: how many there were within the last 60 s, this one included.
    """

    store: int
    pid: int
    reason: str
    deaths: int


class Restarted(msgspec.Struct, frozen=True, tag_field="event", tag="restarted"):
    """A store is served again, `away_s` seconds after its last host had ended."""

    store: int
    pid: int
    away_s: float


class StoreFenced(msgspec.Struct, frozen=True, tag_field="event", tag="store_fenced"):
    """A store is served by nobody until the service is started again; the others go on."""

    store: int
    reason: str


class ControllerDied(msgspec.Struct, frozen=True, tag_field="event", tag="controller_died"):
    """The controller process ended unasked; hosts serve on, another one takes its place."""

    pid: int
    reason: str


class ControllerBack(msgspec.Struct, frozen=True, tag_field="event", tag="controller_back"):
    """There is a controller again."""

    pid: int


class Replacing(msgspec.Struct, frozen=True, tag_field="event", tag="replacing"):
    """A host finishes what it has, for another process takes its place, as asked."""

    store: int
    pid: int


class Draining(msgspec.Struct, frozen=True, tag_field="event", tag="draining"):
    """No more requests are taken; those in flight have `grace_s` seconds."""

    grace_s: float


class Stopped(msgspec.Struct, frozen=True, tag_field="event", tag="stopped"):
    """Everything has ended; `drained` says whether all requests were answered."""

    drained: bool


RunEvent = (
    Starting
    | Waiting
    | Moving
    | Serving
    | HostDied
    | Restarted
    | StoreFenced
    | Replacing
    | ControllerDied
    | ControllerBack
    | Draining
    | Stopped
)
Report = Callable[[RunEvent], None]
