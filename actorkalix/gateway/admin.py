"""The admin port: health, metrics, what operators see and do. Loopback; never the port of callers.

It speaks for a whole service and not for a host: what it shows comes through ports, so it answers
as well while hosts are away or hang.

Nobody logs in here, so a browser on the same machine must not be made to speak to it: a `Host` that
is not this machine's (DNS rebinding) and an `Origin` of elsewhere are refused.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from actorkalix import errors
from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.failures import failure_of
from actorkalix.gateway.consuming import Answer, ConsumingAnswers
from actorkalix.gateway.headers import Head, checked_entity_id
from actorkalix.gateway.http import BUG
from actorkalix.gateway.operations import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    Backup,
    CancelTimer,
    Operations,
    Replace,
    Verify,
    json_response,
    number_of,
)
from actorkalix.gateway.problems import PROBLEM_JSON, problem_of, retry_after_s, status_of
from actorkalix.gateway.readiness import unready
from actorkalix.gateway.routes import RouteTable, decoded_segments, nearest_component
from actorkalix.gateway.scope import raw_path_of
from actorkalix.gateway.viewing import ViewingAnswers
from actorkalix.gateway.workflows import WorkflowAnswers
from actorkalix.limits import Limits
from actorkalix.ports import Fleet, Inspect, TopicDesk
from actorkalix.view_listing import Views
from actorkalix_cluster.shardhost.messages import Failure

log = logging.getLogger("actorkalix.gateway")

Scrape = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Metrics as text with their content type, by the `Accept` header."""
Health = Callable[[], Sequence[str]]
"""Reasons why the service is not ready; none when it is."""


class HandlerView(msgspec.Struct, frozen=True):
    """A handler and its routes, as "POST /cart/{entity_id}/add-item"."""

    name: str
    kind: str
    routes: list[str]


class ComponentView(msgspec.Struct, frozen=True):
    """A component and its handlers."""

    id: str
    kind: str
    handlers: list[HandlerView]


