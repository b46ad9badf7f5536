"""Runs: what a plan leaves behind, and what is found in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from actorkalix import Client
from actorkalix.testkit.checking import Finding
from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.faults import Fault, Faults
from actorkalix.testkit.simulation.hosts import SimulatedHost
from actorkalix.testkit.simulation.plan import draw_plan, program_call
from actorkalix.testkit.simulation.run import FINAL_CLIENT, Played, Run, Subject, run_plan, trace_of
from actorkalix_cluster.shardhost.actor import Flight
from actorkalix_cluster.shardhost.landing import Landing
from actorkalix_storage.api import RecordKind
from actorkalix_storage.memorystore import MemoryStore
from tests.mutants.services import Account

from .worlds import SERVICE, SUBJECT, add, call, calm, plan_of


def rules(run: Run) -> list[str]:
    """Names of the rules that were broken."""
    return [verdict.rule for verdict in run.found]


def texts(run: Run) -> list[str]:
    return [finding.text for verdict in run.found for finding in verdict.findings]


def test_every_record_is_linked_to_its_operation() -> None:
    swap = call("swap", b'{"out":1,"back":2}', number=2)
    run = run_plan(SUBJECT, plan_of(add(1), call("tell", number=1), swap))
    assert run.found == ()
    events = [each for each in run.evidence.stored if each.kind is RecordKind.EVENT]
    assert [each.operation for each in events] == [1, 3, 3]
    assert [o.id for o in run.evidence.operations if o.method == "swap"] == [3]
    assert {each.writer for each in events} <= {each.writer for each in run.evidence.ownerships}
    assert run.evidence.silent >= {2}


def test_every_entity_is_read_once_more() -> None:
    put = call("put", b'{"text":4}', component="pad", entity="p")
    run = run_plan(
        SUBJECT, plan_of(add(1), add(2, number=1), msgspec.structs.replace(put, number=2))
    )
    last = [each for each in run.history.operations if each.client == FINAL_CLIENT]
    assert [(each.component, each.entity, each.method, each.value) for each in last] == [
        ("account", "e0", "get", {"amount": 3, "last": 2}),
        ("pad", "p", "get", 4),
    ]


def test_all_rules_have_a_verdict() -> None:
    run = run_plan(SUBJECT, plan_of(add(1)))
    names = [verdict.rule for verdict in run.verdicts]
    assert names[-2:] == ["linearizability", "service"]
    assert len(names) > 4
    assert run.found == ()


@pytest.mark.parametrize("preset", ["usual", "harsh"])
def test_same_plan_same_run(preset: str) -> None:
    rates = Faults.usual() if preset == "usual" else Faults.harsh()
    plans = [
        draw_plan(SERVICE.descriptor, seed, operations=60, entities=2, faults=rates)
        for seed in (1, 1, 2)
    ]
    one, again, other = (run_plan(SUBJECT, plan) for plan in plans)
    assert one.trace == again.trace
    assert one.digest == again.digest != other.digest
    assert one.trace == trace_of(SUBJECT, plans[0]), "judged or not"
    assert one.history == again.history
    assert one.found == again.found == other.found == ()


def test_a_planned_fault_happens() -> None:
    kill = Fault(at_us=12_000, kind="kill", host=0)
    run = run_plan(SUBJECT, plan_of(add(1, wait_us=20_000), faults=(kill,)))
    times = [line for line in run.trace if "fault: " in line]
    assert len(times) == 1
    assert int(times[0].split()[0].replace(",", "")) == 12_000


def test_faults_that_come_after_the_last_answer_do_not_happen() -> None:
    kill = Fault(at_us=60_000_000, kind="kill", host=0)
    run = run_plan(SUBJECT, plan_of(add(1), faults=(kill,)))
    assert not any("fault: " in line for line in run.trace)


# ---- what is found -------------------------------------------------------------------------------
def test_a_store_that_forgets_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = MemoryStore._persist

    def forget(store: MemoryStore, frames: list[Any], pending: bool = False, what: str = "") -> Any:
        kept = [each for each in frames if each.record.kind is RecordKind.EPOCH]
        real(store, kept, pending, what)
        return [0] * len(frames)

    monkeypatch.setattr(MemoryStore, "_persist", forget)
    kill = Fault(at_us=20_000, kind="kill", host=1)
    plan = plan_of(add(1), add(2, number=1, wait_us=30_000), faults=(kill,))
    run = run_plan(SUBJECT, plan)
    assert any("nothing of it is stored" in text for text in texts(run))
    assert "linearizability" in rules(run)


def test_answers_that_leave_early_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer is given, whatever became of the write."""

    def settle(landing: Landing, batch: list[Flight], outcome: object) -> None:
        for flight in batch:
            landing._desk.answer(flight.ticket, flight.reply)

    monkeypatch.setattr(Landing, "settle", settle)
    run = run_plan(SUBJECT, plan_of(add(1), rates=calm(commit_fails=1)))
    assert any("nothing of it is stored" in text for text in texts(run))


def test_a_service_that_never_answers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(host: SimulatedHost, message: object, answer: object) -> None:
        """Nothing."""

    monkeypatch.setattr(SimulatedHost, "serve", serve)
    run = run_plan(SUBJECT, plan_of(add(1)))
    assert rules(run) == ["service"]
    assert texts(run) == ["account 'e0' is not answered though everything is healed"]


def test_a_host_that_ends_by_itself_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def settle(landing: Landing, batch: object, outcome: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(Landing, "settle", settle)
    run = run_plan(SUBJECT, plan_of(add(1)))
    assert texts(run) == ["a host ended by itself: LookupError: a bug"]


def test_a_host_that_ends_for_its_disk_is_not() -> None:
    plan = plan_of(*(add(1, number=n) for n in range(10)), rates=calm(commit_breaks=0.5))
    run = run_plan(SUBJECT, plan)
    assert any("fatal" in line for line in run.trace)
    assert run.found == ()


def test_an_exception_that_nobody_took_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(host: SimulatedHost, message: object, answer: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(SimulatedHost, "serve", serve)
    found = texts(run_plan(SUBJECT, plan_of(add(1))))
    assert any(text.startswith("an exception that nobody took: ") for text in found)


def test_a_program_that_never_ends_is_found() -> None:
    async def stuck(client: Client, chance: Chance) -> None:
        await asyncio.Event().wait()

    subject = msgspec.structs.replace(SUBJECT, programs={"stuck": stuck})
    run = run_plan(subject, plan_of(add(1), program_call(0, 1, 0, "stuck")))
    assert texts(run) == ["client 0 comes to no end within a day"]
    assert run.history.operations[-1].value == {"amount": 1, "last": 1}, "it is read nevertheless"


def test_an_assertion_of_a_program_is_found() -> None:
    async def wrong(client: Client, chance: Chance) -> None:
        assert (await client.entity(Account, "e0").add(1)).amount == 2

    subject = msgspec.structs.replace(SUBJECT, programs={"wrong": wrong})
    run = run_plan(subject, plan_of(program_call(0, 0, 0, "wrong")))
    assert rules(run) == ["service"]
    assert "program wrong of client c0" in texts(run)[0]


def test_further_rules_look_at_what_is_left() -> None:
    def judge(played: Played) -> Iterator[Finding]:
        yield Finding(f"{len(played.history.operations)} operations, {len(played.records) > 0}")

    subject = Subject(SUBJECT.service, SUBJECT.limits, {}, {"mine": judge, "none": lambda _: ()})
    run = run_plan(subject, plan_of(add(1)))
    assert rules(run) == ["mine"]
    assert texts(run) == ["2 operations, True"]
