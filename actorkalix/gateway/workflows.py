"""What operators see of workflows through the admin port, and do with them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from actorkalix import errors
from actorkalix.gateway.consuming import Answer
from actorkalix.gateway.operations import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    body_of,
    json_response,
    number_of,
)
from actorkalix.workflow_views import ControlOrder, Workflows


class WorkflowAnswers:
    """Answers of the paths of workflows.

    Args:
        workflows: of the service.

    Attributes:
        get, post: answers by path.
    """

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows
        self.get: Mapping[str, Answer] = {
            "/admin/workflows": self.listed,
            "/admin/workflows/show": self.shown,
        }
        self.post: Mapping[str, Answer] = {"/admin/workflows/control": self.control}

    async def listed(self, request: Request) -> Response:
        """A page of workflows, of one `component` or of all; of one `status`, or of any."""
        query = request.query_params
        limit = number_of(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
        found = await self._workflows.workflows(
            query.get("component", ""),
            status=query.get("status", ""),
            page=query.get("page", ""),
            limit=limit,
        )
        return json_response(found)

    async def shown(self, request: Request) -> Response:
        """The workflow `id` of a `component`, with its moments beyond `after`."""
        query = request.query_params
        component, workflow_id = query.get("component"), query.get("id")
        if component is None or workflow_id is None:
            raise errors.InvalidPayload("component and id say which workflow; one is missing")
        found = await self._workflows.workflow(
            component,
            workflow_id,
            after=number_of(request, "after", 0, 0, 2**63 - 1),
            limit=number_of(request, "limit", LIMIT_MAX, 1, LIMIT_MAX),
        )
        return json_response(found)

    async def control(self, request: Request) -> Response:
        """Where a workflow stands after what was done with it."""
        order = await body_of(request, ControlOrder)
        return json_response(await self._workflows.control(order))
