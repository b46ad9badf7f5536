"""Bytes between processes of one run: a protocol version, then msgpack.

There is nothing to negotiate, for all are of one run: another version is refused.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


class OtherProtocol(ValueError):
    """The bytes are of another version."""


def unpacked(data: bytes, protocol: int, decoder: msgspec.msgpack.Decoder[T]) -> T:
    """What is in these bytes.

    Args:
        data: byte 0 is the version, the rest is msgpack.
        protocol: the version that is understood.
        decoder: of the rest.

    Raises:
        OtherProtocol: they are of another version, or none at all.
        msgspec.MsgspecError: the rest cannot be read.
    """
    if not data or data[0] != protocol:
        found = f"version {data[0]}" if data else "nothing"
        raise OtherProtocol(f"it begins with protocol version {protocol}, found {found}")
    return decoder.decode(memoryview(data)[1:])
