"""Decimals as text that sorts by its bytes as the numbers do, exact.

SQLite has no decimals; as REAL they would lose digits, as plain text 10 would come before 9. The
text is a sign, the exponent of the first digit, and the digits without zeros at the end:

    2 10002 125      125      a greater number has a greater exponent, or greater digits
    2 09999 5        0.05
    1                0
    0 89997 874~     -125     of a negative number every digit d is 9-d, so more is less; the `~`,
                              which is above all digits, puts -1.2 behind -1.25

1.0 and 1.00 are one number, so they are one text; what is read back has no zeros at the end.
"""

from __future__ import annotations

from decimal import Decimal

EXPONENT_MAX = 9_999
"""Of the first digit, either way; what is beyond measures nothing."""

_ZERO = "1"
_OFFSET = EXPONENT_MAX + 1
_NINES = str.maketrans("0123456789", "9876543210")


def encode_decimal(value: Decimal) -> str:
    """The text of a number.

    Raises:
        ValueError: it is no finite number, or its exponent is beyond `EXPONENT_MAX`.
    """
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{value} is no number that can be compared")
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return _ZERO
    first = len(text) - 1 + exponent
    if abs(first) > EXPONENT_MAX:
        raise ValueError(f"a decimal has an exponent up to {EXPONENT_MAX:,}, got {first:,}")
    body = f"{first + _OFFSET:05}{text.rstrip('0')}"
    return f"0{body.translate(_NINES)}~" if sign else f"2{body}"


def decode_decimal(text: str) -> Decimal:
    """The number of a text that `encode_decimal` made.

    Raises:
        ValueError: it is no such text.
    """
    if text == _ZERO:
        return Decimal(0)
    negative = text.startswith("0") and text.endswith("~")
    body = text[1:-1].translate(_NINES) if negative else text[1:]
    is_body = len(body) > 5 and body.isascii() and body.isdigit()
    if not is_body or not (negative or text.startswith("2")):
        raise ValueError(f"{text!r} is no decimal")
    first, digits = int(body[:5]) - _OFFSET, body[5:]
    # From text, for arithmetic would round to the precision of whoever calls.
    return Decimal(f"{'-' if negative else ''}{digits}E{first - len(digits) + 1}")
