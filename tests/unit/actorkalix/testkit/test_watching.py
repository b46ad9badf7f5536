"""What development mode finds reaches the test."""

from __future__ import annotations

import pytest

from actorkalix.runtime.development import StateChangedInPlace
from actorkalix.testkit.watching import Findings
from tests.unit.actorkalix.engine.ledger import Profile
from tests.unit.actorkalix.engine.player import Player


def test_what_was_found_is_raised_once_the_oldest_first() -> None:
    findings = Findings()
    findings.raise_first()
    for entity in ("e1", "e2"):
        player = Player(Profile, entity)
        player.behavior = findings.wrap(player.behavior)
        with pytest.raises(StateChangedInPlace):
            player.ok("smuggle", tag="x")
    for entity in ("e1", "e2"):
        with pytest.raises(StateChangedInPlace, match=f"settings '{entity}'.smuggle changed"):
            findings.raise_first()
    findings.raise_first()
