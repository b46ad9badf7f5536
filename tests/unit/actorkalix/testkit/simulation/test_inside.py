"""What happens inside of simulated hosts is noted: deliveries, and calls of handlers."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec
import pytest

from actorkalix.testkit.simulation.faults import Faults
from actorkalix.testkit.simulation.inside import actions_of
from actorkalix.testkit.simulation.plan import Plan
from actorkalix.testkit.simulation.run import Run, Subject, run_plan
from tests.sim.followers import ringing, service
from tests.unit.actorkalix.testkit.simulation.worlds import call, calm, fault, plan_of

SUBJECT = Subject(service.descriptor, service.limits)
RINGING = Subject(ringing.descriptor, ringing.limits)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def sends(count: int, rates: Faults | None = None, **more: object) -> Plan:
    """A source is told to send several times."""
    calls = (
        call("send", b'{"target":0}', number, component="source", wait_us=20_000)
        for number in range(count)
    )
    return msgspec.structs.replace(plan_of(*calls, rates=rates), **more)


def outcomes(run: Run) -> dict[str, str]:
    """Of each rule."""
    return {verdict.rule: verdict.outcome for verdict in run.verdicts}


def test_deliveries_and_calls_are_noted() -> None:
    run = run_plan(SUBJECT, sends(3))
    assert run.found == ()
    found = run.evidence
    consumers = {delivery.consumer for delivery in found.deliveries}
    assert "~outbox" in consumers
    assert len(consumers) == 3
    assert all(delivery.outcome == "handled" for delivery in found.deliveries)
    assert all(delivery.durable for delivery in found.deliveries)
    taken = [each for each in run.history.operations if each.method == "take"]
    assert len(taken) == 9, "two by the outbox and one by the follower, for each"
    assert all(each.key and each.outcome == "ok" for each in taken)
    others = {"workflows_follow", "steps_follow"}  # of which the service has none
    judged = {rule: said for rule, said in outcomes(run).items() if rule not in others}
    assert {said for rule, said in judged.items() if not rule.startswith("view")} == {"passed"}
    assert found.at_rest


def test_what_fails_comes_again_until_the_world_is_healed() -> None:
    run = run_plan(SUBJECT, sends(3, calm(delivery_fails=0.7)))
    assert run.found == ()
    failed = [each for each in run.evidence.deliveries if each.outcome == "failed"]
    assert failed
    assert failed[0].failure == "DeliveryFails: as it was drawn"
    assert run.evidence.at_rest


def test_a_host_that_dies_takes_its_handlers_along() -> None:
    rates = calm(commit_min_us=3_000, network_min_us=3_000)
    kills = tuple(
        fault("kill", host, at_us=at_us) for at_us in (30_000, 45_000, 60_000) for host in (0, 1)
    )
    run = run_plan(SUBJECT, sends(4, rates, faults=kills))
    assert run.found == ()
    assert any(each.outcome == "open" for each in run.evidence.deliveries)
    assert outcomes(run)["delivered_at_last"] == "passed"


def test_timers_ring_and_leave_no_trace_in_the_rules() -> None:
    calls = [
        call("set", b'{"ms":50}', number, component="source", wait_us=500_000)
        for number in range(3)
    ]
    run = run_plan(RINGING, plan_of(*calls))
    assert run.found == ()
    rung = [each for each in run.history.operations if each.method == "ring"]
    assert [each.outcome for each in rung] == ["ok"] * 3


def test_actions_are_known() -> None:
    assert list(actions_of(service.descriptor)) == ["follower", "heaper"]
