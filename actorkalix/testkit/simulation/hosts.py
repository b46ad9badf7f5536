"""A simulated host: the real parts of a host's process, on a simulated disk, clock and network.

It is one opening of one store by one process: shard host, links, router and engine are those of the
product (`build_host`, `Neighbours`); the disk's committer, the clock and the ways are simulated.
Around each behavior stands `Watched`, which notes for every record the operation that it comes from
and who wrote it, and writes each step into the trace.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import cache, partial
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.limits import Limits
from actorkalix.runtime.actions import Surroundings, run_inline
from actorkalix.runtime.composition import build_host
from actorkalix.runtime.dispatch import Dispatch, Steps
from actorkalix.runtime.neighbours import Neighbours
from actorkalix.runtime.resources import Resources
from actorkalix.runtime.steps import run_steps
from actorkalix.runtime.virtual import START_MS
from actorkalix_cluster.placement.ring import RingStore, propose
from actorkalix_cluster.rayhost.contract import Assignment
from actorkalix_cluster.shardhost.behavior import Around, Behavior, BehaviorError, Step
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.committer import Committer
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_storage.api import HomeTable, Record
from actorkalix_storage.memorystore import MemoryStore

from .inside import OPERATION, Inside, Noted
from .loop import SimulationLoop
from .places import SimulatedWeather
from .processes import Process
from .projections import SimulatedViews
from .steps import workflows_of
from .trace import Trace

Answer = Callable[[Reply], object]


class HostClock:
    """A host's `Clock`: the world's time and an offset that may jump.

    Attributes:
        offset_us: how far it is ahead of the world's.
    """

    def __init__(self, loop: SimulationLoop, offset_us: int) -> None:
        self._loop = loop
        self.offset_us = offset_us

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return START_MS + (self._loop.now_us + self.offset_us) // 1000

    def call_later(self, delay_ms: int, call: Callable[[], object]) -> Handle:
        """Call once, `delay_ms` from now; a clock that jumps does not change that."""
        return self._loop.call_later(delay_ms / 1000, call)


class Written:
    """Where records come from, by the record itself: it is the same object until it is stored.

    Attributes:
        raised: what handlers have raised that is no refusal, in order.
    """

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[Record, int | None, str]] = {}
        self._ran: dict[int, tuple[str, bool]] = {}  # where it ran last, and whether silently
        self.raised: dict[str, None] = {}

    @property
    def silent(self) -> frozenset[int]:
        """Operations whose handlers have made no record, on the host where they ran last."""
        return frozenset(operation for operation, (_, silent) in self._ran.items() if silent)

    def stepped(self, operation: int, records: int, writer: str) -> None:
        """An operation's handler has run.

        It runs again on another host where its records were lost with the one before, and never
        acknowledged; there it may find that nothing is left to do.
        """
        before, silent = self._ran.get(operation, (writer, True))
        self._ran[operation] = (writer, (silent or before != writer) and not records)

    def note(self, record: Record, operation: int | None, writer: str) -> None:
        """A handler has made this record."""
        self._by_id[id(record)] = (record, operation, writer)  # the record is kept: its id is its

    def of(self, record: Record) -> tuple[int | None, str]:
        """Operation and writer of a record; (None, "") of one that no handler made."""
        _, operation, writer = self._by_id.get(id(record), (record, None, ""))
        return operation, writer


class SimulatedHost:
    """One opening of a store.

    Args:
        number: of the store.
        incarnation: of the opening.
        process: that it runs in.
        store: open.
        committer: on the store's disk.
        clock: of this host.
        service: to run.
        limits: of the service.
        homes: which store has which shard.
        wrap: puts something around each behavior.
        attend: puts something around each subscriber.
        attend_steps: puts something around each runner of steps.
        weather: of the places of dedicated entities.
        written: is told where their records come from.
        inside: is told what its own calls are.
        views: that its feeds go to.
        on_fatal: is told why the process has to end.
    """

    def __init__(
        self,
        number: int,
        incarnation: int,
        process: Process,
        *,
        store: MemoryStore,
        committer: Committer,
        clock: HostClock,
        service: ServiceDescriptor,
        limits: Limits,
        homes: HomeTable,
        wrap: Callable[[Behavior[Any]], Behavior[Any]],
        attend: Callable[[Subscriber], Subscriber],
        attend_steps: Callable[[Steps], Steps],
        weather: SimulatedWeather,
        written: Written,
        inside: Inside,
        views: SimulatedViews,
        on_fatal: Callable[[str], object],
    ) -> None:
        self.number = number
        self.incarnation = incarnation
        self.process = process
        self.store = store
        self.clock = clock
        self._views = views
        self._requests = 0
        self._ask_timeout_ms = limits.ask_timeout // timedelta(milliseconds=1)
        self._idle = asyncio.Event()
        self._idle.set()
        self.host = build_host(
            service,
            store,
            shards=homes.of_store(number),
            clock=clock,
            committer=committer,
            limits=limits,
            on_fatal=on_fatal,
            wrap=wrap,
            attend=attend,
            places=weather.places,
            ran=partial(_note, written, process),
        )
        assignment = Assignment(number, incarnation, b"")
        self.neighbours = Neighbours(assignment, self.host, homes, clock, limits)
        self._noted = Noted(self.neighbours.router, inside, process, service)
        self._dispatch = Dispatch(self._noted, clock, limits)
        resources = Resources(service.name, None)
        around = Surroundings(self._dispatch, clock, limits, resources, threads=_at_once)
        run_inline(self._dispatch, service, around)
        for component, steps in run_steps(self._dispatch, service, around).items():
            self._dispatch.add_steps(component, attend_steps(steps))
        self._workflows = [one.component_id for one in workflows_of(service)]

    async def start(self) -> None:
        """Own the store's shards and serve them; side effects leave from now on.

        Raises:
            StoreError: the shards could not be opened.
        """
        await self.host.start()
        self.host.connect(self._dispatch, self._views.target(self.process))
        self._views.attend(self.process, self.host)

    def receive(self, batch: bytes) -> None:
        """A batch of another host. In this process."""
        self.neighbours.receive(batch)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for. In this process, which keeps its tasks."""
        _ = asyncio.get_running_loop().create_task(work)

    def serve(self, message: Message, answer: Answer) -> None:
        """A client's request, as the gateway has decoded it. In this process."""
        if message.component in self._workflows:  # as the gateway does; others never wait so long
            deadline_ms = self.clock.now_ms() + self._ask_timeout_ms
            message = msgspec.structs.replace(message, deadline_ms=deadline_ms)
        self._requests += 1
        self._idle.clear()
        self._noted.outside = message
        asked = self._dispatch.begin(message, partial(self._answer_soon, answer))
        if isinstance(asked, Reply):
            self._answer(answer, asked)

    def _answer_soon(self, answer: Answer, reply: Reply) -> None:
        """From the midst of the host's work, which a process that dies here would go on with."""
        asyncio.get_running_loop().call_soon(self._answer, answer, reply)

    def _answer(self, answer: Answer, reply: Reply) -> None:
        self._requests -= 1
        if not self._requests:
            self._idle.set()
        answer(reply)

    async def retire(self, grace_s: float) -> None:
        """Answer what there is, close the store, as a host that is replaced does."""
        await self._idle.wait()
        await self.host.drain(grace_s)
        await self._dispatch.aclose()
        await self.host.stop()
        await self.neighbours.flushed(grace_s)


