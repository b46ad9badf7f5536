"""Suites of services that run as they are, and again with each entity in a place of its own."""

from __future__ import annotations

import pytest

from actorkalix import Dedicated
from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.runtime import composition


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both ways, but for what is about the one of them."""
    if "everywhere" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("here_only")
        ways = ["sharded"] if only else ["sharded", "dedicated"]
        metafunc.parametrize("everywhere", ways, indirect=True)


@pytest.fixture
def everywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the entities of services run, whatever their classes say."""
    where: str = request.param
    if where == "dedicated":
        monkeypatch.setattr(composition, "dedicated_components", _all_entities)
    return where


def _all_entities(service: ServiceDescriptor) -> dict[str, Dedicated]:
    kinds = ("event_sourced", "value")
    return {name: Dedicated() for name, c in service.components.items() if c.kind in kinds}
