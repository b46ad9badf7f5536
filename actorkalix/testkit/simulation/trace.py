"""The trace of a simulated run: what happened, line by line, each with its virtual time.

Two runs of one seed have the same trace, byte for byte; where they have not, something in the
service depends on what the simulation does not control, and the first line that differs names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

Told = tuple[int, str]
"""Something that happened: when, in microseconds from the start of the run, and what."""


class Clock(Protocol):
    """What has the time."""

    @property
    def now_us(self) -> int:
        """Microseconds from the start of the run."""
        ...


class Trace:
    """Lines of what happened.

    Args:
        clock: has the time.

    Attributes:
        told: what happened so far.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.told: list[Told] = []

    def __call__(self, text: str) -> None:
        """Something happened now."""
        self.told.append((self._clock.now_us, text))

    @property
    def lines(self) -> list[str]:
        """What happened so far, each with its time."""
        return lines_of(self.told)


def lines_of(told: Sequence[Told]) -> list[str]:
    """A trace line by line; most traces are never read, so it is made when it is asked for."""
    return [f"{at_us:>12,} {text}" for at_us, text in told]


def digest_of(told: Sequence[Told]) -> str:
    """16 hex digits that stand for all of a trace."""
    text = "\n".join(lines_of(told)).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=8).hexdigest()


def first_difference(one: list[str], other: list[str]) -> tuple[int, str, str] | None:
    """Where two traces part: number of the line, and both lines ("" is none); None if nowhere."""
    for number, (mine, theirs) in enumerate(zip(one, other, strict=False), 1):
        if mine != theirs:
            return number, mine, theirs
    if len(one) == len(other):
        return None
    number = min(len(one), len(other))
    longer = one if len(one) > len(other) else other
    rest = longer[number]
    return (number + 1, rest, "") if longer is one else (number + 1, "", rest)
