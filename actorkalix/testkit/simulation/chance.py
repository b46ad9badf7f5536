"""Seeded chance: all that a simulation leaves to luck is drawn here.

Theory of operation. A `Chance` is a stream of draws. `fork` derives another stream from the seed
and names alone, not from what was drawn before it: a run with one fault or one call less draws the
same for all others, and that is what lets a failing run be made smaller.

Only two promises of `random.Random` are used: that the same integer seeds the same sequence of
`random()`, and `getrandbits`. Its other methods are not promised to give the same in the next
version of Python, and a seed that was once reported should still find its bug there.
"""

from __future__ import annotations

from _random import Random
from collections.abc import Callable, Iterable, Mapping, MutableSequence, Sequence
from hashlib import blake2b
from math import log
from typing import Any, TypeVar, cast

T = TypeVar("T")

EXPONENTIAL_TIMES_MAX = 20
"""Longest of exponential times, in means: one in 500 million is longer."""


class Chance:
    """A stream of draws.

    Args:
        seed: what they follow from.

    Attributes:
        fraction: draws a number from 0 up to, and without, 1; every other draw of one number is
            made of one of these.
        bits: draws an integer of so many bits.
    """

    __slots__ = ("_key", "bits", "fraction")

    fraction: Callable[[], float]
    bits: Callable[[int], int]

    def __init__(self, seed: int | str | bytes) -> None:
        self._key = _key(b"", seed)

    def __getattr__(self, name: str) -> Any:
        """Begin to draw: only now, for many streams are made that nothing is drawn from."""
        source = Random(int.from_bytes(self._key, "big"))
        self.fraction = source.random
        self.bits = source.getrandbits
        return object.__getattribute__(self, name)

    def fork(self, *names: str | int) -> Chance:
        """An independent stream; the same names always give the same one.

        `fork("disk", 1)` is `fork("disk").fork(1)`. Its first draw costs as much as some 50 others.
        """
        key = self._key
        for name in names:
            key = _key(key, name)
        fork = Chance.__new__(Chance)
        fork._key = key
        return fork

    def happens(self, probability: float) -> bool:
        """Whether something happens: never at 0, always at 1."""
        return self.fraction() < probability

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        assert low <= high, f"no integer is from {low} to {high}"
        return low + int(self.fraction() * (high - low + 1))

    def uniform_us(self, low: int, high: int) -> int:
        """A time from low to high, both included, in microseconds."""
        return self.integer(low, high)

    def exponential_us(self, mean_us: float) -> int:
        """A time until something that happens once in `mean_us`, at most 20 times that."""
        assert mean_us >= 0, f"no time has the mean {mean_us}"
        times = -log(1.0 - self.fraction())
        return int(mean_us * (min(EXPONENTIAL_TIMES_MAX, times)))

    def choice(self, among: Sequence[T]) -> T:
        """One of a sequence that is not empty."""
        return among[int(self.fraction() * len(among))]

    def weighted(self, weights: Mapping[T, float] | Iterable[tuple[T, float]]) -> T:
        """One of several, each as often as its weight says; never one of weight 0."""
        pairs = _pairs(weights)
        point = self.fraction() * sum(weight for _, weight in pairs)
        for each, weight in pairs:
            if point < weight:
                return each
            point -= weight
        return pairs[-1][0]  # what rounding has left over

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Bring a list into any order, in place (Fisher and Yates)."""
        for last in range(len(items) - 1, 0, -1):
            other = int(self.fraction() * (last + 1))
            items[last], items[other] = items[other], items[last]


def _key(parent: bytes, name: int | str | bytes) -> bytes:
    """What a stream is seeded with; 1, "1" and b"1" are three names."""
    match name:
        case bytes():
            data = b"b" + name
        case str():
            data = b"s" + name.encode("utf-8", "surrogatepass")
        case _:
            data = b"i%d" % name
    return blake2b(data, digest_size=16, key=parent).digest()


def _pairs(weights: Mapping[T, float] | Iterable[tuple[T, float]]) -> list[tuple[T, float]]:
    if isinstance(weights, Mapping):
        weights = cast("Mapping[T, float]", weights).items()
    pairs = [pair for pair in weights if pair[1] > 0]
    assert pairs, "nothing to choose from: no weight is above 0"
    return pairs
