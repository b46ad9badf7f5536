"""Suites that run for actors in their host, and again for actors that run elsewhere."""

from __future__ import annotations

import pytest

from tests.unit.cluster.shardhost import rig


@pytest.fixture(params=["here", "elsewhere"])
def hosting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the counters of a rig run."""
    where: str = request.param
    monkeypatch.setattr(rig, "ELSEWHERE", where == "elsewhere")
    return where
