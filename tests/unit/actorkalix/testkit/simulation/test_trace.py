"""Traces: lines with times, and where two of them part."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix.testkit.simulation.trace import Trace, digest_of, first_difference


@dataclass
class Clock:
    now_us: int = 0


def test_lines_have_their_times() -> None:
    clock = Clock(5)
    trace = Trace(clock)
    trace("one")
    clock.now_us = 1_234_567
    trace("two")
    assert trace.lines == ["           5 one", "   1,234,567 two"]


def test_a_digest_stands_for_all_lines_in_their_order() -> None:
    def digest(*lines: str) -> str:
        trace = Trace(Clock())
        for line in lines:
            trace(line)
        return digest_of(trace.told)

    assert digest("a", "b") == digest("a", "b")
    assert len({digest("a", "b"), digest("b", "a"), digest("a"), digest()}) == 4
    assert len(digest("\ud800")) == 16, "whatever a service answers can be in it"


def test_the_first_line_that_differs() -> None:
    assert first_difference(["a", "b", "c"], ["a", "x", "y"]) == (2, "b", "x")


def test_no_difference() -> None:
    assert first_difference([], []) is None
    assert first_difference(["a", "b"], ["a", "b"]) is None


def test_one_ends_before_the_other() -> None:
    assert first_difference(["a"], ["a", "b"]) == (2, "", "b")
    assert first_difference(["a", "b"], ["a"]) == (2, "b", "")
