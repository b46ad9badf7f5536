"""A store with transfers of the example: done, refunded, waiting, and one on its way."""

from __future__ import annotations

import asyncio

import msgspec

from actorkalix.engine.workflow_control import BUSY
from actorkalix.limits import Limits
from actorkalix.runtime.actions import Surroundings
from actorkalix.runtime.resources import Resources
from actorkalix.runtime.steps import InlineSteps
from actorkalix.runtime.virtual import VirtualClock
from actorkalix.runtime.workflow_listing import flow_of
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.fired import FIRED, Firing, Outcome
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_storage.api import Store, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore
from examples.transfer.service import service
from tests.unit.actorkalix.runtime.stock import SHARDS, Stock

IDENTITY = StoreIdentity("c" * 32, service.name, 0, SHARDS, 0xFEED)


class Flows(Stock):
    """Fills a store with workflows, step by step, as hosts do."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(service.descriptor, store or MemoryStore(IDENTITY))

    async def ask(self, message: Message, /) -> Reply:
        """Answers calls of steps."""
        return self.tell(message)

    def go(self, component: str, workflow_id: str, steps: int = 100) -> None:
        """Run what is due of a workflow."""
        for _ in range(steps):
            shard = shard_of(component, workflow_id, SHARDS)
            flow = flow_of(self.store, shard, component, workflow_id)
            if flow is None or flow.control.status not in BUSY:
                return
            self.now_ms = max(self.now_ms, flow.expires_ms)
            told = self.tell(Message(MessageKind.EXPIRE, component, workflow_id))
            if not told.payload:
                continue
            firing = msgspec.msgpack.decode(told.payload, type=Firing)
            reply = asyncio.run(self._answer(firing.message))
            outcome = Outcome(firing.token, reply.failure, reply.payload, self.now_ms)
            packed = msgspec.msgpack.encode(outcome)
            self.tell(
                Message(
                    *(MessageKind.CONTROL, component, workflow_id, FIRED, packed),
                    *(Encoding.MSGPACK, Encoding.MSGPACK),
                )
            )

    async def _answer(self, message: Message) -> Reply:
        if message.kind is not MessageKind.STEP:
            return self.tell(message)
        clock = VirtualClock(self.now_ms)
        around = Surroundings(self, clock, Limits(), Resources(service.name, None))
        runner = InlineSteps(service.descriptor.components[message.component], around)
        return await runner.run(message)


def filled(store: Store | None = None) -> Flows:
    """Two wallets, and four transfers: t-done, t-undone, t-waits, t-runs."""
    flows = Flows(store)
    flows.send("wallet", "ann", "deposit", amount=9_000)
    flows.send("wallet", "eve", "close")
    for name, target, amount in (
        ("t-done", "bob", 10),
        ("t-undone", "eve", 10),
        ("t-waits", "bob", 5_000),
        ("t-runs", "bob", 10),
    ):
        flows.send("transfer", name, "start", source="ann", target=target, amount=amount)
        flows.go("transfer", name, steps=1 if name == "t-runs" else 100)
    return flows
