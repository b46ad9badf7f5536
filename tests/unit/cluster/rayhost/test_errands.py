"""What hosts and workers say to each other survives the way as bytes."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.errands import (
    Crew,
    Done,
    Errand,
    Heard,
    Question,
    Result,
    Said,
    factory_named,
)

SAID = (
    Crew("module:factory", b"\0config", Making("p/", "ns", "scratch", "handover", b"\xff")),
    Errand("actor", 3, "slip", (b"one", b"", b"\xff")),
    Done((Result(0, 12, b"value"), Result(1, 0, None)), ""),
    Done((), "ImportError: no module"),
    Said(3, (Question(1, b"?"),), (Result(2, 5, b"!"),), 4, waits=True),
    Heard(((1, b"answer"),)),
)


@pytest.mark.parametrize("said", SAID, ids=lambda said: type(said).__name__)
def test_it_is_read_as_it_was_written(said: msgspec.Struct) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(said), type=type(said)) == said


def test_a_factory_is_found_by_its_name() -> None:
    found: object = factory_named("actorkalix_cluster.rayhost.errands:factory_named")
    assert found is factory_named
