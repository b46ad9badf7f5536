"""A message of a topic as it is stored. Pure."""

from __future__ import annotations

import msgspec

TOPIC = "~topic"
"""Component of all partitions."""


class TopicMessage(msgspec.Struct, frozen=True, array_like=True):
    """A message as it is stored, with what a CloudEvent needs beside its time and position.

    Attributes:
        type: of the data: the tag of its class.
        subject: what it is about, or "".
        id: that its publisher gave it, or "": it has one by its position.
        source: who published it.
        content_type: of the data.
        metadata: further pairs, in order.
        data: the bytes.
    """

    type: str
    subject: str
    id: str
    source: str
    content_type: str
    metadata: tuple[tuple[str, str], ...]
    data: bytes
