"""Ports: what the floors above need of a running service. The runtime plugs the parts in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import msgspec

from actorkalix.consumer_views import Consuming
from actorkalix.process_listing import ProcessView
from actorkalix.workflow_views import Workflows
from actorkalix_cluster.shardhost.messages import Message, Reply


class Ask(Protocol):
    """Sends a message to the actor that it names and waits for the answer."""

    async def ask(self, message: Message, /) -> Reply: ...


@runtime_checkable
class AskStreams(Protocol):
    """Sends messages whose handlers take a stream, or answer with one."""

    async def ask(self, message: Message, elements: AsyncIterator[bytes] | None = None, /) -> Reply:
        """Send a message, and the elements that its handler takes; wait for the answer."""
        ...

    def stream(
        self, message: Message, elements: AsyncIterator[bytes] | None = None, /
    ) -> AsyncGenerator[Reply]:
        """Send a message; the elements of its answer, of which a failure is the last."""
        ...


class Clock(Protocol):
    """Time in milliseconds since 1970; virtual in tests."""

    def now_ms(self) -> int: ...


class EntityPage(msgspec.Struct, frozen=True):
    """Ids of a component's entities; `next_page` asks for more, "" on the last page."""

    ids: list[str]
    next_page: str


class EntityView(msgspec.Struct, frozen=True):
    """An entity as an operator sees it.

    `state` is what JSON makes of it, `note` what it does not hold.
    """

    component: str
    entity: str
    shard: int
    sequence_number: int
    deleted: bool
    expires_ms: int
    exists: bool
    state: Any
    note: str = ""


class EventView(msgspec.Struct, frozen=True):
    """A record of an entity as an operator sees it.

    `state` is the state after it, where asked for.
    """

    sequence_number: int
    kind: str
    type: str
    type_version: int
    time_ms: int
    shard: int
    epoch: int
    offset: int
    payload: Any
    metadata: dict[str, str]
    has_key: bool = False
    state: Any = None


class TimerView(msgspec.Struct, frozen=True):
    """A named timer, for its service and for operators. Times are milliseconds since 1970.

    Attributes:
        name: its name.
        component, entity, method: whom it calls; `entity` is "" for an action.
        due_ms: when the next firing was planned for.
        next_ms: when it is attempted: `due_ms`, or after a failed attempt.
        every_ms: between two firings, 0 for a timer that fires once or by a cron line.
        cron, zone: the line and its time zone, "" for another timer.
        number: of the next firing, from 1.
        attempt: attempts of it that have failed.
        max_retries: after the first attempt, None without end.
        failure: how the last attempt failed, or "".
        failed_ms: when, 0 for never.
        catch_up: what is done about missed periods.
    """

    name: str
    component: str
    entity: str
    method: str
    due_ms: int
    next_ms: int
    every_ms: int = 0
    cron: str = ""
    zone: str = ""
    number: int = 1
    attempt: int = 0
    max_retries: int | None = None
    failure: str = ""
    failed_ms: int = 0
    catch_up: str = "one"


class TimerPage(msgspec.Struct, frozen=True):
    """Timers of a service; `next_page` asks for more, "" on the last page."""

    timers: list[TimerView]
    next_page: str


HostState = Literal["serving", "starting", "draining", "away", "fenced"]
"""What a host does: `away` is none there, `fenced` one that is kept from serving."""

HOST_STATES: tuple[HostState, ...] = get_args(HostState)


class HostView(msgspec.Struct, frozen=True):
    """A store's host as the controller sees it.

    Attributes:
        store: number of the store.
        state: what the host does.
        pid: of its process, 0 while there is none.
        reason: why it does not serve, "" while it does.
        incarnation: which opening of the store it is, 0 before the first.
        since_ms: when the state began, in milliseconds since 1970.
        deaths: hosts of this store that died within the last 60 s.
        deaths_total: all that died since the controller began.
        held_by: component and method of the handler that holds its loop now, or "".
        held_ms: for how long.
    """

    store: int
    state: HostState
    pid: int = 0
    reason: str = ""
    incarnation: int = 0
    since_ms: int = 0
    deaths: int = 0
    deaths_total: int = 0
    held_by: str = ""
    held_ms: int = 0


class FleetView(msgspec.Struct, frozen=True):
    """The processes of a service.

    Attributes:
        controller_pid: of the process that serves the admin port.
        standby_pid: of the process that takes over the next store, 0 while there is none.
        hosts: one for each store, by their numbers.
    """

    controller_pid: int = 0
    standby_pid: int = 0
    hosts: tuple[HostView, ...] = ()


class Fleet(Protocol):
    """Knows the processes of a service."""

    def fleet(self) -> FleetView:
        """How they are now; asks nobody, so it never waits."""
        ...


class ShardView(msgspec.Struct, frozen=True):
    """A shard that was opened: its home store, its newest position and time."""

    shard: int
    store: int
    epoch: int
    offset: int
    time_ms: int
    sealed: bool = False


