"""`simulate`: passes, fails with what is needed to see it again, or is not the same twice."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix import Client, Effect, Service, ValueEntity, command, query
from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.faults import Fault
from actorkalix.testkit.simulation.plan import Plan
from actorkalix.testkit.simulation.run import Run, Subject, run_plan
from actorkalix.testkit.simulation.simulating import (
    NotDeterministic,
    SimulationFailed,
    play_again,
    play_one,
    simulate,
)
from actorkalix.testkit.simulation.workload import Workload
from actorkalix_storage.memorystore import MemoryStore
from tests.mutants.services import Account

from .worlds import SERVICE, SUBJECT, add, call, plan_of


@dataclass(frozen=True)
class Number:
    value: float = 0


class Dice(ValueEntity[Number], id="dice"):
    """Does whatever a handler must not."""

    def empty_state(self) -> Number:
        return Number()

    @command
    def clock(self) -> Effect[float]:
        return self.effects.reply(time.time())

    @command
    def draw(self) -> Effect[None]:
        return self.effects.update_state(Number(random.random())).then_reply(None)

    @command
    def complain(self) -> Effect[None]:
        return self.effects.error(f"no: {random.random()}", code="failed_precondition")

    @query
    def get(self) -> float:
        return 0.0


dice = Service("dice", components=[Dice])


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that finds nothing of its journal after a crash."""
    real = MemoryStore.crash

    def forget(store: MemoryStore) -> MemoryStore:
        store._journal = store._journal[:1]
        return real(store)

    monkeypatch.setattr(MemoryStore, "crash", forget)


# ---- it passes -----------------------------------------------------------------------------------
def test_all_seeds_are_played() -> None:
    told: list[Run] = []
    done = simulate(SERVICE, seed=5, runs=3, operations=20, entities=1, on_run=told.append)
    assert done.seeds == range(5, 8)
    assert [run.plan.seed for run in told] == [5, 6, 7]
    assert done.run is told[-1]
    assert done.operations == sum(len(run.history.operations) for run in told) >= 60
    assert done.faults == sum(len(run.plan.faults) for run in told)


def test_what_is_played_is_what_was_asked_for() -> None:
    done = simulate(
        SERVICE,
        hosts=2,
        clients=3,
        operations=30,
        entities=2,
        faults="none",
        workload=Workload(weights={"pad.put": 0, "pad.get": 0}),
    )
    plan = done.run.plan
    assert (plan.hosts, plan.clients, len(plan.calls), plan.faults) == (2, 3, 30, ())
    assert {each.component for each in plan.calls} == {"account"}
    assert {each.entity for each in plan.calls} == {"e0", "e1"}


def test_programs_are_run() -> None:
    async def add_one(client: Client, chance: Chance) -> None:
        await client.entity(Account, "mine").add(1)

    done = simulate(SERVICE, operations=10, clients=2, faults="none", programs=[add_one])
    assert done.run.history.operations[-1].value == {"amount": 10, "last": 1}


@pytest.mark.parametrize("arguments", [{"runs": 0}, {"hosts": 0}, {"clients": 65}])
def test_arguments_that_do_not_fit(arguments: dict[str, Any]) -> None:
    name = next(iter(arguments))
    with pytest.raises(ValueError, match=f"{name} is "):
        simulate(SERVICE, **arguments)


# ---- it fails ------------------------------------------------------------------------------------
@pytest.mark.usefixtures("forgetful")
def test_a_failure_is_shrunk_and_fails_again(tmp_path: Path) -> None:
    with pytest.raises(SimulationFailed) as failed:
        simulate(SERVICE, seed=3, runs=50, operations=40, entities=1, report=tmp_path / "report")
    error = failed.value
    plan = error.run.plan
    assert plan.seed == error.seed >= 3
    assert len(plan.calls) <= 3
    assert f"the same call with seed={error.seed}" in str(error)
    assert str(tmp_path / "report") in str(error)
    written = msgspec.json.decode((tmp_path / "report" / "plan.json").read_bytes(), type=Plan)
    again = run_plan(SUBJECT, written)
    assert again.digest == error.run.digest
    assert {each.rule for each in again.found} == {each.rule for each in error.run.found} != set()


@pytest.mark.usefixtures("forgetful")
def test_a_failure_as_it_was() -> None:
    kill = Fault(at_us=40_000, kind="kill", host=1)
    calls = (add(1, number=n, wait_us=20_000) for n in range(10))
    plan = plan_of(*calls, faults=(kill,), seed=8)
    with pytest.raises(SimulationFailed, match="repeat it with: mine --seed 8 --runs 1") as failed:
        play_one(SUBJECT, plan, shrinks=False, command="mine")
    assert failed.value.run.plan is plan


@pytest.mark.usefixtures("forgetful")
def test_the_command_plays_the_plan_that_was_written(tmp_path: Path) -> None:
    kill = Fault(at_us=30_000, kind="kill", host=1)
    plan = plan_of(add(1), add(1, number=1, wait_us=60_000), faults=(kill,))
    folder = tmp_path / "a folder"
    with pytest.raises(SimulationFailed) as failed:
        play_one(SUBJECT, plan, report=folder, shrinks=False, command="mine")
    assert str(failed.value).endswith(f"repeat it with: mine --plan '{folder / 'plan.json'}'")


# ---- it is not the same twice --------------------------------------------------------------------
@pytest.mark.parametrize("method", ["clock", "draw", "complain"])
def test_a_handler_that_depends_on_what_is_not_simulated_is_named(method: str) -> None:
    weights = {f"dice.{each}": float(each == method) for each in ("clock", "draw", "complain")}
    with pytest.raises(NotDeterministic, match=rf"(?s)first: .*dice e0\.{method} \[op-") as found:
        simulate(dice, operations=10, entities=1, workload=Workload(weights=weights))
    assert "seed 0 played twice" in str(found.value)


def test_a_run_that_is_the_same_again() -> None:
    plan = plan_of(add(1))
    play_again(SUBJECT, run_plan(SUBJECT, plan))
    asked = plan_of(call("draw", component="dice"))
    subject = Subject(dice.descriptor, dice.limits)
    with pytest.raises(NotDeterministic):
        play_again(subject, run_plan(subject, asked))


def test_a_sample_of_the_seeds_is_played_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []

    def note(subject: Subject, run: Run) -> None:
        played.append(run.plan.seed)

    monkeypatch.setattr("actorkalix.testkit.simulation.simulating.play_again", note)
    simulate(SERVICE, seed=3, runs=20, operations=1, faults="none")
    assert played == [3, 19]
