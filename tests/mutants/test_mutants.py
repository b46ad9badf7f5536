"""The simulation bites: each planted bug is found, by the rule that it breaks; and without a bug
the same scenarios find nothing."""

from __future__ import annotations

import pytest

from actorkalix.testkit.simulation.run import run_plan

from .ledger import MUTANTS, entry, written
from .mutant import RUNS_MAX, Mutant, hunt
from .planting import edit, planted
from .scenarios import Scenario

CONTROL_RUNS = 20


def _scenarios() -> list[Scenario]:
    """The scenarios without a bug, each once."""
    found: list[Scenario] = []
    for mutant in MUTANTS:
        if all(mutant.right is not known for known in found):
            found.append(mutant.right)
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    catch = hunt(mutant)
    assert catch is not None, f"{mutant.name} survives {RUNS_MAX:,} runs"


@pytest.mark.parametrize("scenario", _scenarios(), ids=lambda scenario: scenario.name)
def test_without_a_bug_nothing_is_found(scenario: Scenario) -> None:
    subject = scenario.subject()
    for seed in range(CONTROL_RUNS):
        found = run_plan(subject, scenario.plan(seed)).found
        texts = [v.findings[0].text for v in found if v.rule not in scenario.tolerated]
        assert texts == [], f"seed {seed}"


def test_the_ledger_tells_of_these() -> None:
    rows = written()
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len(rows) == len(MUTANTS)
    wrong = [mutant for mutant, row in zip(MUTANTS, rows, strict=True) if entry(mutant) not in row]
    assert wrong == [], "write README.md anew: python -m tests.mutants.ledger"
    assert [row for row in rows if "survived" in row] == []


def test_a_bug_is_planted_and_taken_out_again() -> None:
    where = "tests.mutants.test_mutants:_answer"
    with planted([edit(where, "return 42", "return 43")]):
        assert _answer() == 43
    assert _answer() == 42
    gone = edit("tests.mutants.test_mutants:_other", "return 8", "return 9")
    unfit = pytest.raises(AssertionError, match="'return 8' is there 0 times, not once")
    with unfit, planted([edit(where, "return 42", "return 43"), gone]):
        raise ValueError("it was planted")
    assert (_answer(), _other()) == (42, 7)


def _answer() -> int:
    return 42


def _other() -> int:
    return 7
