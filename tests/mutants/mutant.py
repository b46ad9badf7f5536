"""A planted bug, and the hunt for it."""

from __future__ import annotations

import time

import msgspec

from actorkalix.testkit.simulation.run import run_plan

from .planting import Edit, planted
from .scenarios import Scenario

RUNS_MAX = 2_000


class Mutant:
    """A planted bug.

    Args:
        name: of the bug.
        about: what is wrong.
        rule: that has to find it.
        scenario: in which it shows.
        edits: to the product; none where the bug is one of the scenario's service or programs.
        right: the scenario without the bug, where there are no edits.
    """

    def __init__(
        self,
        name: str,
        about: str,
        rule: str,
        scenario: Scenario,
        *edits: Edit,
        right: Scenario | None = None,
    ) -> None:
        assert bool(edits) == (right is None), f"{name}: a bug is planted once"
        self.name = name
        self.about = about
        self.rule = rule
        self.scenario = scenario
        self.edits = edits
        self.right = right or scenario

    def __repr__(self) -> str:
        return f"<mutant {self.name}>"


class Catch(msgspec.Struct, frozen=True):
    """A mutant that was found.

    Attributes:
        seed: of the first run in which its rule found it.
        seconds: of processor time until then.
        text: what was found.
    """

    seed: int
    seconds: float
    text: str


def hunt(mutant: Mutant, *, runs: int = RUNS_MAX) -> Catch | None:
    """Play seeds from 0 on until the mutant's rule finds it; None when it survives them."""
    began_s = time.process_time()
    subject = mutant.scenario.subject()
    with planted(mutant.edits):
        for seed in range(runs):
            for verdict in run_plan(subject, mutant.scenario.plan(seed)).found:
                if verdict.rule == mutant.rule:
                    seconds = time.process_time() - began_s
                    return Catch(seed, seconds, verdict.findings[0].text)
    return None
