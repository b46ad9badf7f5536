"""`concurrent`: tests that hypothesis plays as small clusters."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from actorkalix.errors import WorkloadUnfit
from actorkalix.model.client import Client
from actorkalix.testkit import (
    Chance,
    NotDeterministic,
    Run,
    SimulationFailed,
    Workload,
    concurrent,
)
from actorkalix.testkit.concurrently import OVERRIDES, Overrides
from tests.unit.actorkalix.testkit.seats import (
    Till,
    buy,
    careful,
    money_is_counted,
    never_oversold,
    service,
)


def seeded(test: Any, seed: int = 1, **more: Any) -> Any:
    """The test, played alike each time, and without a trace of other times."""
    overrides: Overrides = getattr(test, OVERRIDES)
    overrides.seed = seed
    for name, value in more.items():
        setattr(overrides, name, value)
    return test


def test_the_body_gets_each_run() -> None:
    seen: list[Run] = []

    @concurrent(service, runs=8, invariants=[money_is_counted])
    def check(run: Run) -> None:
        seen.append(run)

    seeded(check)()
    assert len(seen) == 8
    assert len({run.digest for run in seen}) > 4
    assert {run.plan.hosts for run in seen} == {1, 2}
    assert any(run.plan.faults for run in seen)
    assert all(len(run.plan.calls) <= 20 and run.plan.clients <= 3 for run in seen)
    again: list[Run] = []
    seen, again = again, seen
    seeded(check)()
    assert [run.digest for run in seen] == [run.digest for run in again]


def test_a_race_is_shrunk_to_two_clients_and_comes_again(tmp_path: Path) -> None:
    def plain(run: Run) -> None:
        """Nothing more."""

    options: dict[str, Any] = {"programs": [buy], "invariants": [never_oversold]}
    check = concurrent(service, runs=200, hosts=1, **options)(plain)
    with pytest.raises(SimulationFailed) as raised:
        seeded(check, report=tmp_path)()
    plan = raised.value.run.plan
    # One seat is sold before, or three look at the same time.
    assert len(plan.calls) == 3
    assert plan.clients in (2, 3)
    assert (plan.faults, plan.hosts) == ((), 1)
    said = str(raised.value)
    assert said.startswith("never_oversold: show 'e0', version 6: 3 seats are sold of 2")
    assert not getattr(raised.value, "__notes__", [])
    assert {file.name for file in tmp_path.iterdir()} >= {"plan.json", "history.html"}

    word = re.search(r'repeat it with: plan="([^"]+)" as an argument of @concurrent', said)
    assert word is not None
    again = concurrent(service, plan=word[1], **options)
    with pytest.raises(SimulationFailed) as raised_again:
        again(plain)()
    assert raised_again.value.run.digest == raised.value.run.digest


@pytest.mark.parametrize("profile", ["default", "ci"])
def test_a_body_that_fails_is_shown_what_was_done(profile: str) -> None:
    before = settings.get_current_profile_name()
    settings.load_profile(profile)  # hypothesis takes "ci" by itself where it sees one

    @concurrent(service, runs=20, workload=Workload(weights={"take": 0, "count": 0, "close": 0}))
    def check(run: Run) -> None:
        assert all(each.method != "sell" for each in run.history.operations), "it sells"

    try:
        with pytest.raises(AssertionError, match="it sells") as raised:
            seeded(check)()
    finally:
        settings.load_profile(before)
    ours, theirs = raised.value.__notes__
    assert ours.startswith("seed 0: 1 operations of 1 clients")
    assert "repeat it with: plan=" in ours
    assert "run=<a run of 1 operations>" in theirs


def test_a_program_that_asserts() -> None:
    async def check_in(client: Client, chance: Chance) -> None:
        till = client.entity(Till, "e0")
        before = await till.count()
        assert await till.take(2) == before + 2

    @concurrent(service, runs=100, hosts=1, faults="none", programs=[check_in])
    def check(run: Run) -> None:
        """Nothing more."""

    with pytest.raises(
        SimulationFailed, match=r"program check_in of client c\d: assert "
    ) as raised:
        seeded(check)()
    assert len(raised.value.run.plan.calls) == 2


def test_programs_that_ask_nothing_are_no_runs() -> None:
    asked: list[int] = []

    async def sometimes(client: Client, chance: Chance) -> None:
        if chance.happens(0.3):
            await client.entity(Till, "e0").take(1)

    @concurrent(service, runs=5, programs={"sometimes": sometimes, "careful": careful})
    def check(run: Run) -> None:
        asked.append(len(run.history.operations))

    seeded(check)()
    assert len(asked) == 5
    assert min(asked) > 0


def test_what_is_not_alike_twice_is_said() -> None:
    plays: list[Run] = []

    @concurrent(service, runs=20)
    def check(run: Run) -> None:
        plays.append(run)
        assert len(plays) != 3

    with pytest.raises(NotDeterministic, match="one plan was played twice and failed only once"):
        seeded(check)()


class Method:
    """As tests stand in classes."""

    seen = 0

    @concurrent(service, runs=3)
    def check(self, more: int, run: Run) -> None:
        """Takes self and a fixture."""
        assert run.verdicts
        self.seen += more


def test_methods_and_fixtures() -> None:
    assert list(inspect.signature(Method.check).parameters) == ["self", "more"]
    assert Method.check.__doc__ == "Takes self and a fixture."
    assert Method.check.__name__ == "check"
    method = Method()
    seeded(Method.check, runs=2)
    method.check(more=5)
    assert method.seen == 10


async def asynchronous(run: Run) -> None:
    """No test."""


def test_tests_that_do_not_fit() -> None:
    mark = concurrent(service)
    with pytest.raises(TypeError, match=r"write `def <lambda>\(run: Run\)"):
        mark(lambda: None)
    unawaited: Any = asynchronous
    with pytest.raises(TypeError, match="asynchronous: a test of @concurrent is no `async def`"):
        mark(unawaited)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"clients": 0}, "clients is 0; it is from 1 to 64"),
        ({"hosts": 17}, "hosts is 17; it is from 1 to 16"),
        ({"operations": 0}, "operations is 0"),
        ({"runs": 0}, "runs is 0"),
        ({"entities": -1}, "entities is -1"),
        ({"plan": "word"}, "plan='word'… is none"),
    ],
)
def test_arguments_that_do_not_fit(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        concurrent(service, **options)


def test_a_workload_that_does_not_fit() -> None:
    with pytest.raises(WorkloadUnfit, match="there is no 'add'"):
        concurrent(service, workload=Workload(weights={"add": 1}))
