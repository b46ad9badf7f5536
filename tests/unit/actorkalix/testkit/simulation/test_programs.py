"""Programs of clients: how they are drawn, played and judged."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from actorkalix.errors import WorkloadUnfit
from actorkalix.model.client import Client
from actorkalix.testkit import Chance, Run, SimulationFailed, Workload, simulate
from actorkalix.testkit.simulation.clients import Program
from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.plan import Plan, draw_plan, program_call
from actorkalix.testkit.simulation.run import run_plan
from actorkalix.testkit.simulation.simulating import subject_of
from tests.unit.actorkalix.testkit.seats import (
    Show,
    Till,
    buy,
    careful,
    money_is_counted,
    never_oversold,
    service,
)


def drawn(workload: Workload | None = None, *programs: str) -> Counter[str]:
    """How often what is asked, in 400 calls."""
    plan = draw_plan(service.descriptor, 1, operations=400, workload=workload, programs=programs)
    return Counter(call.method if call.kind == "program" else call.kind for call in plan.calls)


def test_without_a_workload_clients_do_nothing_else() -> None:
    found = drawn(None, "buy", "careful")
    assert set(found) == {"buy", "careful"}
    assert min(found.values()) > 150
    assert set(drawn()) == {"command", "query"}


def test_with_one_half_of_the_calls_are_programs() -> None:
    found = drawn(Workload(weights={"buy": 9, "take": 0}), "buy", "careful")
    assert set(found) == {"buy", "careful", "command", "query"}
    assert 150 < found["buy"] + found["careful"] < 250
    assert found["buy"] > 5 * found["careful"]
    assert set(drawn(Workload(weights={"buy": 0}), "buy")) == {"command", "query"}
    with pytest.raises(WorkloadUnfit, match="there is no 'buy'"):
        drawn(Workload(weights={"buy": 1}))


def test_plans_without_programs_are_what_they_were() -> None:
    plan = draw_plan(service.descriptor, 1, workload=Workload())
    assert plan == draw_plan(service.descriptor, 1)


def test_they_read_as_programs() -> None:
    (call, *_) = draw_plan(service.descriptor, 1, programs=["buy"]).calls
    assert str(call) == "program buy"


def one(**programs: Program) -> Run:
    """A run in which one client runs each of the programs, without faults."""
    calls = tuple(program_call(0, number, 0, name) for number, name in enumerate(programs))
    plan = Plan(seed=0, hosts=1, shards=2, clients=1, calls=calls, rates=Faults.none())
    return run_plan(subject_of(service, (), programs), plan)


def test_what_they_ask_is_in_the_history_and_read_again() -> None:
    async def sell_and_take(client: Client, chance: Chance) -> None:
        sold = await client.entity(Show, "a").sell(1)
        await client.entity(Till, "b").take(sold + 4)

    run = one(sell_and_take=sell_and_take)
    assert not run.found
    said = [(o.client, o.entity, o.method, o.value) for o in run.history.operations]
    assert said == [
        ("c0", "a", "sell", 1),
        ("c0", "b", "take", 5),
        ("last", "a", "left", 1),
        ("last", "b", "count", 5),
    ]


def test_what_they_raise_is_a_finding_and_the_client_goes_on() -> None:
    async def looks(client: Client, chance: Chance) -> None:
        await client.entity(Till, "a").take(1)
        raise KeyError("nobody")

    async def goes_on(client: Client, chance: Chance) -> None:
        assert await client.entity(Till, "a").take(1) == 2

    run = one(looks=looks, goes_on=goes_on)
    (verdict,) = run.found
    (finding,) = verdict.findings
    assert finding.text.startswith("program looks of client c0: KeyError: 'nobody' (test_programs")
    assert finding.operations == (1,)
    assert [each.method for each in run.history.operations] == ["take", "take", "count"]


def test_errors_of_calls_end_a_program_and_are_no_finding() -> None:
    after: list[str] = []

    async def sells_after_the_end(client: Client, chance: Chance) -> None:
        show = client.entity(Show, "a")
        await show.close()
        await show.close()
        after.append("never")

    async def takes(client: Client, chance: Chance) -> None:
        await client.entity(Till, "a").take(1)
        after.append("takes")

    run = one(sells_after_the_end=sells_after_the_end, takes=takes)
    assert not run.found
    assert [each.outcome for each in run.history.operations][:3] == ["ok", "error", "ok"]
    assert after == ["takes"]


def test_what_no_handler_takes_is_a_finding() -> None:
    async def sells_wrong(client: Client, chance: Chance) -> None:
        wrong: Any = "many"
        await client.entity(Till, "a").take(1)
        await client.entity(Show, "a").sell(wrong)

    (verdict,) = one(sells_wrong=sells_wrong).found
    assert "program sells_wrong of client c0: InvalidPayload: " in verdict.findings[0].text


def test_several_calls_at_once() -> None:
    async def both(client: Client, chance: Chance) -> None:
        till = client.entity(Till, "a")
        assert sorted(await asyncio.gather(till.take(1), till.take(1))) == [1, 2]

    run = one(both=both)
    assert not run.found
    assert [each.client for each in run.history.operations] == ["c0", "c0/2", "last"]


def test_simulate_plays_and_judges_them() -> None:
    kept = simulate(
        service,
        operations=20,
        hosts=2,
        programs={"careful": careful},
        invariants=[money_is_counted, never_oversold],
    )
    assert all(call.method == "careful" for call in kept.run.plan.calls)
    with pytest.raises(SimulationFailed) as raised:
        simulate(service, runs=50, operations=30, programs=[buy], invariants=[never_oversold])
    plan = raised.value.run.plan
    assert len(plan.calls) == 3
    assert plan.faults == ()
    assert str(raised.value).startswith("never_oversold: show 'e0', version 6: 3 seats are sold")
    assert f"repeat it with: the same call with seed={raised.value.seed}" in str(raised.value)
