"""Marks of methods, own and inherited."""

from __future__ import annotations

from actorkalix import Action, handler, publish, stream, subscribe, topic
from actorkalix.describe.marked import is_stream, is_topic, marked_methods


class Base(Action, abstract=True):
    @subscribe(topic("a"))
    async def one(self, data: bytes) -> None: ...

    @subscribe(topic("a"), group="two")
    async def two(self, data: bytes) -> None: ...


class Heir(Base, id="heir-of-marks"):
    async def two(self, data: bytes) -> None:
        """It takes nothing any more."""

    @handler
    @publish(topic("b"))
    async def inside(self) -> bytes:
        return b""

    @publish(topic("c"))
    @handler
    async def outside(self) -> bytes:
        return b""


def test_marks_stand_above_and_below_others() -> None:
    found = {(one.name, one.mark.kind, one.mark.source.name) for one in marked_methods(Heir)}
    assert found == {
        ("one", "subscribe", "a"),
        ("inside", "publish", "b"),
        ("outside", "publish", "c"),
    }


def test_kinds_of_sources() -> None:
    assert is_topic(topic("a"))
    assert not is_topic(stream("s", "a"))
    assert is_stream(stream("s", "a"))
    assert not is_topic(Base)
    assert not is_stream(Base)
