"""What operators see of views through the admin port, do about them, and ask of them in SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from actorkalix.errors import InvalidPayload, UnknownRoute
from actorkalix.gateway.operations import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    body_of,
    json_response,
    number_of,
)
from actorkalix.view_listing import SqlOrder, ViewOrder, Views

Answer = Callable[[Request], Awaitable[Response]]

SQL_ROWS_MAX = 100_000  # as one JSON document, some 20 MB


class ViewingAnswers:
    """Answers of the paths of views; without views they answer 404.

    Args:
        views: of the service.

    Attributes:
        get, post: answers by path.
    """

    def __init__(self, views: Views | None) -> None:
        self._given = views
        self.get: Mapping[str, Answer] = {
            "/admin/views": self.listed,
            "/admin/views/parked": self.parked,
            "/admin/views/explain": self.explained,
            "/admin/sql": self.sql_tables,
        }
        self.post: Mapping[str, Answer] = {
            "/admin/views/drop": self.drop,
            "/admin/views/rebuild": self.rebuild,
            "/admin/sql": self.sql,
        }

    @property
    def _views(self) -> Views:
        if self._given is None:
            raise UnknownRoute("the admin port of this service does not offer that")
        return self._given

    async def listed(self, _: Request) -> Response:
        """All views, those that only have files too."""
        return json_response(await self._views.listed())

    async def parked(self, request: Request) -> Response:
        """Subjects of `view` that wait."""
        limit = number_of(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
        return json_response(await self._views.parked(_named(request), limit=limit))

    async def explained(self, request: Request) -> Response:
        """What becomes of the queries of `view`."""
        return json_response(await self._views.explained(_named(request)))

    async def drop(self, request: Request) -> Response:
        """Whether there were files of a view that does not run; now there are none."""
        order = await body_of(request, ViewOrder)
        return json_response(await self._views.drop(order.view))

    async def rebuild(self, request: Request) -> Response:
        """A view that is made anew beside what there is."""
        order = await body_of(request, ViewOrder)
        return json_response(await self._views.rebuild(order.view))

    async def sql_tables(self, _: Request) -> Response:
        """Tables that statements may name."""
        return json_response(await self._views.sql_tables())

    async def sql(self, request: Request) -> Response:
        """The rows of a statement."""
        order = await body_of(request, SqlOrder)
        if not 1 <= order.limit <= SQL_ROWS_MAX:
            raise InvalidPayload(f"limit is 1 to {SQL_ROWS_MAX:,}, not {order.limit:,}")
        return json_response(await self._views.sql(order))


def _named(request: Request) -> str:
    view = request.query_params.get("view")
    if view is None:
        raise InvalidPayload("view is missing: the id of one")
    return view
