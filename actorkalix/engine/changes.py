"""Changes of entities on their way to the handlers of subscriptions.

A message with changes names the action and the method that takes them. Its payload is MessagePack,
an array of changes (`Change`, an array of fields each), for a method that takes one at a time an
array of one. The events and states in it are as they were stored; they become objects where the
handler runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.codec.stored import StoredCodec
from actorkalix.describe.descriptors import ChangeHandler, ComponentDescriptor, described
from actorkalix.errors import UnknownRoute
from actorkalix.model.component import Context
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix_cluster.shardhost.messages import Message
from actorkalix_storage.api import RecordKind

EVENT, STATE, DELETED = RecordKind.EVENT, RecordKind.STATE, RecordKind.DELETED
TAKEN = (EVENT, STATE, DELETED)
"""Kinds of records that are changes."""


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A change as it travels.

    Attributes:
        kind: `EVENT`, `STATE` or `DELETED`.
        entity: id of the entity.
        number: its sequence number.
        time_ms: of the record.
        payload: what was stored.
        id: of the record, the same whenever it is delivered.
        delivery_id: of the record at this consumer.
    """

    kind: int
    entity: str
    number: int
    time_ms: int
    payload: bytes
    id: str
    delivery_id: str


class Called(NamedTuple):
    """A method of an action with what it takes."""

    handler: ChangeHandler
    args: tuple[Any, ...]
    context: Context


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Change, ...]).decode
_tag = msgspec.msgpack.Decoder(tuple[str, int, msgspec.Raw, msgspec.Raw]).decode


def pack_changes(changes: Sequence[Change]) -> bytes:
    """The payload of a message with changes."""
    return _encode(changes)


class Switch:
    """Which method of a subscription takes a change. Pure."""

    def __init__(self, handlers: Mapping[str, ChangeHandler], source: ComponentDescriptor) -> None:
        tags = {stored.type: stored.tag for stored in source.events}
        self._by_tag = {
            tags[handler.only]: handler for handler in handlers.values() if handler.only is not None
        }
        whole = [one for one in handlers.values() if one.only is None]
        self._deletes = next((one for one in whole if one.deletes), None)
        self._others = next((one for one in whole if not one.deletes), None)

    def handler(self, kind: RecordKind, payload: bytes) -> ChangeHandler | None:
        """The method for a record, or None where nobody takes it."""
        if kind is DELETED:
            return self._deletes
        if self._by_tag and kind is EVENT:
            return self._by_tag.get(_tag_of(payload), self._others)
        return self._others


def _tag_of(payload: bytes) -> str:
    """Under which name an event was stored."""
    try:
        return _tag(payload)[0]
    except msgspec.DecodeError:
        return ""  # the codec says what is wrong with it


class ChangeCode:
    """Reads messages with changes for the methods of one action.

    Args:
        descriptor: of the action.
    """

    def __init__(self, descriptor: ComponentDescriptor) -> None:
        self._id = descriptor.component_id
        self._handlers: dict[str, tuple[ChangeHandler, ComponentDescriptor, StoredCodec]] = {}
        for subscription in descriptor.subscriptions:
            source = described(subscription.source)
            assert source is not None, "a source is a component"
            codec = codecs_for(source).stored
            for name, handler in subscription.handlers.items():
                self._handlers[name] = (handler, source, codec)

    def called(self, message: Message) -> Called:
        """The method that a message is for, with what it takes.

        Raises:
            UnknownRoute: the action has no such method.
            StoredDataUnreadable: an event or state cannot be read by this version of the code.
        """
        found = self._handlers.get(message.method)
        if found is None:
            raise UnknownRoute(f"{self._id} has no subscription {message.method!r}")
        handler, source, codec = found
        changes = _decode(message.payload)
        read = [_read(change, source, codec) for change in changes]
        contexts = [
            _context(message, source, change, metadata)
            for change, (_, metadata) in zip(changes, read, strict=True)
        ]
        if handler.batch:
            context = Context(name=message.method, batch=tuple(contexts))
            return Called(handler, ([value for value, _ in read],), context)
        args = () if handler.deletes else (read[0][0],)
        return Called(handler, args, contexts[0])


def _read(
    change: Change, source: ComponentDescriptor, codec: StoredCodec
) -> tuple[Any, Metadata | None]:
    if change.kind == DELETED:
        return None, None
    if change.kind == EVENT:
        return codec.decode_event(change.payload)
    return codec.decode_state(change.payload), None


def _context(
    message: Message, source: ComponentDescriptor, change: Change, metadata: Metadata | None
) -> Context:
    event = Metadata(cloud_event(source.component_id, change))
    return Context(
        name=message.method,
        metadata=event.merge(metadata or NO_METADATA),
        sequence_number=change.number,
        subject=change.entity,
        deleted=change.kind == DELETED,
        delivery_id=change.delivery_id,
    )


def cloud_event(component: str, change: Change) -> tuple[tuple[str, str], ...]:
    """Attributes of a change as a CloudEvent (version 1.0 of its specification)."""
    at = datetime.fromtimestamp(change.time_ms / 1000, UTC)
    tag = "deleted" if change.kind == DELETED else _tag_of(change.payload)
    return (
        ("ce-specversion", "1.0"),
        ("ce-id", change.id),
        ("ce-source", component),
        ("ce-type", tag),
        ("ce-subject", change.entity),
        ("ce-time", at.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
        ("ce-sequence", str(change.number)),
    )
