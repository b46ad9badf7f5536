"""Hosts with links between them under a network and processes that fail in every way we know.

Batches are delayed, put out of order, sent twice, lost, damaged; acknowledgements come late, twice
or as an error that says nothing; processes are killed, opened anew, known before they serve, known
late. After every run all heals, and what was told is compared with what is stored: each message was
answered once; acknowledged is stored, stored was attempted, each once; nothing that was told not to
have been executed is there; messages of one sender for one entity are in the order in which they
were sent; who reads sees all that was acknowledged before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.shardhost.messages import Reply
from actorkalix_storage.api import RecordKind
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.net import Net, Node, Parcel, net
from tests.unit.cluster.shardhost.rig import SHARDS, run

SIZE = 3
ENTITIES = ("a", "b", "c", "e")  # of three homes

nodes = st.integers(0, SIZE - 1)
entities = st.sampled_from(ENTITIES)
picks = st.integers(0, 7)

traffic = st.one_of(
    st.tuples(st.just("add"), nodes, entities),
    st.tuples(st.just("keyed"), nodes, entities, st.integers(1, 3)),
    st.tuples(st.sampled_from(["query", "cancel"]), nodes, entities),
)
way = st.one_of(
    st.tuples(st.sampled_from(["through", "arrive", "twice", "ack", "settle"]), picks),
    st.tuples(st.sampled_from(["lose", "unsure"]), picks),
)
trouble = st.one_of(
    st.tuples(st.sampled_from(["kill", "start", "notice", "drain", "stall", "resume"]), nodes),
    st.tuples(st.just("garble"), picks),
    st.tuples(st.just("pass"), st.sampled_from([10, 60, 250, 1_100, 5_100])),
)
steps = st.one_of(traffic, traffic, traffic, way, way, way, trouble)


@dataclass(eq=False)
class Attempt:
    """A message and what its caller was told; None while it waits, or when it is gone."""

    sender: Node
    entity: str
    amount: int
    task: asyncio.Task[Reply]
    floor: int = 0
    key: str = ""

    @property
    def reply(self) -> Reply | None:
        return self.task.result() if self.task.done() and not self.task.cancelled() else None

    @property
    def acknowledged(self) -> bool:
        return self.reply is not None and self.reply.failure is None

    @property
    def refused(self) -> bool:
        failure = None if self.reply is None else self.reply.failure
        return failure is not None and failure.outcome == "not_executed"


@dataclass
class Run:
    """One run and what was attempted in it."""

    net: Net
    adds: list[Attempt] = field(default_factory=list[Attempt])
    keyed: list[Attempt] = field(default_factory=list[Attempt])
    reads: list[Attempt] = field(default_factory=list[Attempt])
    unheard: list[Parcel] = field(default_factory=list[Parcel])

    async def do(self, step: tuple[object, ...]) -> None:
        """Do one step."""
        match step:
            case ("cancel", int(number), str(entity)):
                for each in self.adds:
                    if each.sender is self.net.nodes[number] and each.entity == entity:
                        each.task.cancel()
                await asyncio.sleep(0)
            case (str(what), int(number), str(entity), *rest):
                self._ask(what, self.net.nodes[number], entity, *rest)
                await asyncio.sleep(0)
            case ("pass", int(ms)):
                await self.net.clock.advance(ms)
            case ("settle", _):
                await settle()
            case ("ack", int(pick)):
                if self.unheard:
                    parcel = self.unheard[pick % len(self.unheard)]
                    parcel.tell()  # and perhaps again later
            case (str(what), int(number)):
                if what in ("through", "arrive", "twice", "lose", "unsure", "garble"):
                    self._move(what, number)
                else:
                    await self._process(what, number)
            case _:
                raise AssertionError(f"no step: {step}")

    def _ask(self, what: str, node: Node, entity: str, *rest: object) -> None:
        if what == "query":
            floor = sum(a.amount for a in self.adds if a.entity == entity and a.acknowledged)
            self.reads.append(Attempt(node, entity, 0, node.query(entity), floor))
        elif what == "add":
            amount = 1 << len(self.adds)
            self.adds.append(Attempt(node, entity, amount, node.ask("add", amount, entity)))
        else:
            key = f"k{rest[0]}"
            task = node.ask("add", 0, entity, key=key)
            self.keyed.append(Attempt(node, entity, 0, task, key=key))

    def _move(self, what: str, pick: int) -> None:
        """What the network does with one batch, not always the oldest."""
        parcels = self.net.parcels
        if not parcels:
            return
        parcel = parcels.pop(pick % len(parcels))
        match what:
            case "arrive":
                parcel.arrive()
                if parcel.receiver.alive:
                    self.unheard.append(parcel)
            case "twice":
                parcel.through()
                parcels.append(parcel)
            case "lose":
                parcel.tell(OSError("nobody knows"))
            case "unsure":
                parcel.arrive()
                parcel.tell(OSError("nobody knows"))
            case "garble":
                if parcel.receiver.alive:
                    parcel.receiver.links.receive(parcel.batch[:-1])
                    parcel.tell()
            case _:
                parcel.through()

    async def _process(self, what: str, number: int) -> None:
        """What happens to one process, or what it hears of the others."""
        node = self.net.nodes[number]
        match what:
            case "kill":
                for each in (*self.adds, *self.keyed, *self.reads):
                    if each.sender is node:
                        each.task.cancel()  # its callers' connections are gone
                await self.net.replace(number, start=False)
            case "start":
                await self.start(node)
            case "notice":
                node.meet_all()
            case "drain":
                if node.host.serving:
                    draining = asyncio.create_task(node.host.drain(0.01))
                    await asyncio.sleep(0)
                    self.net.clock.call_later(20, draining.cancel)
            case "stall":
                node.committer.hold_commits = True
            case _:
                node.committer.hold_commits = False
                await node.committer.release()

    async def start(self, node: Node) -> None:
        """Let a host that was made serve."""
        if node not in self.net.started:
            await self.net.start(node)

    async def heal(self) -> None:
        """End all trouble and let time pass until everybody has been told something."""
        for number, node in list(self.net.nodes.items()):
            await self._process("resume", number)
            await self.start(node)
            if not node.host.serving:
                await self.net.replace(number)
        self.net.introduce()
        self.net.held = False
        for parcel in self.unheard:
            parcel.tell()
        await self.net.deliver()
        for ms in (1_500, 1_500, 5_500):
            for node in self.net.nodes.values():  # a last batch that is missing is not missed yet
                self.reads += [Attempt(node, e, 0, node.query(e)) for e in ENTITIES]
            await self.net.clock.advance(ms)

    @property
    def all(self) -> list[Attempt]:
        return [*self.adds, *self.keyed, *self.reads]


async def check(run: Run) -> None:
    """Compare with what is stored."""
    assert all(each.task.done() for each in run.all), "each is answered"
    for entity in ENTITIES:
        store = run.net.home(entity).store
        history = store.history(shard_of(COUNTER, entity, SHARDS), COUNTER, entity, limit=10_000)
        events = [each.record for each in history if each.record.kind is RecordKind.EVENT]
        stored = [int(event.payload) for event in events if event.payload != b"0"]
        adds = [each for each in run.adds if each.entity == entity]
        assert len(stored) == len(set(stored)), "nothing is executed twice"
        assert set(stored) <= {each.amount for each in adds}
        assert {each.amount for each in adds if each.acknowledged} <= set(stored)
        assert not {each.amount for each in adds if each.refused} & set(stored)
        for sender in {each.sender for each in adds}:
            told = {each.amount for each in adds if each.sender is sender and each.acknowledged}
            order = [amount for amount in stored if amount in told]
            assert order == sorted(order), "first sent, first delivered"
        keys = [event.key for event in events if event.key]
        assert len(keys) == len(set(keys)), "a key is executed once"
        heard = {each.key for each in run.keyed if each.entity == entity and each.acknowledged}
        assert len(heard) <= len(keys)
        for read in run.reads:
            if read.entity == entity and read.acknowledged:
                total = int((read.reply or Reply()).payload)
                assert total & ~sum(stored) == 0, "nothing was seen that is not stored"
                assert read.floor & ~total == 0, "what was acknowledged before is seen"
    for node in run.net.nodes.values():
        assert node.router.parked == 0
        assert all(link.left == 0 for link in node.links.stats().values())


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=20, max_size=120))
def test_what_is_told_is_what_is_stored(script: list[tuple[object, ...]]) -> None:
    async def case() -> None:
        async with net(SIZE, batch_bytes_max=400, gap_wait_ms=1_000) as n:
            n.held = True
            done = Run(n)
            for step in script:
                await done.do(step)
            await done.heal()
            await check(done)

    run(case())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(traffic, way), min_size=20, max_size=120))
def test_a_network_that_is_only_slow_loses_nothing(script: list[tuple[object, ...]]) -> None:
    async def case() -> None:
        async with net(SIZE, batch_bytes_max=400, gap_wait_ms=1_000) as n:
            n.held = True
            done = Run(n)
            for step in script:
                await done.do(step)
            await done.heal()
            await check(done)
            gone = [each for each in done.all if not each.task.cancelled()]
            assert all(each.acknowledged for each in gone)

    run(case())
