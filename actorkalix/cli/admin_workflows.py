"""Workflows of a running service, through its admin port."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from actorkalix.workflow_views import Controlled, ControlOrder, WorkflowPage, WorkflowView

R = TypeVar("R")


class Ask(Protocol):
    """Sends a request to the admin port."""

    def __call__(self, shape: type[R], verb: str, path: str, **options: Any) -> Awaitable[R]: ...


class Get(Protocol):
    """Reads from the admin port."""

    def __call__(
        self, shape: type[R], path: str, query: Mapping[str, str | int] | None = None, /
    ) -> Awaitable[R]: ...


class AdminWorkflows:
    """`workflow_views.Workflows`.

    Args:
        get, ask: of the admin port's client.
    """

    def __init__(self, get: Get, ask: Ask) -> None:
        self._get = get
        self._ask = ask

    async def workflows(
        self, component: str = "", *, status: str = "", page: str = "", limit: int = 100
    ) -> WorkflowPage:
        """A page of workflows."""
        query: dict[str, str | int] = {
            "component": component,
            "status": status,
            "page": page,
            "limit": limit,
        }
        return await self._get(WorkflowPage, "workflows", query)

    async def workflow(
        self, component: str, workflow_id: str, *, after: int = 0, limit: int = 1_000
    ) -> WorkflowView:
        """A workflow with its timeline."""
        query: dict[str, str | int] = {
            "component": component,
            "id": workflow_id,
            "after": after,
            "limit": limit,
        }
        return await self._get(WorkflowView, "workflows/show", query)

    async def control(self, order: ControlOrder) -> Controlled:
        """Do something with a workflow."""
        content = msgspec.json.encode(order)
        return await self._ask(Controlled, "POST", "workflows/control", content=content)
