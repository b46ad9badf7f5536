"""The trace of a simulated run: what happened, line by line, each with its virtual time.

Two runs of one seed have the same trace, byte for byte; where they have not, something in the
service depends on what the simulation does not control, and the first line that differs names it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol


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
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        """Something happened now."""
        self.lines.append(f"{self._clock.now_us:>12,} {line}")

    @property
    def digest(self) -> str:
        """16 hex digits that stand for all of it."""
        text = "\n".join(self.lines).encode("utf-8", "surrogatepass")
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