def _note(written: Written, process: Process, message: Message, step: Step[Any]) -> None:
    """A step of a dedicated entity is back, with its records as they will be written."""
    for record in step.records:
        written.note(record, operation_of(message.correlation_id), process.name)


async def _at_once(work: Callable[[], Any]) -> Any:
    """There are no threads: a plain function runs where it is called."""
    return work()


@cache
def homes_of(stores: int, shards: int) -> tuple[tuple[int, ...], ...]:
    """Where the shards of a new service are; thousands of runs ask for the same."""
    return propose([RingStore(number) for number in range(stores)], shards)


class Watched(Around[Any]):
    """A behavior whose steps are noted: who wrote which record, for which operation."""

    def __init__(
        self, behavior: Behavior[Any], process: Process, written: Written, trace: Trace
    ) -> None:
        super().__init__(behavior)
        self._process = process
        self._written = written
        self._trace = trace

    def step(self, instance: Any, message: Message, now_ms: int) -> Step[Any]:
        who = f"{self._process.name}: {message.component} {message.entity}.{message.method}"
        asked = f"{who} [{message.correlation_id}]"
        try:
            step = self._behavior.step(instance, message, now_ms)
        except BehaviorError as error:
            failure = error.reply.failure
            self._trace(f"{asked} refused {failure.number if failure else ''} {error}")
            raise
        except Exception as error:
            self._trace(f"{asked} raised {type(error).__name__}")
            raised = f"{message.component}.{message.method} raised {type(error).__name__}: {error}"
            self._written.raised[raised] = None
            raise
        operation = operation_of(message.correlation_id)
        if operation is not None:
            self._written.stepped(operation, len(step.records), self._process.name)
        image = zlib.crc32(msgspec.msgpack.encode(step.reply))
        for record in step.records:
            self._written.note(record, operation, self._process.name)
            image = zlib.crc32(record.payload, image)
        self._trace(f"{asked} {len(step.records)} records, {image:08x}")
        return step


def operation_of(correlation_id: str) -> int | None:
    """The operation that a message belongs to, if it is a client's."""
    if not correlation_id.startswith(OPERATION):
        return None
    return int(correlation_id.removeprefix(OPERATION))
