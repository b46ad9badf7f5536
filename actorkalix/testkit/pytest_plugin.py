"""What pytest gets with actorkalix: options and fixtures of simulations.

Nothing happens unless a test asks for it: without the options and fixtures this module is a few
lines that were read, and what it needs is imported when a test first does.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from actorkalix.model.service import Service
    from actorkalix.testkit.concurrently import Overrides
    from actorkalix.testkit.simulation.simulating import Simulation

OVERRIDES = "actorkalix_overrides"
"""The attribute of tests that `concurrent` has made."""

SEED = "--actorkalix-seed"
RUNS = "--actorkalix-runs"
REPORT = "--actorkalix-report"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("actorkalix", "simulations of actorkalix services")
    group.addoption(
        SEED,
        type=_number(0),
        metavar="SEED",
        help="first seed of simulations (0), and that of @concurrent tests (another each time)",
    )
    group.addoption(
        RUNS,
        type=_number(1),
        metavar="N",
        help="runs of each simulation and @concurrent test, whatever the test says",
    )
    group.addoption(
        REPORT,
        type=Path,
        metavar="DIR",
        help="write plan, history, trace and picture of a run that fails into a folder below DIR",
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    """Says which options count."""
    given = {name: config.getoption(name) for name in (SEED, RUNS, REPORT)}
    said = [
        f"{name.removeprefix('--actorkalix-')} {v}" for name, v in given.items() if v is not None
    ]
    return f"actorkalix: {', '.join(said)}" if said else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tells tests of `concurrent` what the command line wants."""
    for item in items:
        overrides: Overrides | None = getattr(getattr(item, "obj", None), OVERRIDES, None)
        if overrides is not None:
            overrides.seed = config.getoption(SEED)
            overrides.runs = config.getoption(RUNS)
            overrides.report = _folder(config, item.nodeid)


@pytest.fixture
def actorkalix_seed(request: pytest.FixtureRequest) -> int:
    """The seed of `--actorkalix-seed`, or 0."""
    found: int | None = request.config.getoption(SEED)
    return 0 if found is None else found


@pytest.fixture
def simulation(request: pytest.FixtureRequest, actorkalix_seed: int) -> Callable[..., Simulation]:
    """`simulate`, with the seed, the runs and the folder for reports of the command line."""
    from actorkalix.testkit.simulation.simulating import simulate

    runs: int | None = request.config.getoption(RUNS)
    folder = _folder(request.config, request.node.nodeid)

    def simulated(service: Service, /, **options: Any) -> Simulation:
        given: dict[str, Any] = {"seed": actorkalix_seed, "report": folder, **options}
        if runs is not None:
            given["runs"] = runs
        return simulate(service, **given)

    return simulated


def _folder(config: pytest.Config, test: str) -> Path | None:
    """A test's own folder for reports, or None."""
    reports: Path | None = config.getoption(REPORT)
    return None if reports is None else reports / re.sub(r"[^\w.-]+", "-", test).strip("-")


def _number(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return number
