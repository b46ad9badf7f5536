"""A broker that goes and comes back is told, and not with every attempt."""

from __future__ import annotations

import logging

import pytest

from actorkalix.runtime.broker_state import BrokerState


def test_what_is_told_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [1_000]
    state = BrokerState("~from:orders", "kafka k:1 orders", lambda: now[0])
    state.worked(5)
    assert caplog.messages == []
    for _ in range(100):
        now[0] += 1_000
        state.failed("connection refused")
    assert state.away
    now[0] += 1_000
    state.worked(2)
    assert caplog.messages == [
        "kafka k:1 orders: connection refused; it is tried again",
        "kafka k:1 orders: connection refused, for 60 s now; it is tried again",
        "kafka k:1 orders goes on after 100 s",
    ]
    state.behind, state.parts = 7, 3
    view = state.view()
    assert (view.consumer, view.source, view.handled) == ("~from:orders", "kafka k:1 orders", 7)
    assert (view.behind, view.shards, view.failures) == (7, 3, 100)
    assert (view.failure, view.failed_ms, state.away) == ("connection refused", 101_000, False)
