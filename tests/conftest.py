"""What holds for all tests: their order, and that unit tests start nothing and wait for nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
REPOSITORY = str(TESTS.parent)
ORDER = ("test_tidy.py", "unit", "contract", "property", "invalid", "typing", "test_readme.py")
"""Fast ones first; what is not named here (ray, e2e) comes last, by name, descending."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests in the order in which a failure is cheapest to see."""

    def rank(item: pytest.Item) -> tuple[int, int]:
        top = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        return (ORDER.index(top), 0) if top in ORDER else (len(ORDER), top != "ray")

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def unit_tests_stand_alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests/unit: no Ray, no connection beyond loopback, no sleep but on virtual time."""
    if not request.path.is_relative_to(TESTS / "unit"):
        return
    monkeypatch.setattr(time, "sleep", _forbid_own(time.sleep, "time.sleep"))
    monkeypatch.setattr(asyncio, "sleep", _forbid_own(asyncio.sleep, "asyncio.sleep"))
    monkeypatch.setattr(socket.socket, "connect", _loopback_only(socket.socket.connect))
    if (ray := sys.modules.get("ray")) is not None:
        monkeypatch.setattr(ray, "init", _refuse_ray)


def _forbid_own(real: Any, name: str) -> Any:
    # How the standard library (subprocess waits that way) and installed packages wait is their own
    # business; a sleep of zero seconds only yields.
    def sleep(seconds: float, *args: Any) -> Any:
        caller = sys._getframe(1).f_code.co_filename
        ours = caller.startswith(REPOSITORY) and "site-packages" not in caller
        if seconds > 0 and ours and not (name == "asyncio.sleep" and _is_virtual()):
            pytest.fail(f"{name}({seconds}) in a unit test: wait for an event or use virtual time")
        return real(seconds, *args)

    return sleep


def _is_virtual() -> bool:
    """The loop that runs is a simulation's: its time is virtual."""
    simulation = sys.modules.get("actorkalix.testkit.simulation.loop")
    running = asyncio._get_running_loop()
    return simulation is not None and isinstance(running, simulation.SimulationLoop)


def _loopback_only(real: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            pytest.fail(f"a unit test connects to {address}")
        real(self, address)

    return connect


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_ray(*args: object, **kwargs: object) -> None:
    pytest.fail("a unit test starts Ray: that belongs into tests/ray")
