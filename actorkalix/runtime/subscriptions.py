"""Subscriptions at work: what lands in the log becomes messages to the methods of actions.

A delivery has a key, derived from the record and the consumer: the calls that the handler makes
have keys derived from it in turn, so what it does to entities happens once, however often the
record is delivered. For a list of changes the key is of its first and its last record: another time
it may be another list, and what is done for it may be done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

import msgspec

from actorkalix.describe.descriptors import (
    ChangeHandler,
    ComponentDescriptor,
    ServiceDescriptor,
    Subscription,
    described,
)
from actorkalix.describe.marked import is_stream
from actorkalix.engine.changes import DELETED, TAKEN, Change, Switch, pack_changes
from actorkalix.engine.sending import SENDING
from actorkalix.engine.topic import TOPIC, is_dropped, partition_prefix, read_message
from actorkalix.runtime.outside import Publishing, queues_of
from actorkalix_cluster.shardhost.firing import Reach
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_cluster.shardhost.outbox import Outbox
from actorkalix_cluster.shardhost.outgoing import derived_key
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_storage.api import Record, ShardState


class NotHandled(Exception):
    """A handler failed on a change; it will be delivered again."""


class ActionSubscriber:
    """A `Subscriber`: one consumer of an action.

    Args:
        action: its descriptor.
        subscription: of the action.
        reach: answers messages to the action.
    """

    def __init__(
        self, action: ComponentDescriptor, subscription: Subscription, reach: Reach
    ) -> None:
        self.consumer = subscription.consumer
        self.batch_max = subscription.batch_max
        self.blocks = subscription.blocks
        self.dead_letters = subscription.dead_letters
        self.from_now = subscription.from_now
        self._from_ms = subscription.from_ms
        self._action = action.component_id
        self._source, self._prefix = _source(subscription)
        self.numbered: tuple[str, str] | None = (
            (TOPIC, self._prefix) if self._source == TOPIC else None
        )
        self._taken_over = is_stream(subscription.source)
        takes = any(one.snapshots for one in subscription.handlers.values())
        self.folds = self._source if takes else ""
        self._switch = Switch(subscription)
        self._reach = reach

    def wants(self, record: Record, /) -> bool:
        """Changes of the source that a method takes."""
        return (
            record.component == self._source
            and record.entity.startswith(self._prefix)
            and record.kind in TAKEN
            and not (self.numbered and is_dropped(record.payload))
            and self._switch.handler(record.kind, record.payload) is not None
            and self._is_in_time(record)
        )

    def _is_in_time(self, record: Record) -> bool:
        """It is not older than where a consumer begins that begins at a time."""
        if not self._from_ms or not self._taken_over:
            return record.time_ms >= self._from_ms
        return published_ms(record) >= self._from_ms

    def nothing_after(self, state: ShardState, /) -> int | None:
        """A look tells."""
        return None

    async def handle(self, entries: Sequence[Entry], /) -> None:
        """Have the action handle changes.

        Raises:
            NotHandled: it did not; says why.
        """
        for handler, some in self._by_handler(entries):
            size = self.batch_max if handler.batch else 1
            for at in range(0, len(some), size):
                await self._deliver(handler, some[at : at + size])

    def _by_handler(self, entries: Sequence[Entry]) -> Iterator[tuple[ChangeHandler, list[Entry]]]:
        """Entries that follow each other to the same method."""
        for handler, some in groupby(
            entries, lambda entry: self._switch.handler(entry.record.kind, entry.record.payload)
        ):
            if handler is not None:
                yield handler, list(some)

    async def _deliver(self, handler: ChangeHandler, entries: list[Entry]) -> None:
        changes = [self._change(entry) for entry in entries]
        first, last = changes[0], changes[-1]
        key = first.delivery_id if len(changes) == 1 else f"{first.delivery_id}{last.id}"
        reply = await self._reach.ask(
            Message(
                *(MessageKind.COMMAND, self._action, "", handler.name),
                pack_changes(changes),
                *(Encoding.CHANGES, Encoding.MSGPACK, key),
                correlation_id=first.delivery_id,
            )
        )
        if reply.failure is not None:
            raise NotHandled(f"{reply.failure.number} {reply.failure.message}")

    def _change(self, entry: Entry) -> Change:
        record, at = entry.record, entry.position
        change = self._switch.change(record.kind, record.payload)
        assert change is not None, "a method takes it"
        kind, payload = change
        return Change(
            *(kind, record.entity, record.number, record.time_ms),
            b"" if kind is DELETED else payload,
            id=f"{entry.shard}-{at.epoch}-{at.offset}",
            delivery_id=derived_key(entry.shard, at, self.consumer),
        )


def published_ms(record: Record) -> int:
    """When a message of a stream was published, where it came from; milliseconds since 1970."""
    try:
        made = read_message(record.payload)
        at = dict(made.metadata)["ce-time"]
        return int(datetime.fromisoformat(at).timestamp() * 1000)
    except (msgspec.DecodeError, LookupError, ValueError):
        return record.time_ms


def _source(subscription: Subscription) -> tuple[str, str]:
    """Component that has the changes, and how the ids of its entities begin."""
    source = described(subscription.source)
    if source is not None:
        return source.component_id, ""
    return TOPIC, partition_prefix(subscription.source.within)


def subscribers_of(
    service: ServiceDescriptor, reach: Reach, publishing: Sequence[Publishing] = ()
) -> list[Subscriber]:
    """All that read the log of a service: the outbox, and the subscriptions of its actions.

    Args:
        service: whose actions.
        reach: answers messages.
        publishing: who publish to topics outside; what is queued for them is none of the outbox's.
    """
    queues = tuple(queues_of(one.topic) for one in publishing)
    found: list[Subscriber] = [Outbox(reach, {SENDING: queues} if queues else None), *publishing]
    for component in service.components.values():
        found += [ActionSubscriber(component, one, reach) for one in component.subscriptions]
    return found
