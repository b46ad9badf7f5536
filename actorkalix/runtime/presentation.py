"""How stored records look to an operator, and what stands for a place in a list of entities.

What is shown without the service's code is what lies there, by the codec's untyped face.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

import msgspec

from actorkalix.codec import Peeked, jsonable, peek
from actorkalix.engine.workflow_control import Entry, entry_of, public
from actorkalix.errors import InvalidPayload, StoredDataUnreadable
from actorkalix.ports import EventView
from actorkalix_storage.api import History, RecordKind, StoredRecord

T = TypeVar("T")


def as_stored(history: History) -> tuple[Any, str]:
    """State and note of an entity whose code is not here."""
    if history.records and history.records[-1].record.kind is RecordKind.STATE:
        return jsonable(_peeked(history.records[-1]).data), ""
    events = len(history.records)
    if history.snapshot is None:
        return None, f"{events} events are not folded: that needs the service's code (--service)"
    state = jsonable(peek(history.snapshot.payload).data)
    if not events:
        return state, ""
    return state, (
        f"the state is that of change {history.snapshot.number}; {events} later events are not "
        "folded: that needs the service's code (--service)"
    )


def event_view(stored: StoredRecord, state: Any) -> EventView:
    """A record as an operator sees it.

    Raises:
        StoredDataUnreadable: its payload is no envelope; the message names the record.
    """
    record, position = stored.record, stored.position
    tag, version, data, metadata = "", 0, None, dict[str, str]()
    entry = _entry(record.payload) if record.kind is RecordKind.EVENT else None
    if entry is not None:
        tag, data = entry.did.name.lower(), _told(entry)
    elif record.payload:
        seen = _peeked(stored)
        tag, version, data = seen.tag, seen.version, jsonable(seen.data)
        for name, value in seen.metadata or ():
            metadata[name] = f"{metadata[name]}, {value}" if name in metadata else value
    return EventView(
        record.number,
        record.kind.name.lower(),
        tag,
        version,
        record.time_ms,
        stored.shard,
        position.epoch,
        position.offset,
        data,
        metadata,
        bool(record.key),
        state,
    )


def _entry(payload: bytes) -> Entry | None:
    """What a workflow's record tells; None for another's, which begins with a text."""
    try:
        return entry_of(payload)
    except msgspec.MsgspecError:
        return None


def _told(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = {
        "what": entry.what,
        "step": entry.step,
        "attempt": entry.attempt,
        "failure": entry.failure,
        "status": public(entry.control.status),
        "next_step": entry.control.step,
        "state": None if entry.state is None else jsonable(peek(entry.state).data),
    }
    return {name: value for name, value in told.items() if value}


def _peeked(stored: StoredRecord) -> Peeked:
    """The envelope of a record; an error names the record."""
    record = stored.record
    try:
        return peek(record.payload)
    except StoredDataUnreadable as error:
        what = f"{record.component} {record.entity!r}, {record.kind.name.lower()} {record.number}"
        place = f"shard {stored.shard}, offset {stored.position.offset}"
        raise StoredDataUnreadable(f"{what} ({place}): {error}") from error


def page_token(component: str, place: object) -> str:
    """What stands for "beyond this place" at a page's end; opaque to who hands it back."""
    packed = msgspec.msgpack.encode((component, place))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def place_of(component: str, page: str, shape: type[T]) -> T | None:
    """The place that a page's token stands for, None for "", the beginning.

    Args:
        component: whose list is asked for.
        page: from `page_token`.
        shape: of the place.

    Raises:
        InvalidPayload: it is no such token, or of another component's list.
    """
    if not page:
        return None
    try:
        packed = base64.b64decode(page + "=" * (-len(page) % 4), altchars=b"-_", validate=True)
        owner, rest = msgspec.msgpack.decode(packed, type=tuple[str, msgspec.Raw])
        place = msgspec.msgpack.decode(rest, type=shape)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise InvalidPayload(f"page: {page[:80]!r} is no page of a list of entities") from None
    if owner != component:
        raise InvalidPayload(f"page: it belongs to the list of {owner!r}, not of {component!r}")
    return place
