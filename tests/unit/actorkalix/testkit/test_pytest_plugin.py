"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PLUGIN = "actorkalix.testkit.pytest_plugin"

SERVICE = """
from actorkalix import Effect, Service, ValueEntity, command, query
from actorkalix.testkit import invariant

class Counter(ValueEntity[int], id="counter"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self, by: int = 1) -> Effect[int]:
        return self.effects.update_state(self.state + by).then_reply(lambda total: total)

    @query
    def total(self) -> int:
        return self.state

service = Service("counters", components=[Counter])

@invariant
def small(state: int) -> None:
    assert state < 3
"""


def run(folder: Path, tests: str, *options: str) -> str:
    """What pytest says of these tests."""
    (folder / "counters.py").write_text(SERVICE)
    (folder / "test_it.py").write_text(tests)
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "cluster", "storage"))
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={
            **os.environ,
            "PYTHONPATH": paths,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
        },
    )
    return found.stdout + found.stderr


SEEDS = """
def test_seed(actorkalix_seed):
    assert actorkalix_seed == {seed}
"""
SIMULATED = """
from counters import service

def test_simulated(simulation):
    played = simulation(service, runs=3, operations=10, hosts=2)
    assert (played.seeds.start, len(played.seeds)) == {seeds}
"""
FAILS = """
from counters import service, small
from actorkalix.testkit import concurrent

def test_fails(simulation):
    simulation(service, operations=30, hosts=1, faults="none", invariants=[small])

@concurrent(service, hosts=1, faults="none", invariants=[small], operations=2)
def test_drawn(run):
    pass
"""
COUNTED = """
from counters import service
from actorkalix.testkit import concurrent

class TestRuns:
    @concurrent(service, operations=3)
    def test_drawn(self, capsys, run):
        with capsys.disabled():
            print("digest", run.digest)
"""
UNUSED = """
import sys

def test_nothing_is_loaded():
    heavy = ("hypothesis", "ray", "lmdb", "asyncio", "actorkalix.engine", "actorkalix_cluster")
    assert [name for name in heavy if name in sys.modules] == []
"""


def test_the_entry_point_names_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"actorkalix": PLUGIN}


def test_it_is_light_and_silent_where_nobody_uses_it(tmp_path: Path) -> None:
    said = run(tmp_path, UNUSED, "-p", "no:asyncio")
    assert "1 passed" in said, said
    assert "actorkalix:" not in said


def test_fixtures_without_options(tmp_path: Path) -> None:
    said = run(tmp_path, SEEDS.format(seed=0) + SIMULATED.format(seeds="(0, 3)"))
    assert "2 passed" in said, said


def test_options_are_said_and_count(tmp_path: Path) -> None:
    options = ("--actorkalix-seed", "7", "--actorkalix-runs", "2")
    said = run(tmp_path, SEEDS.format(seed=7) + SIMULATED.format(seeds="(7, 2)"), *options)
    assert "2 passed" in said, said
    assert "actorkalix: seed 7, runs 2\n" in said


def test_reports_of_what_fails(tmp_path: Path) -> None:
    said = run(tmp_path, FAILS, "--actorkalix-report", "out", "--actorkalix-seed", "1")
    assert "2 failed" in said, said
    assert "small: counter 'e0', version" in said
    for name in ("test_fails", "test_drawn"):
        written = {file.name for file in (tmp_path / "out" / f"test_it.py-{name}").iterdir()}
        assert {"plan.json", "history.html", "trace.txt"} <= written


def test_drawn_runs_are_counted_and_alike(tmp_path: Path) -> None:
    options = ("--actorkalix-seed", "5", "--actorkalix-runs", "4")
    digests = [
        [line for line in run(tmp_path, COUNTED, *options).splitlines() if "digest" in line]
        for _ in range(2)
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 4


@pytest.mark.parametrize("option, least", [("--actorkalix-seed", 0), ("--actorkalix-runs", 1)])
def test_options_that_do_not_fit(tmp_path: Path, option: str, least: int) -> None:
    said = run(tmp_path, UNUSED, option, "-1")
    assert f"argument {option}: '-1' is not a whole number from {least} on" in said
