"""Several hosts of counters with links between them, on virtual time; a test is the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from actorkalix.runtime.virtual import VirtualClock, settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.placement.ring import RingStore, propose
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits, LinkLimits
from actorkalix_cluster.shardhost.links import Links, PeerEnded
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.router import Router, Target
from actorkalix_cluster.shardhost.ticket import Ticket
from actorkalix_storage.api import HomeTable, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from tests.unit.cluster.shardhost.counter import COUNTER, CounterBehavior
from tests.unit.cluster.shardhost.rig import LINEAGE, SHARDS, HeldCommitter, total_of

OWNER_WAIT_MS = 4_500
ASK_TIMEOUT_MS = 5_000


@dataclass(eq=False)
class Parcel:
    """A batch on its way."""

    sender: Node
    receiver: Node
    batch: bytes
    done: Callable[[Exception | None], object]

    def arrive(self) -> None:
        """It is in the memory of the receiver, if that still lives."""
        if self.receiver.alive:
            self.receiver.links.receive(self.batch)

    def tell(self, error: Exception | None = None) -> None:
        """Say what became of it; that it arrived or that its process ended must be true."""
        if self.sender.alive:
            self.done(error)

    def through(self) -> None:
        """Arrive and say so."""
        self.arrive()
        self.tell(None if self.receiver.alive else PeerEnded())


@dataclass(eq=False)
class Way:
    """A transport from one node to another."""

    net: Net
    sender: Node
    receiver: Node

    def send(self, batch: bytes, done: Callable[[Exception | None], object], /) -> None:
        parcel = Parcel(self.sender, self.receiver, batch, done)
        if self.net.held:
            self.net.parcels.append(parcel)
        else:
            asyncio.get_running_loop().call_soon(parcel.through)


class Node:
    """One opening of one store, and all that its process has."""

    def __init__(self, net: Net, store: MemoryStore, incarnation: int) -> None:
        self.net = net
        self.store = store
        self.number = store.identity.number
        self.incarnation = incarnation
        self.alive = True
        self.committer = HeldCommitter(store)
        self.host = ShardHost(
            store,
            {COUNTER: CounterBehavior()},
            shards=net.table.of_store(self.number),
            clock=net.clock,
            limits=HostLimits(),
            committer=self.committer,
        )
        self.links = Links(
            self.number, incarnation, self.host, clock=net.clock, limits=net.link_limits
        )
        targets: dict[int, Target] = {
            number: self.links.target(number) for number in range(net.size)
        }
        targets[self.number] = self.host
        self.router = Router(
            net.table,
            targets,
            clock=net.clock,
            ask_timeout_ms=ASK_TIMEOUT_MS,
            owner_wait_ms=OWNER_WAIT_MS,
        )
        self.links.on_connected = self.router.changed

    def ask(
        self,
        method: str,
        payload: object = "",
        entity: str = "a",
        *,
        kind: MessageKind = MessageKind.COMMAND,
        key: str = "",
        deadline_ms: int = 0,
    ) -> asyncio.Task[Reply]:
        """Ask through this node's router."""
        body = str(payload).encode()
        message = Message(kind, COUNTER, entity, method, body, key=key, deadline_ms=deadline_ms)
        return asyncio.create_task(self.router.ask(message))

    def query(self, entity: str = "a") -> asyncio.Task[Reply]:
        """Ask for the durable total."""
        return self.ask("tell", "", entity, kind=MessageKind.QUERY)

    def kill(self) -> None:
        """End the process, as SIGKILL does."""
        self.alive = False
        self.host.abandon()
        self.links.close()

    def meet(self, other: Node) -> None:
        """Have a way to another node."""
        self.links.connect(other.number, other.incarnation, Way(self.net, self, other))

    def meet_all(self) -> None:
        """Hear who is there now."""
        for other in self.net.nodes.values():
            if other is not self:
                self.meet(other)

    def lose(self, other: Node) -> None:
        """Hear that another node has ended."""
        self.links.disconnect(other.number, other.incarnation)


@dataclass
class Net:
    """All nodes by the numbers of their stores.

    Attributes:
        held: what is sent is kept in `parcels` for the test to deliver.
    """

    size: int
    link_limits: LinkLimits
    clock: VirtualClock = field(default_factory=VirtualClock)
    nodes: dict[int, Node] = field(default_factory=dict[int, Node])
    held: bool = False
    parcels: list[Parcel] = field(default_factory=list[Parcel])
    started: set[Node] = field(default_factory=set[Node])

    def __post_init__(self) -> None:
        stores = [RingStore(number) for number in range(self.size)]
        self.table = HomeTable(1, propose(stores, SHARDS))

    async def open(self, store: MemoryStore, incarnation: int, *, start: bool = True) -> Node:
        """Make a node, and start its host; nobody knows of it yet."""
        node = self.nodes[store.identity.number] = Node(self, store, incarnation)
        if start:
            await self.start(node)
        return node

    async def start(self, node: Node) -> None:
        """Let its host serve."""
        self.started.add(node)
        await node.host.start()

    async def replace(self, number: int, *, start: bool = True) -> Node:
        """Kill a node and open its store anew; nobody knows yet."""
        old = self.nodes[number]
        old.kill()
        await settle()
        return await self.open(old.store.crash(), old.incarnation + 1, start=start)

    def introduce(self) -> None:
        """Everybody gets to know everybody."""
        for node in self.nodes.values():
            node.meet_all()

    def home(self, entity: str) -> Node:
        """The node that owns an entity."""
        return self.nodes[self.table.homes[shard_of(COUNTER, entity, SHARDS)][0]]

    def entity_of(self, number: int, nth: int = 0) -> str:
        """An entity whose home is this store."""
        found = (f"e{each}" for each in range(1_000))
        return [e for e in found if self.home(e).number == number][nth]

    async def deliver(self) -> None:
        """Let everything through that is on its way, and what follows from it."""
        await settle()
        while self.parcels:
            parcels, self.parcels = self.parcels, []
            for parcel in parcels:
                parcel.through()
            await settle()


@asynccontextmanager
async def net(size: int = 2, **limits: int) -> AsyncGenerator[Net]:
    """Started nodes that know each other."""
    made = Net(size, LinkLimits(**limits))
    for number in range(size):
        identity = StoreIdentity("0" * 32, "test", number, SHARDS, LINEAGE)
        await made.open(MemoryStore(identity), 1)
    made.introduce()
    await settle()
    yield made
    for node in made.nodes.values():
        node.links.close()
        if node.host.serving:
            node.committer.hold_commits = node.committer.hold_reads = False
            await node.committer.release()
            await node.host.stop()


def send(n: Net, method: str = "add", payload: bytes = b"1", entity: str = "") -> Ticket:
    """From node 0 to node 1, past the router."""
    kind = MessageKind.QUERY if method == "tell" else MessageKind.COMMAND
    message = Message(kind, COUNTER, entity or n.entity_of(1), method, payload)
    return n.nodes[0].links.target(1).send(message)


def outcome_of(reply: Reply | None) -> tuple[str, str]:
    """Number and outcome of a failure."""
    assert reply is not None
    assert reply.failure is not None
    return reply.failure.number, reply.failure.outcome


async def stored(n: Net, entity: str = "") -> int:
    """The total at node 1."""
    message = Message(MessageKind.QUERY, COUNTER, entity or n.entity_of(1), "tell")
    return total_of(await n.nodes[1].host.ask(message))
