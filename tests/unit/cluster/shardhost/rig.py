"""A host of counters over the memory store, on virtual time; commits and reads can be held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from actorkalix.engine.timer import TimerBehavior
from actorkalix.limits import Limits
from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.committer import InlineCommitter, Outcomes
from actorkalix_cluster.shardhost.elsewhere import Elsewhere
from actorkalix_cluster.shardhost.feeding import FeedSource, FeedTarget
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.nearby import Nearby
from actorkalix_cluster.shardhost.observer import Fired, SilentObserver
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_cluster.shardhost.watchdog import Watch
from actorkalix_storage.api import Append, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior

T = TypeVar("T")
SHARDS = 16
LINEAGE = 7
ELSEWHERE = False  # counters run in places of their own; see the fixture `hosting`
IDLE_STOP_MS = 60_000


class HeldCommitter(InlineCommitter):
    """Keeps commits and reads back until they are released."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.hold_commits = False
        self.hold_reads = False
        self.hold_slices = False
        self.held: list[Callable[[], None]] = []
        self.batches: list[int] = []
        self.reads = 0

    def commit(
        self, appends: Sequence[Append], done: Callable[[Outcomes | Exception], object]
    ) -> None:
        self.batches.append(len(appends))
        if self.hold_commits:
            self.held.append(lambda: InlineCommitter.commit(self, appends, done))
        else:
            super().commit(appends, done)

    def read(self, job: Callable[[], T], done: Callable[[T | Exception], object]) -> None:
        self.reads += 1
        if self.hold_reads:
            self.held.append(lambda: InlineCommitter.read(self, job, done))
        else:
            super().read(job, done)

    def background(
        self,
        job: Callable[[], bool],
        failed: Callable[[Exception], object],
        over: Callable[[], object] | None = None,
    ) -> None:
        if self.hold_slices:
            self.held.append(lambda: InlineCommitter.background(self, job, failed, over))
        else:
            super().background(job, failed, over)

    async def release(self) -> None:
        """Let all go that is held now, in order, with all that follows from it."""
        held, self.held = self.held, []
        for each in held:
            each()
        await settle()


class Watcher(SilentObserver):
    """Remembers what it was told."""

    def __init__(self, on_answer: Callable[[], object] = int) -> None:
        self.on_answer = on_answer
        self.numbers: list[str] = []
        self.passed: list[str] = []
        self.fired: list[Fired] = []
        self.loads = 0
        self.commits: list[tuple[int, int]] = []

    def handled(self, component: str, method: str, seconds: float, number: str) -> None:
        self.numbers.append(number)
        self.on_answer()

    def committed(self, appends: int, records: int, bytes_written: int, seconds: float) -> None:
        self.commits.append((appends, records))

    def activated(self, component: str, seconds: float) -> None:
        self.loads += 1

    def passivated(self, component: str) -> None:
        self.passed.append(component)

    def timer_fired(self, result: Fired) -> None:
        self.fired.append(result)


class Rig:
    """A host and everything around it."""

    def __init__(
        self,
        store: MemoryStore,
        limits: HostLimits,
        subscribers: Sequence[Subscriber] = (),
        sources: Sequence[FeedSource] = (),
        target: FeedTarget | None = None,
    ) -> None:
        self.subscribers = subscribers
        self.sources = sources
        self.target = target
        self.clock = VirtualClock()
        self.limits = limits
        self.fatal: list[str] = []
        self.behavior = CounterBehavior()
        self.blocked: dict[str, str] = {}
        self.on_answer: Callable[[], object] = int  # called while an answer leaves
        self._open(store)

    def _open(self, store: MemoryStore) -> None:
        self.store = store
        self.committer = HeldCommitter(store)
        self.watcher = Watcher(lambda: self.on_answer())
        self.watch = Watch(self.limits, self.blocked)
        self.places = Nearby({COUNTER: self.behavior})
        counters: Behavior[Any] = self.behavior
        if ELSEWHERE:
            counters = Elsewhere(self.behavior, self.places, IDLE_STOP_MS)
        self.host = ShardHost(
            store,
            {COUNTER: counters, TIMER: TimerBehavior(Limits())},
            clock=self.clock,
            limits=self.limits,
            committer=self.committer,
            observer=self.watcher,
            on_fatal=self.fatal.append,
            watch=self.watch,
            subscribers=(lambda reach: self.subscribers) if self.subscribers else None,
            feeds=self.sources,
        )

    async def start(self) -> None:
        """Start the host, and its consumers if it has some."""
        await self.host.start()
        if self.subscribers or self.target is not None:
            self.host.connect(self.host, self.target)
        await settle()

    async def advance(self, by_ms: int) -> None:
        """Let time pass, with all that follows from it."""
        await self.clock.advance(by_ms, lambda: not self.host.idle)

    async def crash(self) -> None:
        """Kill the host and start another on what was stored."""
        self.host.abandon()
        await settle()
        self._open(self.store.crash())
        await self.start()

    def send(
        self,
        method: str,
        payload: object = "",
        entity: str = "a",
        *,
        kind: MessageKind = MessageKind.COMMAND,
        key: str = "",
        deadline_ms: int = 0,
    ) -> Ticket:
        """Send a message, and wait for nothing."""
        body = str(payload).encode()
        return self.host.send(
            Message(
                kind,
                COUNTER,
                entity,
                method,
                body,
                key=key,
                correlation_id="cid-1",
                deadline_ms=deadline_ms,
            )
        )

    async def ask(self, method: str, payload: object = "", entity: str = "a", **more: Any) -> Reply:
        """Send a message and wait for its answer."""
        return await self.send(method, payload, entity, **more).wait()

    async def add(self, amount: int, entity: str = "a", key: str = "") -> int:
        """The total after adding."""
        return total_of(await self.ask("add", amount, entity, key=key))

    async def query(self, entity: str = "a") -> int:
        """The durable total."""
        return total_of(await self.ask("tell", "", entity, kind=MessageKind.QUERY))


def total_of(reply: Reply | None) -> int:
    """The number in a reply."""
    assert reply is not None
    assert reply.failure is None, reply.failure
    return int(reply.payload)


def number_of(reply: Reply | None) -> str:
    """The AK number of a failure."""
    assert reply is not None
    assert reply.failure is not None
    return reply.failure.number


def new_store() -> MemoryStore:
    """An empty store of 16 shards."""
    return MemoryStore(StoreIdentity("0" * 32, "test", 0, SHARDS, LINEAGE))


@asynccontextmanager
async def rig(
    store: MemoryStore | None = None,
    *,
    subscribers: Sequence[Subscriber] = (),
    sources: Sequence[FeedSource] = (),
    target: FeedTarget | None = None,
    **limits: Any,
) -> AsyncGenerator[Rig]:
    """A started host."""
    made = Rig(store or new_store(), HostLimits(**limits), subscribers, sources, target)
    await made.start()
    yield made
    if not made.fatal:
        made.committer.hold_commits = made.committer.hold_reads = False
        await made.committer.release()
        await made.host.stop()
        assert made.host.idle


def run(case: Coroutine[Any, Any, T]) -> T:
    """Run a case on a loop of its own."""
    return asyncio.run(case)
