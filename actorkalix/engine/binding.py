"""CloudEvents in the headers of a broker's message (binary mode, version 1.0). Pure.

    attribute           header
    id, source, type    ce-id, ce-source, ce-type, and ce-specversion
    subject, time       ce-subject, ce-time
    datacontenttype     content-type
    any other pair      as it is
    (ours) the id       actorkalix-id

On the way in `ce_...` is read as `ce-...` (RT-81). Header bytes that are no UTF-8 are read as
well as can be: nothing that a stranger sends may stop what follows it.

The id of a CloudEvent is its publisher's business, and says nothing of what came twice. What we
have published ourselves bears its id once more: it may have been sent twice, under that id.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from actorkalix.codec.topics import REFUSED

from .publishing import attributes, with_attributes
from .replies import digest
from .topic import TopicMessage

OWN_ID = "actorkalix-id"


class Incoming(msgspec.Struct, frozen=True):
    """A message of a broker.

    Attributes:
        lane: of the broker's topic, in which its messages are in order: a partition's number.
        number: in the lane, rising.
        message: it.
        own: the id under which we have published it ourselves, or "".
    """

    lane: int
    number: int
    message: TopicMessage
    own: str = ""


def headers_of(made: TopicMessage, time_ms: int) -> list[tuple[str, str]]:
    """The headers of a message on its way out.

    Args:
        made: it, with an id.
        time_ms: when it was published, milliseconds since 1970.
    """
    assert made.id, "what leaves has an id"
    return [*attributes("", 0, time_ms, made).pairs, (OWN_ID, made.id)]


def incoming(
    lane: int,
    number: int,
    headers: Iterable[tuple[str, bytes | str | None]],
    data: bytes,
    *,
    key: bytes | str | None = None,
    content_type: str = "",
    source: str = "",
) -> Incoming:
    """A message on its way in.

    Args:
        lane, number: see `Incoming`.
        headers: names and values, in order.
        data: its bytes.
        key: by which the broker keeps it in order: the subject, where no header says one.
        content_type: where no header says one.
        source: where no header says one.
    """
    plain = TopicMessage("", _text(key), "", source, content_type, (), data)
    pairs = [(name, _text(value)) for name, value in headers]
    made = with_attributes(plain, [pair for pair in pairs if pair[0] != OWN_ID])
    return Incoming(lane, number, made, next((text for name, text in pairs if name == OWN_ID), ""))


def taken_key(topic: str, source: str, one: Incoming) -> str:
    """The key under which a message is taken: where it stands, or the id that we gave it.

    Args:
        topic: its name.
        source: which broker it is of.
        one: the message.
    """
    parts = (topic, "own", one.own)
    if not one.own:
        parts = (topic, source, f"{one.lane}-{one.number}")
    return digest(*(part.encode() for part in parts)).hex()


def refused(one: Incoming, why: str) -> Incoming:
    """What stands in the place of a message that cannot be taken: no handler can read it.

    Args:
        one: the message.
        why: it cannot be taken.
    """
    made = one.message
    said = f"message {one.number} of lane {one.lane}: {why}"
    less = TopicMessage(
        *(made.type[:200], made.subject[:200], made.id[:128], made.source[:200], REFUSED),
        *((), said.encode()),
    )
    return msgspec.structs.replace(one, message=less)


def _text(value: bytes | str | None) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value or ""
