"""Fills a store as a shard host would, command by command, without a loop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.engine.timer import TimerBehavior
from actorkalix.limits import Limits
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_storage.api import Append, Appended, Store, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore

NOW_MS = 1_700_000_000_000
SHARDS = 8
IDENTITY = StoreIdentity("c" * 32, "shop", 0, SHARDS, 0xFEED)


class Stock:
    """A store and the service whose commands fill it; opens `shards`, or all."""

    def __init__(
        self,
        service: ServiceDescriptor,
        store: Store | None = None,
        shards: Iterable[int] | None = None,
    ) -> None:
        self.store: Store = store or MemoryStore(IDENTITY)
        self._behaviors = {name: behavior_for(c) for name, c in service.components.items()}
        self._behaviors[TIMER] = TimerBehavior(Limits())
        self._shards = self.store.identity.shards
        self._epochs = self.store.open_shards(shards or range(self._shards), NOW_MS)
        self.now_ms = NOW_MS

    def send(
        self, component: str, entity: str, method: str, /, key: str = "", **arguments: Any
    ) -> Reply:
        """One command, durable when this returns; what it answers is no failure."""
        body = msgspec.json.encode(arguments) if arguments else b""
        return self.tell(Message(MessageKind.COMMAND, component, entity, method, body, key=key))

    def timer(self, name: str, method: str, plan: msgspec.Struct | None = None) -> bytes:
        """Tell a named timer something."""
        payload = msgspec.msgpack.encode(plan)
        message = Message(MessageKind.COMMAND, TIMER, name, method, payload, Encoding.MSGPACK)
        return self.tell(message).payload

    def tell(self, message: Message) -> Reply:
        """One message, as `send`."""
        component, entity = message.component, message.entity
        behavior = self._behaviors[component]
        shard = shard_of(component, entity, self._shards)
        history = self.store.load(shard, component, entity)
        instance = behavior.restore(entity, history) if history else behavior.empty(entity)
        self.now_ms += 1000
        step = behavior.step(instance, message, self.now_ms)
        if step.records:
            append = Append(shard, self._epochs[shard], behavior.version(instance), step.records)
            (outcome,) = self.store.commit([append])
            assert isinstance(outcome, Appended), outcome
        if step.snapshot_due:
            history = self.store.load(shard, component, entity)
            assert history is not None
            snapshot = behavior.snapshot(behavior.restore(entity, history))
            snapshot = msgspec.structs.replace(snapshot, offset=history.head.offset)
            self.store.put_snapshot(shard, component, entity, snapshot)
        return step.reply
