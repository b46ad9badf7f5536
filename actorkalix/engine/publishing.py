"""From what is published to the message that a topic's partition keeps, and to what handlers see.

Metadata whose names begin with `ce-` (or `ce_`, RT-81) are attributes of a CloudEvent: those that a
message has fields for go there, the others stay as they are, as do pairs of any other name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from actorkalix.codec.topics import write_data
from actorkalix.describe.descriptors import ChangeHandler, HandlerDescriptor
from actorkalix.errors import ResultTooLarge
from actorkalix.limits import Limits
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix.model.names import check_idempotency_key
from actorkalix.model.stored import tag_of
from actorkalix_cluster.shardhost.messages import Message

from .replies import digest
from .requests import TRACING
from .topic import TopicMessage, publish_order

_FIELDS = {
    "ce-type": "type",
    "ce-subject": "subject",
    "ce-id": "id",
    "ce-source": "source",
    "ce-datacontenttype": "content_type",
    "content-type": "content_type",
}
_DROPPED = "ce-specversion"  # there is one


def topic_message(
    value: Any,
    metadata: Metadata = NO_METADATA,
    *,
    subject: str = "",
    source: str = "",
    id: str = "",
    where: str = "the message",
) -> TopicMessage:
    """The message of a value.

    Args:
        value: its data.
        metadata: attributes and other pairs; the attributes among them win over what follows.
        subject: what it is about.
        source: who publishes it.
        id: by which the topic knows it again, or "".
        where: whose value it is, for the errors.

    Raises:
        NotEncodable: the value cannot be written.
        InvalidIdempotencyKey: the id is none.
    """
    data, content_type = write_data(value, where)
    made = with_attributes(
        TopicMessage(tag_of(type(value))[0], subject, id, source, content_type, (), data),
        metadata.pairs,
    )
    if made.id:
        check_idempotency_key(made.id)
    return made


def with_attributes(made: TopicMessage, pairs: Iterable[tuple[str, str]]) -> TopicMessage:
    """A message with these pairs: attributes of a CloudEvent win, all others are its metadata.

    Args:
        made: the message without them.
        pairs: names and values, in order.
    """
    fields: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for name, text in pairs:
        known = _attribute(name)
        if known in _FIELDS:
            fields[_FIELDS[known]] = text
        elif known != _DROPPED:
            others.append((known if known.startswith("ce-") else name, text))
    return msgspec.structs.replace(made, **fields, metadata=(*made.metadata, *others))


def _attribute(name: str) -> str:
    lower = name.lower()
    return f"ce-{lower[3:]}" if lower.startswith("ce_") else lower


def attributes(entity: str, number: int, time_ms: int, made: TopicMessage) -> Metadata:
    """What a handler sees of a message: its attributes as a CloudEvent, then all other pairs.

    Args:
        entity: the partition.
        number: of the message in it.
        time_ms: when it was appended, milliseconds since 1970.
        made: the message.
    """
    return _Attributes(entity, number, time_ms, made)


class _Attributes(Metadata):
    """Put together when somebody looks at them: most handlers take the message alone."""

    __slots__ = ("_of",)

    def __init__(self, entity: str, number: int, time_ms: int, made: TopicMessage) -> None:
        self._of = (entity, number, time_ms, made)

    def __getattr__(self, name: str) -> Any:
        """Of `pairs`, as long as there are none."""
        if name != "pairs":
            raise AttributeError(name)
        self.pairs = _pairs(*self._of)
        return self.pairs


def _pairs(
    entity: str, number: int, time_ms: int, made: TopicMessage
) -> tuple[tuple[str, str], ...]:
    pairs = [
        ("ce-specversion", "1.0"),
        ("ce-id", made.id or f"{entity}-{number}"),
        ("ce-source", made.source),
        ("ce-type", made.type),
    ]
    if made.subject:
        pairs.append(("ce-subject", made.subject))
    if not any(name == "ce-time" for name, _ in made.metadata):
        pairs.append(("ce-time", event_time(time_ms)))
    return (*pairs, ("content-type", made.content_type), *made.metadata)


@lru_cache(maxsize=256)  # those of a batch have one time, or a few
def event_time(time_ms: int) -> str:
    """A time, milliseconds since 1970, as CloudEvents have it (RFC 3339)."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Publisher:
    """Makes the messages of what an action's handlers return.

    Args:
        component: id of the action.
        limits: of the service.
    """

    def __init__(self, component: str, limits: Limits) -> None:
        self._component = component
        self._partitions = limits.topic_partitions
        self._size_max = limits.event_bytes_max

    def of(
        self,
        handler: HandlerDescriptor | ChangeHandler,
        value: Any,
        metadata: Metadata,
        cause: Message,
        subject: str = "",
    ) -> tuple[Message, ...]:
        """The messages that publish a handler's value; none for None.

        Their ids are derived from the cause's key, where it has one: handled again, it publishes
        what the topics have.

        Args:
            handler: that returned the value.
            value: it.
            metadata: that go with it.
            cause: the message that the handler handled.
            subject: of what it handled.

        Raises:
            NotEncodable, ResultTooLarge, InvalidIdempotencyKey: as it says.
        """
        if value is None or not handler.publishes:
            return ()
        where = f"{self._component}.{handler.name}"
        traced = [
            pair
            for pair in cause.metadata
            if pair[0].lower() in TRACING and pair[0] not in metadata
        ]
        orders: list[Message] = []
        for topic in handler.publishes:
            made = topic_message(
                value,
                metadata.merge(Metadata(traced)),
                subject=subject,
                source=self._component,
                id=self._id(handler.name, topic, cause.key),
                where=f"what {where} publishes",
            )
            order = publish_order(topic, made, self._partitions, cause.correlation_id)
            size = len(order.payload)
            if size > self._size_max:
                raise ResultTooLarge(
                    f"{where}: a message of {size} bytes, the limit is {self._size_max}"
                )
            orders.append(msgspec.structs.replace(order, depth=cause.depth))
        return tuple(orders)

    def _id(self, method: str, topic: str, key: str) -> str:
        parts = (self._component, method, topic, key)
        return digest(*(part.encode() for part in parts)).hex() if key else ""
