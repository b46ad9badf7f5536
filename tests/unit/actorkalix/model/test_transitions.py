"""What may come next is plain data: equal when it says the same."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from actorkalix.model.transitions import ChildEnd, Compensate, End, Pause, ToStep, WaitFor


def test_transitions_are_values() -> None:
    assert ToStep("a", (1,)) == ToStep("a", (1,))
    assert Pause("x", timedelta(1), "a") != Pause("x", timedelta(1), None, "a")
    assert WaitFor("p", "a") == WaitFor("p", "a", None, None)
    assert Compensate() == Compensate(None, "")
    assert End("x") != End("x", delete=True)


def test_how_a_child_ended_travels_as_json_and_messagepack() -> None:
    end = ChildEnd("transfer", "t1", "failed", "no money", {"status": "x"})
    for codec in (msgspec.json, msgspec.msgpack):
        assert codec.decode(codec.encode(end), type=ChildEnd) == end
