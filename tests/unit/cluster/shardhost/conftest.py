"""Suites that run for actors in their host, and again for actors that run elsewhere."""

from __future__ import annotations

import pytest

from tests.unit.cluster.shardhost import rig


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both ways, but for what is about the one of them."""
    if "hosting" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("here_only")
        metafunc.parametrize("hosting", ["here"] if only else ["here", "elsewhere"], indirect=True)


@pytest.fixture
def hosting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the counters of a rig run."""
    where: str = request.param
    monkeypatch.setattr(rig, "ELSEWHERE", where == "elsewhere")
    return where
