"""Workflows through the admin port's client: paths, queries and bodies."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from actorkalix.cli.admin_workflows import AdminWorkflows
from actorkalix.workflow_views import (
    Controlled,
    ControlOrder,
    WorkflowPage,
    WorkflowRow,
    WorkflowView,
)


class Wire:
    """Remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def get(self, shape: type[Any], path: str, query: Any = None, /) -> Any:
        self.asked.append((path, query))
        row = WorkflowRow("a", "b", "paused")
        return WorkflowPage([row], "") if shape is WorkflowPage else WorkflowView(row)

    async def ask(self, shape: type[Any], verb: str, path: str, **options: Any) -> Any:
        self.asked.append((verb, path, msgspec.json.decode(options["content"])))
        return Controlled("a", "b", "suspended")


def test_what_is_asked_of_the_port() -> None:
    wire = Wire()
    client = AdminWorkflows(wire.get, wire.ask)

    async def go() -> None:
        await client.workflows("a", status="paused", page="p", limit=3)
        await client.workflow("a", "b/c", after=4)
        await client.control(ControlOrder("a", "b", "resolve", promise="p", value=True))

    asyncio.run(go())
    listed, shown, done = wire.asked
    query = {"component": "a", "status": "paused", "page": "p", "limit": 3}
    assert listed == ("workflows", query)
    assert shown[1] == {"component": "a", "id": "b/c", "after": 4, "limit": 1_000}
    assert done[:2] == ("POST", "workflows/control")
    assert (done[2]["promise"], done[2]["value"]) == ("p", True)