class StoreView(msgspec.Struct, frozen=True):
    """A store of a service.

    Attributes:
        store: its number.
        away: why nothing is known of it now, or "".
        folder: where it lies, "" where it lies nowhere.
        files: bytes on disk by name of the file.
        records: of the shards whose home it is.
    """

    store: int
    away: str = ""
    folder: str = ""
    files: dict[str, int] = {}
    records: int = 0


class ServiceStatus(msgspec.Struct, frozen=True):
    """A service as an operator sees it, running or at rest.

    Attributes:
        service: its name.
        cluster: 32 hex digits.
        lineage: 16 hex digits; 64 bits are too many for a number in JSON.
        homes_version: version of the home table, 0 for none.
        shards: how many the service has.
        components: kinds by component id, of the code that is here.
        controller_pid, standby_pid: as `FleetView` has them; 0 at rest.
        hosts: of the stores, by their numbers; none at rest.
        stores: by number.
        opened: shards that were ever opened, ascending.
        records: written to all of them.
        damaged: shards that are not served, with what was found.
        processes: of views and of dedicated entities.
    """

    service: str
    cluster: str
    lineage: str
    homes_version: int
    shards: int
    components: dict[str, str]
    controller_pid: int
    standby_pid: int
    hosts: list[HostView]
    stores: list[StoreView]
    opened: list[ShardView]
    records: int
    damaged: dict[int, str]
    processes: tuple[ProcessView, ...] = ()


class Inspect(Protocol):
    """What operators may look at, on a running service or a folder at rest."""

    async def entities(self, component: str, *, page: str, limit: int) -> EntityPage: ...

    async def state(self, component: str, entity: str) -> EntityView: ...

    async def events(
        self, component: str, entity: str, *, after: int, limit: int, with_state: bool
    ) -> list[EventView]: ...

    async def status(self) -> ServiceStatus: ...

    async def timers(self, *, page: str, limit: int) -> TimerPage: ...

    @property
    def consuming(self) -> Consuming: ...

    @property
    def workflows(self) -> Workflows: ...


class TopicView(msgspec.Struct, frozen=True):
    """A topic.

    Attributes:
        name: of it.
        partitions: how many messages each has.
        bytes: of them.
        dropped: messages that were there and are not any more.
        kept_s: messages older than this are dropped.
        bytes_max: beyond it the oldest messages are dropped.
        broker: where it is: "embedded", or the name and servers of a broker, whose messages are
            here on their way to consumers.
    """

    name: str
    partitions: list[int]
    bytes: int = 0
    dropped: int = 0
    kept_s: int = 0
    bytes_max: int = 0
    broker: str = "embedded"


class PublishOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/topics/{name}`.

    Attributes:
        data: any JSON; a text is published as text, anything else as JSON.
        subject: messages of one subject are in order.
        id: by which the topic knows it again, 1 to 128 bytes, or "".
        type: of the data, for handlers that take one type only.
        metadata: attributes of the CloudEvent and other pairs.
    """

    data: Any
    subject: str = ""
    id: str = ""
    type: str = ""
    metadata: dict[str, str] = {}


class PublishedView(msgspec.Struct, frozen=True):
    """Answer of `POST /admin/topics/{name}`: where the message stands.

    Where the topic is at a broker outside, the message is queued for it, and `number` is 0.
    """

    topic: str
    partition: int
    number: int


class TopicDesk(Protocol):
    """What operators do with topics of a running service."""

    async def listed(self) -> list[TopicView]:
        """Every topic that the service names."""
        ...

    async def publish(self, topic: str, order: PublishOrder) -> PublishedView:
        """Publish a message; it is on disk when this returns."""
        ...


class BackupOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/backup`: absolute path of a folder on the service's machine."""

    target: str


class ReplaceOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/replace`: number of a store."""

    store: int


class CancelOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/timers/cancel`: name of a timer."""

    name: str


class Cancelled(msgspec.Struct, frozen=True):
    """Answer of `POST /admin/timers/cancel`: whether there was such a timer."""

    name: str
    cancelled: bool


class Replaced(msgspec.Struct, frozen=True):
    """Answer of `POST /admin/replace`: the store and the host that has it now."""

    store: int
    host: HostView | None


class StreamError(msgspec.Struct, frozen=True):
    """Why a stream of events ends early; as the value of `error` in its last line."""

    number: str
    code: str
    message: str
    outcome: str


class HostCalls(Protocol):
    """Asks the hosts of a service, wherever they run. Arguments and answers are msgpack."""

    def stores(self) -> tuple[int, ...]:
        """Numbers of all stores of the service, ascending."""
        ...

    async def call(self, store: int, method: str, arguments: bytes) -> bytes:
        """Ask the host that has a store open.

        Raises:
            OwnerAway: no host has it open now; the message names the store.
            ActorkalixError: what the host answered instead, by its number.
        """
        ...


HostMethod = Callable[[bytes], Awaitable[bytes]]
"""What a host offers under a name to `HostCalls`; it raises errors of ours."""
