"""Workflows of a store are listed, shown as they went, and controlled where they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from actorkalix.errors import InvalidPayload, UnknownPromise, UnknownRoute
from actorkalix.runtime.fanout import ClusterInspection, LocalCalls, inspect_methods
from actorkalix.runtime.inspection import StoreInspection
from actorkalix.runtime.workflow_listing import ClusterWorkflows, control_methods
from actorkalix.testkit import TestService
from actorkalix.workflow_views import ControlOrder
from actorkalix_storage.api import HomeTable
from examples.transfer.service import Transfer, TransferOrder, Wallet, service
from tests.unit.actorkalix.runtime.flows import filled
from tests.unit.actorkalix.runtime.stock import SHARDS

T = TypeVar("T")
HOMES = HomeTable(1, ((0,),) * SHARDS)


def listing(*, with_code: bool = True) -> ClusterWorkflows:
    code = service.descriptor if with_code else None
    methods = inspect_methods(StoreInspection(filled().store, code))
    return ClusterInspection(LocalCalls({0: methods}), lambda: HOMES, code).workflows


def ask(work: Callable[[], Awaitable[T]]) -> T:
    async def go() -> T:
        return await work()

    return asyncio.run(go())


@pytest.mark.parametrize("with_code", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_they_are_listed_by_pages(limit: int, with_code: bool) -> None:
    workflows, found, page = listing(with_code=with_code), dict[str, str](), ""
    while True:
        part = asyncio.run(workflows.workflows("transfer", page=page, limit=limit))
        found |= {row.workflow_id: row.status for row in part.workflows}
        page = part.next_page
        if not page:
            break
    assert found == {
        "t-done": "ended",
        "t-undone": "ended",
        "t-waits": "waiting",
        "t-runs": "running",
    }


def test_all_of_a_service_or_those_of_one_status() -> None:
    workflows = listing()
    assert len(ask(lambda: workflows.workflows("")).workflows) == 4
    (row,) = ask(lambda: workflows.workflows("", status="waiting")).workflows
    assert (row.workflow_id, row.component, row.attempt) == ("t-waits", "transfer", 0)
    assert row.next_ms > row.started_ms > 0


def test_a_timeline_has_every_attempt() -> None:
    workflows = listing()
    view = ask(lambda: workflows.workflow("transfer", "t-undone"))
    assert [(one.did, one.step or one.what) for one in view.moments] == [
        ("command", "start"),
        ("completed", "withdraw"),
        ("gave_up", "deposit"),
        ("undone", "wallet/ann.refund"),
        ("completed", "refunded"),
    ]
    failed = view.moments[2]
    assert "wallet eve is closed" in failed.failure
    assert failed.ended_ms >= failed.began_ms > 0
    assert view.row.reason == "the target is closed"
    assert view.state["status"] == "refunded"
    assert view.moments[0].state["status"] == "started"


def test_a_timeline_is_cut_and_goes_on() -> None:
    workflows = listing()
    first = ask(lambda: workflows.workflow("transfer", "t-undone", limit=2))
    assert (len(first.moments), first.more) == (2, True)
    rest = ask(lambda: workflows.workflow("transfer", "t-undone", after=2))
    assert ([one.sequence_number for one in rest.moments], rest.more) == ([3, 4, 5], False)


def test_without_the_code_the_state_is_shown_as_it_lies() -> None:
    workflows = listing(with_code=False)
    view = ask(lambda: workflows.workflow("transfer", "t-waits"))
    assert view.state["order"]["amount"] == 5_000
    assert view.promises == ("approval",)


def test_what_is_not_there() -> None:
    workflows = listing()
    assert ask(lambda: workflows.workflow("transfer", "nobody")).row.status == "not_started"
    with pytest.raises(UnknownRoute, match="'wallet' is no workflow of service transfers"):
        ask(lambda: workflows.workflow("wallet", "ann"))
    with pytest.raises(InvalidPayload, match="status: 'odd' is none of"):
        ask(lambda: workflows.workflows("transfer", status="odd"))
    with pytest.raises(InvalidPayload, match="limit"):
        ask(lambda: workflows.workflow("transfer", "t-done", limit=0))
    without_code = listing(with_code=False)
    with pytest.raises(InvalidPayload, match="name it, for the service's code is not here"):
        ask(lambda: without_code.workflows(""))


def test_a_running_service_controls_them() -> None:
    async def go() -> None:
        async with TestService(service) as running:
            await running.client.entity(Wallet, "ann").deposit(9_000)
            order = TransferOrder("ann", "bob", 5_000)
            await running.client.workflow(Transfer, "t").start(order)
            calls = LocalCalls({0: control_methods(running, service.descriptor)})
            homes = HomeTable(1, ((0,),) * running._store.identity.shards)
            control = ClusterWorkflows(calls, lambda: homes, service.descriptor, None).control
            statuses = [
                (await control(ControlOrder("transfer", "t", action, reason="why"))).status
                for action in ("suspend", "resume")
            ]
            assert statuses == ["suspended", "waiting"]
            with pytest.raises(UnknownPromise):
                await control(ControlOrder("transfer", "t", "resolve", promise="x"))
            approve = ControlOrder("transfer", "t", "resolve", promise="approval", value=True)
            assert (await control(approve)).status == "running"
            await running.advance(timedelta(seconds=1))
            done = await control(ControlOrder("transfer", "t", "terminate"))
            assert done.status == "ended"
            again = await control(ControlOrder("transfer", "t", "restart", step="deposit"))
            assert again.status == "running"

    asyncio.run(go())
