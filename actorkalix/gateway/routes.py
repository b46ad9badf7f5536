"""Routes of a service: a trie over path segments, made once from the descriptors.

A segment is a literal or a parameter. At every node literals are tried before the parameter, and a
branch that ends nowhere, or without the verb, is left again, so that the most literal route that
has the verb answers. Every node is visited at most once a request: the work is bounded by the size
of the trie, whatever the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from urllib.parse import unquote_to_bytes

import msgspec

from actorkalix.describe.actions import timeout_of
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    HandlerDescriptor,
    Parameter,
    ServiceDescriptor,
)
from actorkalix.describe.routes import READS, RESOLVE, promise_path
from actorkalix.engine.requests import message_kind
from actorkalix.errors import InvalidPayload
from actorkalix_cluster.shardhost.messages import MessageKind

ENTITY_KINDS = frozenset(("event_sourced", "value", "replicated", "workflow"))
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
SUGGESTION_CHARS_MAX = 200


class Route(msgspec.Struct, frozen=True):
    """Where a request goes.

    Attributes:
        verb, path: as declared; parameters stand in braces.
        component: id of the component.
        handler: of the component.
        kind: what the message is to be.
        entity_at: which of the path's parameters is the entity id, -1 for none.
        parameters: (number of the path's parameter, parameter of the handler) for all others.
        is_action: it goes to an action, which ends when its caller goes away.
        timeout_ms: of the action's class, 0 for that of the service.
        body_parameter: the one parameter that the body is, "" when the body is an object of all or
            has none.
    """

    verb: str
    path: str
    component: str
    handler: HandlerDescriptor
    kind: MessageKind
    entity_at: int
    parameters: tuple[tuple[int, Parameter], ...]
    body_parameter: str
    is_action: bool = False
    timeout_ms: int = 0

    @property
    def streams(self) -> bool:
        """Its body or its answer is a stream."""
        return self.handler.streams or self.handler.elements is not None


class Found(msgspec.Struct, frozen=True):
    """A route, and the texts of its path's parameters in order."""

    route: Route
    values: list[str]


class WrongVerb(msgspec.Struct, frozen=True):
    """The path has routes, none for the verb; `allow` names the verbs it has."""

    allow: tuple[str, ...]


class NoRoute(msgspec.Struct, frozen=True):
    """No route has this path; `reason` says so and names the nearest."""

    reason: str


class _Node:
    __slots__ = ("literals", "parameter", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.routes: dict[str, Route] = {}


_PARTS = 4  # of the usual path, `/counter/c1/add`, cut at its slashes


class RouteTable:
    """All routes of a service."""

    def __init__(self, service: ServiceDescriptor) -> None:
        self._service = service
        self._root = _Node()
        self.routes = tuple(_routes_of(service))
        for route in self.routes:
            self._add(route)
        self._usual = {key: route for route in self.routes if (key := self._key(route)) is not None}

    def _key(self, route: Route) -> tuple[str, bytes, bytes] | None:
        """Of a route `/word/{parameter}/word` that none with more words can stand before."""
        parts = route.path.split("/")
        if len(parts) != _PARTS or not _is_parameter(parts[2]) or _is_parameter(parts[1]):
            return None
        if _is_parameter(parts[3]) or self._root.literals[parts[1]].literals:
            return None
        return route.verb, parts[1].encode(), parts[3].encode()

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.path.split("/")[1:]:
            if _is_parameter(segment):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        assert route.verb not in node.routes, f"two routes {route.verb} {route.path}"
        node.routes[route.verb] = route

    def match(self, verb: str, raw_path: bytes) -> Found | WrongVerb | NoRoute:
        """Finds the route of a request.

        Args:
            verb: of the request; HEAD is answered by the route for GET.
            raw_path: as it came, percent-encoded, without the query.

        Raises:
            InvalidPayload: a segment has a bad percent escape or is not UTF-8.
        """
        parts = raw_path.split(b"/")
        if len(parts) == _PARTS and b"%" not in raw_path and raw_path.isascii():
            usual = self._usual.get((verb, parts[1], parts[3]))
            if usual is not None:
                return Found(usual, [parts[2].decode()])
        segments = decoded_segments(raw_path)
        values: list[str] = []
        allowed: set[str] = set()
        wanted = "GET" if verb == "HEAD" else verb
        route = _find(self._root, segments, 0, wanted, values, allowed)
        if route is not None:
            return Found(route, values)
        if allowed:
            extra = {"OPTIONS", "HEAD"} if "GET" in allowed else {"OPTIONS"}
            return WrongVerb(tuple(sorted(allowed | extra)))
        return NoRoute(self._reason(segments))

    def _reason(self, segments: list[str]) -> str:
        component = self._service.components.get(segments[0])
        if component is None:
            path = "/" + "/".join(segments)
            near = _nearest(segments[0], list(self._service.components))
            near = near or _nearest(path, sorted({route.path for route in self.routes}))
            return f"no component or route is at {_short(path)!r}" + _did_you_mean(near)
        shape = default_path(component, "{handler}")
        names = sorted(dashed(name) for name in component.handlers)
        if len(segments) != shape.count("/"):
            return f"paths of the component {segments[0]!r} look like {shape}"
        last = segments[-1]
        return f"{segments[0]!r} has no handler {_short(last)!r}" + _did_you_mean(
            _nearest(last, names)
        )


def default_path(component: ComponentDescriptor, handler: str) -> str:
    """Path that a handler has without saying so."""
    entity = "/{entity_id}" if component.kind in ENTITY_KINDS else ""
    return f"/{component.component_id}{entity}/{handler}"


def dashed(name: str) -> str:
    """Name of a handler as paths have it."""
    return name.replace("_", "-")


def decoded_segments(raw_path: bytes) -> list[str]:
    """Segments of a path without its first slash; `%2F` stays inside its segment.

    Raises:
        InvalidPayload: a bad percent escape, or bytes that are not UTF-8.
    """
    parts = raw_path.removeprefix(b"/").split(b"/")
    if b"%" in raw_path:
        escape = BAD_ESCAPE.search(raw_path)
        if escape is not None:
            bad = raw_path[escape.start() : escape.start() + 3].decode("ascii", "replace")
            raise InvalidPayload(f"the path has {bad!r}, which is not a percent escape")
        parts = [unquote_to_bytes(part) for part in parts]
    try:
        return [part.decode() for part in parts]
    except UnicodeDecodeError:
        raise InvalidPayload("the path is not UTF-8") from None


def nearest_component(service: ServiceDescriptor, wanted: str) -> str:
    """What to say of a component id that the service has not."""
    near = _nearest(wanted, list(service.components))
    return f"no component {_short(wanted)!r}" + _did_you_mean(near)


def _find(
    node: _Node, segments: list[str], at: int, verb: str, values: list[str], allowed: set[str]
) -> Route | None:
    if at == len(segments):
        route = node.routes.get(verb)
        if route is None:
            allowed.update(node.routes)
        return route
    literal = node.literals.get(segments[at])
    if literal is not None:
        route = _find(literal, segments, at + 1, verb, values, allowed)
        if route is not None:
            return route
    if node.parameter is not None:
        values.append(segments[at])
        route = _find(node.parameter, segments, at + 1, verb, values, allowed)
        if route is not None:
            return route
        values.pop()
    return None


def _routes_of(service: ServiceDescriptor) -> Iterator[Route]:
    for component in service.components.values():
        for handler in component.handlers.values():
            if handler.kind == "step":
                continue
            path = default_path(component, dashed(handler.name))
            reads = handler.kind in READS
            for verb in ("GET", "POST") if reads else ("POST",):
                yield _route(component, handler, verb, path)
            for custom in handler.routes:
                yield _route(component, handler, custom.verb, custom.path)
            if component.kind == "workflow" and handler.name == RESOLVE:
                path = promise_path(component.component_id)
                promise = _route(component, handler, "POST", path)
                yield msgspec.structs.replace(promise, body_parameter="value")


def _route(
    component: ComponentDescriptor, handler: HandlerDescriptor, verb: str, path: str
) -> Route:
    names = [segment[1:-1] for segment in path.split("/") if _is_parameter(segment)]
    is_entity = component.kind in ENTITY_KINDS
    assert not is_entity or "entity_id" in names, f"{path} of an entity names no entity"
    entity_at = names.index("entity_id") if is_entity else -1
    known = {parameter.name: parameter for parameter in handler.parameters}
    inside = tuple((at, known[name]) for at, name in enumerate(names) if at != entity_at)
    rest = [parameter for parameter in handler.parameters if parameter.name not in names]
    alone = bool(inside) and len(rest) == 1 and rest[0].structured
    return Route(
        verb=verb,
        path=path,
        component=component.component_id,
        handler=handler,
        kind=message_kind(component, handler),
        entity_at=entity_at,
        parameters=inside,
        body_parameter=rest[0].name if alone else "",
        is_action=component.kind == "action",
        timeout_ms=timeout_of(component.options, timedelta(0)) // timedelta(milliseconds=1),
    )


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def _nearest(word: str, words: list[str]) -> str:
    found = get_close_matches(word[:SUGGESTION_CHARS_MAX], words, 1)
    return found[0] if found else ""


def _did_you_mean(near: str) -> str:
    return f"; did you mean {near!r}?" if near else ""


def _short(text: str) -> str:
    return text if len(text) <= SUGGESTION_CHARS_MAX else text[:SUGGESTION_CHARS_MAX] + "…"
