"""Handlers that change a state in place are found out."""

from __future__ import annotations

import pytest

from actorkalix.testkit.watching import StateChangedInPlace, WatchedBehavior
from actorkalix_cluster.shardhost.messages import MessageKind
from tests.unit.actorkalix.engine.ledger import Profile
from tests.unit.actorkalix.engine.player import Player


def test_the_handler_is_named() -> None:
    player = Player(Profile)
    found: list[StateChangedInPlace] = []
    player.behavior = WatchedBehavior(player.behavior, found)
    player.ok("paint", theme="dark")
    with pytest.raises(StateChangedInPlace, match=r"settings 'e1'\.smuggle changed the state"):
        player.step(player.message(MessageKind.COMMAND, "smuggle", body=b'{"tag": "x"}'))
    assert len(found) == 1


def test_everything_else_is_as_it_was() -> None:
    player = Player(Profile)
    plain = player.behavior
    watching = WatchedBehavior(plain, [])
    message = player.message(MessageKind.COMMAND, "paint", body=b'{"theme": "dark"}', key="k")
    instance = watching.empty("e1")
    step = watching.step(instance, message, 1)
    assert step == plain.step(instance, message, 1)
    assert watching.version(step.instance) == 1
    assert watching.key_hash(message) == plain.key_hash(message)
    assert watching.snapshot(step.instance) == plain.snapshot(step.instance)
    kept = step.records[-1].reply
    assert watching.remembered(message, kept) == plain.remembered(message, kept)
    player.step(message)
    assert watching.restore("e1", player.history()) == plain.restore("e1", player.history())
