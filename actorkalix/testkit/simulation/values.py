"""Small domains of scalars, as JSON has them: what arguments are drawn from.

They are small on purpose: operations find races and lost updates where they meet, and they meet
where their values collide. Simple values come first and ordinary ones several times; at the end
stand a few that programs stumble over (0, the empty text, the bounds of the type).
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect as shape

from actorkalix.codec.strictness import INT_MAX, INT_MIN
from actorkalix.describe.shapes import Shape

Domain = tuple[Any, ...]
OFTEN = 4
"""How many times an ordinary value stands for each rare one."""

_LARGE = 1_000_000
_HUGE = 2**53
"""Where sums of a few still fit 64 bits; bounds beyond are left out."""
_PATTERNED_MAX = 8
_WORDS = ("a", "b", "c", "d")
_ODD_WORDS = ("", "Zoë ☃", "long " * 8)
_SHAPED = (  # for patterns
    *("a", "b", "c", "A", "B", "C", "1", "2", "3", "10", "123", "12345", "1234567890"),
    *("aa", "ab", "abc", "abcd", "AA", "AB", "ABC", "ABCD", "EUR", "USD", "a1", "b2", "A1", "B2"),
    *("a-b", "a_b", "a.b", "ab-1", "AB-1", "AB-12", "AB-123", "ABC-123", "ABC-1234", "1-2", "1.50"),
    *("a@b.example", "b@a.example", "+4312345", "2024-02-29", "12:30", "http://a.example/"),
    *("#a1b2c3", "0a1b2c3d", "00000000-0000-4000-8000-000000000001", "1.2.3", "/a/b"),
)


def domain(picture: Shape) -> Domain | None:
    """JSON values of a scalar type, simplest first.

    Returns:
        The values, none where a pattern allows nothing that is known here; None when the type is
        no scalar.
    """
    match picture:
        case shape.IntType():
            return _integers(picture)
        case shape.FloatType():
            return _reals(picture)
        case shape.StrType():
            return _texts(picture)
        case shape.BytesType():
            return _raw(picture)
        case shape.LiteralType(values=values):
            return tuple(values)
        case shape.EnumType(cls=cls):
            return tuple(msgspec.to_builtins(member.value) for member in cls)
        case shape.DateTimeType(tz=False):
            return tuple(text.removesuffix("Z") for text in _MOMENTS)
        case shape.TimeType(tz=True):
            return tuple(f"{text}Z" for text in _TIMES)
        case _:
            return _FIXED.get(type(picture))


_MOMENTS = ("2024-01-01T00:00:00Z", "2024-02-29T12:30:00Z", "1969-12-31T23:59:59.999999Z")
_TIMES = ("00:00:00", "12:30:00", "23:59:59.999999")
_FIXED: dict[type[Shape], Domain] = {
    shape.NoneType: (None,),
    shape.BoolType: (False, True),
    shape.DateTimeType: _MOMENTS,
    shape.DateType: ("2024-01-01", "2024-02-29", "1969-12-31"),
    shape.TimeType: _TIMES,
    shape.TimeDeltaType: ("PT1S", "PT90S", "P1D", "PT0S"),
    shape.DecimalType: (*("1", "2", "0.50") * OFTEN, "0", "-1", "1000000.01"),
    shape.UUIDType: tuple(f"00000000-0000-4000-8000-00000000000{digit}" for digit in "1234"),
}


def _often(ordinary: Iterable[Any], rare: Iterable[Any]) -> Domain:
    common = tuple(dict.fromkeys(ordinary))
    return common * OFTEN + tuple(each for each in dict.fromkeys(rare) if each not in common)


# ---- numbers -------------------------------------------------------------------------------------
def _integers(picture: shape.IntType) -> Domain:
    """1 to 5 where the type allows, else the five that are nearest to its bounds."""
    step = picture.multiple_of or 1
    least = (INT_MIN, picture.ge, None if picture.gt is None else picture.gt + 1)
    most = (INT_MAX, picture.le, None if picture.lt is None else picture.lt - 1)
    low = max(bound for bound in least if bound is not None)
    high = min(bound for bound in most if bound is not None)
    first, last = -(-low // step) * step, high // step * step
    small = range(max(first, step), min(last, 5 * step) + 1, step)
    if not small and first > 0:
        small = range(first, min(last, first + 4 * step) + 1, step)
    elif not small:
        small = range(last, max(first, last - 4 * step) - 1, -step)
    bounds = () if (low, high) == (INT_MIN, INT_MAX) else (first, last)
    rare = (0, -step, _LARGE // step * step, *bounds)
    return _often(small, (n for n in rare if low <= n <= high and abs(n) < _HUGE))


def _reals(picture: shape.FloatType) -> Domain:
    """As integers: around 1 where the type allows, else near to its bounds."""
    step = picture.multiple_of or 0.5
    low = max(bound for bound in (-math.inf, picture.ge, picture.gt) if bound is not None)
    high = min(bound for bound in (math.inf, picture.le, picture.lt) if bound is not None)

    def fits(value: float) -> bool:
        return (
            low <= value <= high
            and value not in (picture.gt, picture.lt)
            and (picture.multiple_of is None or math.fmod(value, step) == 0)
        )

    small = [n * step for n in (2, 1, 3, 4, 5) if fits(n * step)]
    if not small and math.isfinite(high - low):
        small = [low + (high - low) * n / 4 for n in (2, 1, 3, 0, 4)]
    elif not small and math.isfinite(low):
        small = [(math.ceil(low / step) + n) * step for n in range(5)]
    elif not small:
        small = [(math.floor(high / step) - n) * step for n in range(5)]
    rare = (0.0, -step, float(_LARGE), low, high)
    return _often(filter(fits, small), (n for n in rare if math.isfinite(n) and fits(n)))


# ---- texts and bytes -----------------------------------------------------------------------------
def _texts(picture: shape.StrType) -> Domain:
    least, most = picture.min_length or 0, picture.max_length

    def fit(word: str) -> str:
        return (word + (word[-1:] or "a") * max(0, least - len(word)))[:most]

    if picture.pattern is None:
        return _often(map(fit, _WORDS), map(fit, _ODD_WORDS))
    known = (*_WORDS, *_SHAPED, *_ODD_WORDS, *map(fit, _WORDS), *map(fit, _SHAPED))
    right = (text for text in known if least <= len(text) and len(text[:most]) == len(text))
    found = [text for text in right if re.search(picture.pattern, text)]
    return tuple(dict.fromkeys(found))[:_PATTERNED_MAX]


def _raw(picture: shape.BytesType) -> Domain:
    least, most = picture.min_length or 0, picture.max_length

    def fit(data: bytes) -> str:
        return base64.b64encode((data + b"a" * max(0, least - len(data)))[:most]).decode()

    return _often(map(fit, (b"a", b"b")), map(fit, (b"", b"\x00\xff")))
