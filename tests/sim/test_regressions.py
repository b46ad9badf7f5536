"""Plans that once broke a rule; LEDGER.md tells the story of each."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actorkalix.testkit.simulation.plan import Plan
from actorkalix.testkit.simulation.run import Subject, run_plan
from tests.sim.playing import service_of

HERE = Path(__file__).parent
REGRESSIONS = sorted(HERE.joinpath("regressions").glob("*.json"))


class Regression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of `regressions`.

    Attributes:
        service: as a scenario names it.
        rule: that was broken.
        plan: that broke it.
    """

    service: str
    rule: str
    plan: Plan


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_it_does_not_happen_again(path: Path) -> None:
    regression = msgspec.json.decode(path.read_bytes(), type=Regression)
    service = service_of(regression.service)
    run = run_plan(Subject(service.descriptor, service.limits), regression.plan)
    assert not run.found, run.found
    assert len(run.history.operations) >= len(regression.plan.calls)


def test_each_has_its_story() -> None:
    told = HERE.joinpath("LEDGER.md").read_text("utf-8")
    assert [path.stem for path in REGRESSIONS if f"`{path.stem}`" not in told] == []
