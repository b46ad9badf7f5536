"""Workflows that tell what they were asked."""

from __future__ import annotations

from typing import Any

from actorkalix.workflow_views import (
    Controlled,
    ControlOrder,
    WorkflowPage,
    WorkflowRow,
    WorkflowView,
)

ROW = WorkflowRow("transfer", "t1", "running", "deposit", 2)


class Flowing:
    """`workflow_views.Workflows`."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def workflows(
        self, component: str, *, status: str, page: str, limit: int
    ) -> WorkflowPage:
        self.asked.append((component, status, page, limit))
        return WorkflowPage([ROW], "p2")

    async def workflow(
        self, component: str, workflow_id: str, *, after: int, limit: int
    ) -> WorkflowView:
        self.asked.append((component, workflow_id, after, limit))
        return WorkflowView(ROW, state={"a": 1})

    async def control(self, order: ControlOrder) -> Controlled:
        self.asked.append((order.action, order.component, order.workflow_id, order.value))
        return Controlled(order.component, order.workflow_id, "suspended")
