"""Decimals as text: the order of the bytes is the order of the numbers, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.viewsql.decimals import EXPONENT_MAX, decode_decimal, encode_decimal


def numbers(exponent: int = 40) -> st.SearchStrategy[Decimal]:
    """Numbers of any sign, with up to 40 digits, with and without zeros at the end."""

    def number(sign: int, digits: int, exponent: int) -> Decimal:
        return Decimal((sign, tuple(map(int, str(digits))), exponent))

    return st.builds(
        number,
        st.sampled_from((0, 1)),
        st.one_of(st.integers(0, 10**40), st.integers(0, 200), st.just(1000)),
        st.integers(-exponent, exponent),
    )


def order(one: str, other: str) -> int:
    left, right = one.encode(), other.encode()
    return (left > right) - (left < right)


@given(numbers(), numbers())
def test_texts_sort_as_numbers_do(one: Decimal, other: Decimal) -> None:
    numeric = (one > other) - (one < other)
    assert order(encode_decimal(one), encode_decimal(other)) == numeric


@given(numbers(), st.integers(0, 3))
def test_one_number_has_one_text(number: Decimal, zeros: int) -> None:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    longer = Decimal((sign, (*digits, *([0] * zeros)), exponent - zeros))
    assert longer == number
    assert encode_decimal(longer) == encode_decimal(number)


@given(numbers(3_000))
def test_a_number_comes_back_as_it_was(number: Decimal) -> None:
    with localcontext(prec=3):  # of whoever calls; it must not round
        back = decode_decimal(encode_decimal(number))
    assert back == number
    assert len(back.as_tuple().digits) <= len(number.as_tuple().digits)


@pytest.mark.parametrize(
    "text, encoded",
    [
        ("125", "210002125"),
        ("0.05", "2099985"),
        ("0", "1"),
        ("-0.00", "1"),
        ("1.00", "2100001"),
        ("1.0", "2100001"),
        ("-125", "089997874~"),
    ],
)
def test_texts_are_these(text: str, encoded: str) -> None:
    """They are on disk: the encoding does not change."""
    assert encode_decimal(Decimal(text)) == encoded


def test_a_prefix_sorts_as_its_number() -> None:
    texts = ["-1.25", "-1.2", "-1", "-0.9", "0", "0.9", "1", "1.2", "1.25", "9", "10"]
    assert [encode_decimal(Decimal(one)) for one in texts] == sorted(
        encode_decimal(Decimal(one)) for one in texts
    )


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number that can be compared"):
        encode_decimal(Decimal(text))


def test_exponents_have_a_limit() -> None:
    for number in (Decimal(f"1E{EXPONENT_MAX}"), Decimal(f"-1E-{EXPONENT_MAX}")):
        assert decode_decimal(encode_decimal(number)) == number
    for text in (f"1E{EXPONENT_MAX + 1}", f"1E-{EXPONENT_MAX + 1}"):
        with pytest.raises(ValueError, match="exponent up to 9,999"):
            encode_decimal(Decimal(text))


@pytest.mark.parametrize("text", ["", "3", "2", "x", "2x", "0123", "2100", "1~", "2²0001"])
def test_other_texts_are_no_decimals(text: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        decode_decimal(text)
