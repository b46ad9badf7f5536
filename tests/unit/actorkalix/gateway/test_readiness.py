"""Whether a service can answer, judged by its processes (LT-33)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorkalix.gateway.readiness import unready
from actorkalix.ports import FleetView, HostState, HostView

UNREADY = timedelta(seconds=2)


def reasons(*hosts: HostView) -> list[str]:
    return unready(FleetView(1, 2, hosts), UNREADY)


def test_all_that_serve_are_ready() -> None:
    assert reasons(HostView(0, "serving"), HostView(1, "serving")) == []


def test_without_hosts_nothing_is_ready() -> None:
    assert reasons() == ["no host has started yet"]


@pytest.mark.parametrize("state", ["starting", "draining", "away", "fenced"])
def test_every_store_has_to_be_served(state: HostState) -> None:
    found = reasons(HostView(0, "serving"), HostView(1, state, reason="five deaths"))
    assert found == [f"store 1 is {state}: five deaths"]
    assert reasons(HostView(1, state)) == [f"store 1 is {state}"]


def test_a_loop_that_is_held_is_not_ready_from_the_limit_on() -> None:
    held = [HostView(n, "serving", held_by="cart.add", held_ms=1_999 + n) for n in range(2)]
    assert reasons(*held) == ["store 1: cart.add has held its host for 2.0 s"]
