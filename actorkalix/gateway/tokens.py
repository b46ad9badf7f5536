"""Consistency tokens: what a caller has seen, as text for a header.

A token is a set of positions, the newest of each shard and lineage that an answer rested on. Beyond
16 it forgets them for "heads at time t": everything that any shard had at t, which is more than was
seen and still true.

Text: base64url without padding over a version byte and msgpack `[heads_at_ms, [[shard, lineage,
epoch, offset], …]]`.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Iterable

import msgspec

from actorkalix.errors import InvalidPayload
from actorkalix_storage.api import Position

HEADER = "X-Consistency-Token"
POSITIONS_MAX = 16  # about 600 characters: headers pass through every proxy
TOKEN_CHARS_MAX = 1_024
_VERSION = b"\x01"
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Mark(msgspec.Struct, frozen=True, array_like=True, order=True, forbid_unknown_fields=True):
    """A position in a shard; see `Position`."""

    shard: int
    lineage: int
    epoch: int
    offset: int


class Token(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What was seen: heads of all shards at `heads_at_ms` (0: of none), and `marks`, in order."""

    heads_at_ms: int = 0
    marks: tuple[Mark, ...] = ()


_decoder = msgspec.msgpack.Decoder(Token)
_encode = msgspec.msgpack.Encoder().encode


def token_of(shard: int, position: Position) -> bytes:
    """Text of the token of one answer."""
    mark = (shard, position.lineage, position.epoch, position.offset)
    return _text(_encode((0, (mark,))))  # as `Token` and `Mark` are written


def encode(token: Token) -> bytes:
    """Text of a token."""
    assert len(token.marks) <= POSITIONS_MAX, "merge bounds the marks"
    return _text(_encode(token))


def _text(token: bytes) -> bytes:
    text = b2a_base64(_VERSION + token, newline=False).rstrip(b"=")
    return text.translate(_URL_SAFE) if b"+" in text or b"/" in text else text


def decode(text: str) -> Token:
    """The token that a caller sent.

    Raises:
        InvalidPayload: it is not one of ours.
    """
    if len(text) > TOKEN_CHARS_MAX:
        raise InvalidPayload(
            f"{HEADER} has {len(text):,} characters, the limit is {TOKEN_CHARS_MAX:,}"
        )
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if raw[:1] != _VERSION:
            raise InvalidPayload(f"{HEADER} was made by another version")
        token = _decoder.decode(raw[1:])
    except (ValueError, msgspec.DecodeError):  # ValueError: also of base64
        raise InvalidPayload(f"{HEADER} is not a consistency token") from None
    if len(token.marks) > POSITIONS_MAX:
        raise InvalidPayload(f"{HEADER} has more than {POSITIONS_MAX} positions")
    return token


def merge(tokens: Iterable[Token], now_ms: int) -> Token:
    """The token of everything that any of `tokens` has seen.

    Args:
        tokens: to merge.
        now_ms: not before any of them was made; used when there are too many positions.
    """
    heads_at_ms = 0
    newest: dict[tuple[int, int], Mark] = {}
    for token in tokens:
        heads_at_ms = max(heads_at_ms, token.heads_at_ms)
        for mark in token.marks:
            at = (mark.shard, mark.lineage)
            newest[at] = max(mark, newest.get(at, mark))
    if len(newest) > POSITIONS_MAX:
        return Token(max(heads_at_ms, now_ms))
    return Token(heads_at_ms, tuple(sorted(newest.values())))
