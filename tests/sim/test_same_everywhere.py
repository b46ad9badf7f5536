"""One seed, one trace: in every process, whatever the seed of its hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from actorkalix.testkit.simulation.run import Subject, run_plan
from actorkalix.testkit.simulation.scenario import read_scenario
from tests.sim.playing import service_of
scenario = read_scenario(Path("tests/sim/scenarios") / sys.argv[1])
service = service_of(scenario.service)
subject = Subject(service.descriptor, service.limits)
for seed in range(4):
    run = run_plan(subject, scenario.plan(service.descriptor, seed))
    print(seed, run.digest, len(run.trace))
"""


def digests(scenario: str, hash_seed: str) -> list[str]:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, scenario],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in (".", "cluster", "storage")),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.splitlines()


@pytest.mark.parametrize(
    "scenario", ["harsh.toml", "keys.toml", "twins.toml", "failing.toml", "ringing.toml"]
)
def test_a_seed_has_one_trace(scenario: str) -> None:
    first = digests(scenario, "1")
    assert len(first) == 4
    assert len({line.split()[1] for line in first}) == 4, "other seeds, other traces"
    assert digests(scenario, "2") == first