def admin_app(
    service: ServiceDescriptor,
    inspect: Inspect,
    *,
    fleet: Fleet,
    metrics: Scrape,
    limits: Limits | None = None,
    health: Health = tuple,
    verify: Verify | None = None,
    backup: Backup | None = None,
    replace: Replace | None = None,
    cancel_timer: CancelTimer | None = None,
    topics: TopicDesk | None = None,
    views: Views | None = None,
    local: bool = True,
) -> ASGIApp:
    """The ASGI app of the admin port.

    Args:
        service: whose components may be looked at.
        inspect: what may be looked at.
        fleet: the processes; the service is ready when all its hosts are.
        metrics: shown at `/metrics`.
        limits: of the service; None for the usual.
        health: more reasons why the service is not ready.
        verify, backup, replace: what the paths of these names do; without it they answer 404.
        cancel_timer, topics, views: the same for `/admin/timers/cancel`, `/admin/topics`,
            and `/admin/views` and `/admin/sql`.
        local: the port is bound to loopback, so only names of this machine are taken for it.
    """
    admin = _Admin(service, inspect)
    consuming, viewing = ConsumingAnswers(inspect.consuming), ViewingAnswers(views)
    workflows = WorkflowAnswers(inspect.workflows)
    operations = Operations(fleet, verify, backup, replace, cancel_timer, topics)
    unready_after = (limits or Limits()).handler_unready

    async def ready(_: Request) -> Response:
        reasons = [*health(), *unready(fleet.fleet(), unready_after)]
        return _readiness(reasons)

    async def scrape(request: Request) -> Response:
        text, content_type = await metrics(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    get: dict[str, Answer] = {
        "/health/live": _live,
        "/health/ready": ready,
        "/metrics": scrape,
        "/admin/components": admin.components,
        "/admin/entities/{component}": admin.entities,
        "/admin/state/{component}/{entity:path}": admin.state,
        "/admin/events/{component}/{entity:path}": admin.events,
        "/admin/timers": admin.timers,
        "/admin/topics": operations.topics,
        "/admin/status": admin.status,
        **consuming.get,
        **viewing.get,
        **workflows.get,
    }
    post: dict[str, Answer] = {
        "/admin/verify": operations.verify,
        "/admin/backup": operations.backup,
        "/admin/replace": operations.replace,
        "/admin/timers/cancel": operations.cancel_timer,
        **consuming.post,
        **viewing.post,
        **workflows.post,
        "/admin/topics/{name}": operations.publish,
    }
    return _app(get, post, local)


def _app(get: Mapping[str, Answer], post: Mapping[str, Answer], local: bool) -> ASGIApp:
    routes = [*_routes(get, "GET", local), *_routes(post, "POST", local)]
    refusals = {404: _refused, 405: _refused}
    return Starlette(routes=routes, exception_handlers=refusals)


def _readiness(reasons: list[str]) -> Response:
    status = "not ready" if reasons else "ready"
    return json_response({"status": status, "reasons": reasons}, 503 if reasons else 200)


async def _live(_: Request) -> Response:
    return json_response({"status": "live"})


def _routes(answers: Mapping[str, Answer], verb: str, local: bool) -> list[Route]:
    return [
        Route(path, _guarded(answer, local), methods=[verb]) for path, answer in answers.items()
    ]


def components_of(service: ServiceDescriptor) -> list[ComponentView]:
    """What a service has, as JSON shows it."""
    paths: dict[tuple[str, str], list[str]] = {}
    for route in RouteTable(service).routes:
        paths.setdefault((route.component, route.handler.name), []).append(
            f"{route.verb} {route.path}"
        )
    return [
        ComponentView(
            id=component.component_id,
            kind=component.kind,
            handlers=[
                HandlerView(
                    handler.name,
                    handler.kind,
                    paths.get((component.component_id, handler.name), []),
                )
                for handler in component.handlers.values()
            ],
        )
        for component in service.components.values()
    ]


class _Admin:
    """Answers of the paths that name a component or an entity."""

    def __init__(self, service: ServiceDescriptor, inspect: Inspect) -> None:
        self._service = service
        self._inspect = inspect
        self._views = components_of(service)

    async def components(self, _: Request) -> Response:
        return json_response(self._views)

    async def entities(self, request: Request) -> Response:
        component = self._component(request)
        page = request.query_params.get("page", "")
        limit = number_of(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
        return json_response(await self._inspect.entities(component, page=page, limit=limit))

    async def state(self, request: Request) -> Response:
        component, entity = self._component(request), _entity(request)
        return json_response(await self._inspect.state(component, entity))

    async def events(self, request: Request) -> Response:
        component, entity = self._component(request), _entity(request)
        found = await self._inspect.events(
            component,
            entity,
            after=number_of(request, "after", 0, 0, 2**63 - 1),
            limit=number_of(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX),
            with_state=bool(number_of(request, "with_state", 0, 0, 1)),
        )
        return json_response(found)

    async def timers(self, request: Request) -> Response:
        page = request.query_params.get("page", "")
        limit = number_of(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
        return json_response(await self._inspect.timers(page=page, limit=limit))

    async def status(self, _: Request) -> Response:
        return json_response(await self._inspect.status())

    def _component(self, request: Request) -> str:
        wanted: str = request.path_params["component"]
        if wanted not in self._service.components:
            raise errors.UnknownRoute(nearest_component(self._service, wanted))
        return wanted


def _entity(request: Request) -> str:
    """The entity id, from the path as it came: in a decoded one, `%2F` would be a slash."""
    segments = decoded_segments(raw_path_of(request.scope))
    if len(segments) != 4:
        raise errors.UnknownRoute("write the slashes of an entity id as %2F")
    return checked_entity_id(segments[3])


def _guarded(answer: Answer, local: bool) -> Answer:
    """The answer, or a problem document for what it raises."""

    async def guarded(request: Request) -> Response:
        request_id = Head(request.scope["headers"]).request_id()
        try:
            if local:
                _refuse_foreign(request)
            response = await answer(request)
        except errors.ActorkalixError as error:
            response = _problem(request, failure_of(error), request_id)
        except Exception:
            log.exception("the admin port failed, correlation id %s", request_id)
            response = _problem(request, BUG, request_id)
        response.headers["x-request-id"] = request_id
        return response

    return guarded


def _refuse_foreign(request: Request) -> None:
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    for name, url in (("Host", f"//{host}"), ("Origin", origin)):
        if url is not None and not _is_local(url):
            refused = errors.InvalidPayload(
                f"this port answers to names of this machine alone, not to the {name} {url[:100]!r}"
            )
            refused.http_status = 421 if name == "Host" else 403
            raise refused


def _is_local(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


async def _refused(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths, other verbs."""
    assert isinstance(error, HTTPException)
    request_id = Head(request.scope["headers"]).request_id()
    allow = dict(error.headers or {})
    known: errors.ActorkalixError = errors.UnknownRoute("the admin port has no such path")
    if error.status_code == 405:
        takes = allow.get("Allow", "another method")
        known = errors.MethodNotAllowed(f"this path takes {takes}, not {request.method}")
    response = _problem(request, failure_of(known), request_id)
    response.headers.update(allow)
    response.headers["x-request-id"] = request_id
    return response


def _problem(request: Request, failure: Failure, request_id: str) -> Response:
    path = raw_path_of(request.scope).decode("latin-1")
    response = Response(
        problem_of(failure, path, request_id),
        status_of(failure),
        media_type=PROBLEM_JSON.decode(),
    )
    if retry_after := retry_after_s(failure):
        response.headers["retry-after"] = str(retry_after)
    return response
