"""What processes say to each other travels as bytes and comes back as it was."""

from __future__ import annotations

import json

import msgspec
import pytest

from actorkalix_cluster.rayhost.contract import (
    Answer,
    Answered,
    Assignment,
    Beat,
    Refused,
    Roll,
    factory_named,
)
from actorkalix_cluster.rayhost.events import (
    Ending,
    FleetEvent,
    HostDied,
    HostDrains,
    HostServes,
    Numbered,
    StoreFenced,
)


@pytest.mark.parametrize(
    "value, kind",
    [
        (Answered(b"\x00facts"), Answer),
        (Refused("AK4003", "another service's"), Answer),
        (Beat(7, "serving", 2, 9, 1_000, 250, "cart.add", {"cart": "slow"}), Beat),
        (Assignment(3, 9, b"config", {"cart": "slow"}), Assignment),
        (Roll(4, {0: 1, 3: 9}, {1: "fenced"}, b"homes"), Roll),
        (Numbered(1, HostServes(0, 7, b"facts", 0.5)), Numbered),
        (Numbered(2, HostDied(0, 7, "killed", 1)), Numbered),
        (Numbered(3, HostDrains(0, 7)), Numbered),
        (Numbered(4, StoreFenced(0, "it dies", "")), Numbered),
        (Numbered(5, Ending("refused", "a copy", "AK4003")), Numbered),
    ],
)
def test_it_comes_back_as_it_was(value: object, kind: type) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind) == value


def test_every_event_has_a_tag_of_its_own() -> None:
    kinds = FleetEvent.__args__
    assert len({kind.__struct_config__.tag for kind in kinds}) == len(kinds)


def test_a_factory_is_found_by_its_name() -> None:
    found: object = factory_named("json:dumps")
    assert found is json.dumps
