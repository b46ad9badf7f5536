"""Consistency tokens."""

from __future__ import annotations

import contextlib
from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.errors import InvalidPayload
from actorkalix.gateway.tokens import (
    POSITIONS_MAX,
    TOKEN_CHARS_MAX,
    Mark,
    Token,
    decode,
    encode,
    merge,
    token_of,
)
from actorkalix_storage.api import Position

SMALL = st.integers(0, 3)
MARKS = st.builds(Mark, SMALL, SMALL, SMALL, SMALL)
TOKENS = st.lists(MARKS, max_size=6).map(
    lambda marks: merge([Token(0, (mark,)) for mark in marks], 0)
)
WIDE = st.integers(0, 2**63 - 1)


def test_of_one_position() -> None:
    text = token_of(7, Position(2**64 - 1, 3, 77)).decode()
    assert decode(text) == Token(0, (Mark(7, 2**64 - 1, 3, 77),))


@given(WIDE, st.lists(st.builds(Mark, WIDE, WIDE, WIDE, WIDE), max_size=POSITIONS_MAX))
def test_there_and_back_fits_a_header(heads_at_ms: int, marks: list[Mark]) -> None:
    token = Token(heads_at_ms, tuple(marks))
    text = encode(token).decode()
    assert len(text) <= TOKEN_CHARS_MAX
    assert text.replace("-", "").replace("_", "").isalnum()
    assert decode(text) == token


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        "AQ",
        "é",
        "AQ==\n",
        "x" * (TOKEN_CHARS_MAX + 1),
        urlsafe_b64encode(b"\x02" + msgspec.msgpack.encode(Token())).decode(),
        urlsafe_b64encode(b"\x01" + msgspec.msgpack.encode([0, [[1, 2, 3]]])).decode(),
        urlsafe_b64encode(b"\x01" + msgspec.msgpack.encode([0, [[1, 2, 3, "x"]]])).decode(),
        urlsafe_b64encode(b"\x01" + msgspec.msgpack.encode([0, [[1, 2, 3, 4]] * 17])).decode(),
    ],
)
def test_what_is_no_token_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidPayload, match="X-Consistency-Token"):
        decode(text)


@given(st.text(max_size=40))
def test_any_text_decodes_or_is_refused(text: str) -> None:
    with contextlib.suppress(InvalidPayload):
        assert isinstance(decode(text), Token)


@given(TOKENS, TOKENS, TOKENS)
def test_merge_knows_no_order(a: Token, b: Token, c: Token) -> None:
    assert merge([a, b, c], 9) == merge([c, merge([b, a], 9)], 9)
    assert merge([a, a], 9) == a


def test_merge_keeps_the_newest_of_a_lineage() -> None:
    old, new, other = Mark(1, 5, 1, 9), Mark(1, 5, 2, 1), Mark(1, 4, 9, 9)
    assert merge([Token(0, (old, other)), Token(3, (new,))], 9) == Token(3, (other, new))


def test_too_many_positions_become_a_time() -> None:
    tokens = [Token(0, (Mark(shard, 1, 1, 1),)) for shard in range(POSITIONS_MAX + 1)]
    assert merge(tokens[:-1], 99).heads_at_ms == 0
    assert merge(tokens, 99) == Token(99)
