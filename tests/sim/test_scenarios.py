"""Every scenario on many seeds: some that are always the same, some that each commit draws anew.

`ACTORKALIX_SIM_RUNS` multiplies the number of seeds (0.1 for a short look, 10 for a night).
"""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path

import pytest

from actorkalix.testkit.simulation.scenario import read_scenario
from tests.sim.playing import Outcome, play_seeds

HERE = Path(__file__).parent
SCENARIOS = sorted(HERE.joinpath("scenarios").glob("*.toml"))
FACTOR = float(os.environ.get("ACTORKALIX_SIM_RUNS", "1"))
SEEDS_MIN = 1_000
FIXED_SHARE = 0.5
PIECE = 25


def commit_seed() -> int:
    """A number that each commit has of its own; without git the same every time."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return int.from_bytes(blake2b(found.stdout.encode(), digest_size=5).digest(), "big")


def seeds_of(runs: int) -> list[int]:
    """The first half are 0, 1, 2 and so on, the others follow from the commit."""
    count = max(1, round(runs * FACTOR))
    fixed = round(count * FIXED_SHARE)
    first = commit_seed()
    return [*range(fixed), *range(first, first + count - fixed)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path, pool: ProcessPoolExecutor, tmp_path: Path) -> None:
    seeds = seeds_of(read_scenario(path).runs)
    pieces = [seeds[start : start + PIECE] for start in range(0, len(seeds), PIECE)]
    played: list[Outcome] = list(
        pool.map(play_seeds, [path] * len(pieces), pieces, [tmp_path] * len(pieces))
    )
    failed = [text for outcome in played for text in outcome.failures]
    assert not failed, f"{len(failed)} of {len(seeds)} seeds failed\n\n" + "\n\n".join(failed[:3])
    operations = sum(outcome.operations for outcome in played)
    assert operations > 150 * len(seeds), f"{operations} operations prove little"
    assert sum(outcome.acknowledged for outcome in played) > operations / 5, "hardly any worked"


def test_there_are_enough_seeds() -> None:
    assert sum(read_scenario(path).runs for path in SCENARIOS) >= SEEDS_MIN


@pytest.fixture(scope="module")
def pool() -> ProcessPoolExecutor:
    # Not forked: a pool of this process's threads and locks would come along.
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))
