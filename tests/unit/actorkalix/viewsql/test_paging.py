"""Page tokens: the place behind a row, and nothing else."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.errors import InvalidPayload
from actorkalix.viewsql.paging import Key, behind, bound, last_of, token_of
from actorkalix.viewsql.shapes import ColumnKind

MARK = b"mark"
NUMBER = Key('"n"', ColumnKind.INTEGER, nullable=False)
TEXT = Key('"t"', ColumnKind.TEXT, nullable=True, descending=True)
KEYS = (NUMBER, TEXT)


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.one_of(st.none(), st.text()))
def test_a_token_holds_the_last_row(number: int, text: str | None) -> None:
    token = token_of(MARK, [number, text])
    assert last_of(token, MARK, KEYS, "page") == [number, text]
    assert token.isascii()
    assert not set(token) & set("+/=")


def test_an_empty_token_is_the_first_page() -> None:
    assert last_of("", MARK, KEYS, "page") is None


def encoded(*values: Any) -> str:
    return urlsafe_b64encode(msgspec.msgpack.encode(list(values))).decode()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "not a token",
        "ééé",
        "A" * 1000,
        token_of(b"other", [1, "a"]),
        token_of(MARK, [1]),
        token_of(MARK, [1, "a", "b"]),
        token_of(MARK, ["1", "a"]),
        token_of(MARK, [None, "a"]),
        token_of(MARK, [1, 2]),
        token_of(MARK, [True, "a"]),
        token_of(MARK, [2**64 - 1, "a"]),
        token_of(MARK, [1, {"a": 1}]),
        encoded(MARK),
        encoded(),
        urlsafe_b64encode(msgspec.msgpack.encode({"a": 1})).decode(),
    ],
)
def test_what_is_no_token_of_the_query_is_refused(token: str) -> None:
    with pytest.raises(InvalidPayload, match="page: this is no page token of this query"):
        last_of(token, MARK, KEYS, "page")


def test_rows_of_one_direction_are_compared_at_once() -> None:
    keys = (NUMBER, Key('"s"', ColumnKind.TEXT, nullable=False))
    assert behind(keys, [1, "a"]) == ('("n", "s") > (:k0, :k1)',)
    assert bound([1, "a"]) == {"k0": 1, "k1": "a"}


def test_nulls_come_behind_all_else() -> None:
    up = Key('"t"', ColumnKind.TEXT, nullable=True)
    first, second = behind((up, NUMBER), ["a", 1])
    assert first.startswith('("t" >= :k0 AND ')
    assert second == '("t" IS NULL)'
    assert behind((up, NUMBER), [None, 1]) == ('("t" IS NULL AND ("n" > :k1))',)
    assert behind((TEXT, NUMBER), [None, 1]) == (
        '("t" IS NOT NULL OR ("t" IS NULL AND ("n" > :k1)))',
    )


def test_order_by_of_a_key() -> None:
    assert NUMBER.order == '"n"'
    assert TEXT.order == '"t" DESC NULLS FIRST'
    assert Key('"t"', ColumnKind.TEXT, nullable=True).order == '"t" NULLS LAST'
