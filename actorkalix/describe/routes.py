"""Routes: what a path may look like, which handler it leads to, and which two are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    ComponentKind,
    HandlerDescriptor,
    HandlerKind,
    Place,
    RouteDescriptor,
    Verb,
)
from actorkalix.describe.problems import Problems
from actorkalix.describe.shapes import is_flat, is_scalar, name_of

WITH_INSTANCES: frozenset[ComponentKind] = frozenset(
    ("event_sourced", "value", "replicated", "workflow")
)
"""Kinds whose instances have an id, which custom routes name as `{entity_id}`."""

RESOLVE = "resolve"
"""Command that every workflow has for its promises; it has a route of its own besides."""

READS: frozenset[HandlerKind] = frozenset(("query", "sql", "notifications"))
"""Kinds of handlers that change nothing: a GET asks them too."""

RESERVED = {"/openapi.json", "/docs"}
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LITERAL = re.compile(r"[^{}?#\s\x00-\x1f\x7f]+")


def parameters_of(path: str) -> list[str]:
    """Names of the parameters in a path, in order."""
    return _PARAMETER.findall(path)


def pattern_of(path: str) -> str:
    """A path without the names of its parameters: one verb and one pattern are one route."""
    return _PARAMETER.sub("{}", path)


def default_routes(
    component_id: str, kind: ComponentKind, handler: HandlerDescriptor
) -> list[tuple[Verb, str]]:
    """Routes that a handler has without being asked: POST, for queries GET too."""
    if handler.kind == "step":
        return []
    instance = "/{entity_id}" if kind in WITH_INSTANCES else ""
    path = f"/{component_id}{instance}/{handler.name.replace('_', '-')}"
    verbs: list[Verb] = ["GET", "POST"] if handler.kind in READS else ["POST"]
    routes: list[tuple[Verb, str]] = [(verb, path) for verb in verbs]
    if kind == "workflow" and handler.name == RESOLVE:
        routes.append(("POST", promise_path(component_id)))
    return routes


def promise_path(component_id: str) -> str:
    """Where a promise of a workflow is resolved: the body is its value."""
    return f"/{component_id}/{{entity_id}}/promises/{{name}}"


def routes_of(
    descriptor: ComponentDescriptor,
) -> Iterator[tuple[HandlerDescriptor, RouteDescriptor, bool]]:
    """All routes of a component, default routes (marked True) first."""
    for handler in descriptor.handlers.values():
        for verb, path in default_routes(descriptor.component_id, descriptor.kind, handler):
            yield handler, RouteDescriptor(verb, path, handler.place), True
    for handler in descriptor.handlers.values():
        for route in handler.routes:
            yield handler, route, False


def check_routes(handler: HandlerDescriptor, kind: ComponentKind, problems: Problems) -> None:
    """Check the custom routes of one handler by themselves."""
    for route in handler.routes:
        said = f'@http.{route.verb.lower()}("{route.path}")'
        for text in _path_problems(route.path):
            problems.add(route.place, f"{said}: {text}")
        names = parameters_of(route.path)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            problems.add(
                route.place,
                f"{said} names {{{twice[0]}}} twice; give each parameter a name of its own",
            )
        if kind in WITH_INSTANCES and "entity_id" not in names:
            problems.add(
                route.place, f"{said} does not say which entity: put {{entity_id}} into the path"
            )
        _check_parameters(handler, kind, route, said, problems)


def _path_problems(path: str) -> Iterator[str]:
    if not path.startswith("/"):
        yield f'a path begins with "/": write "/{path}"'
        return
    if path in RESERVED:
        yield "the service itself answers there; take another path"
    for segment in path[1:].split("/"):
        if not segment and path != "/":
            yield 'an empty segment; write the path without "//" and without "/" at its end'
        elif segment and not _PARAMETER.fullmatch(segment) and not _LITERAL.fullmatch(segment):
            yield f"segment {segment!r} is neither text nor one {{parameter}}"


def _check_parameters(
    handler: HandlerDescriptor,
    kind: ComponentKind,
    route: RouteDescriptor,
    said: str,
    problems: Problems,
) -> None:
    in_path = [
        name
        for name in parameters_of(route.path)
        if kind not in WITH_INSTANCES or name != "entity_id"
    ]
    by_name = {parameter.name: parameter for parameter in handler.parameters}
    for name in in_path:
        if name not in by_name:
            problems.add(
                route.place,
                f"{said}: {handler.name} has no parameter {name!r}; "
                "add it to the method or take it out of the path",
            )
        elif not is_scalar(by_name[name].type):
            shown = name_of(by_name[name].type)
            problems.add(
                route.place, f"{said}: {name} is a {shown} and fits no path; only scalars do"
            )
    if route.verb != "GET":
        return
    for parameter in handler.parameters:
        if parameter.name not in in_path and not is_flat(parameter.type):
            shown = name_of(parameter.type)
            problems.add(
                route.place,
                f"{said}: {parameter.name} is a {shown}, and a GET has no body; use @http.post, "
                "or take scalars",
            )


def check_clashes(descriptors: list[ComponentDescriptor], problems: Problems) -> None:
    """Find routes that two handlers share, default routes included."""
    taken: dict[tuple[Verb, str], tuple[str, Place]] = {}
    for descriptor in descriptors:
        for handler, route, default in routes_of(descriptor):
            name = f"{descriptor.cls.__name__}.{handler.name}"
            key = route.verb, pattern_of(route.path)
            if key not in taken:
                taken[key] = name, route.place
                continue
            other, place = taken[key]
            what = "its default route " if default else ""
            first = "twice" if other == name else f"{other} at {place.file}:{place.line} has"
            said = f"{what}{route.verb} {route.path}"
            problems.add(
                route.place,
                f"{name}: {said} is taken; {first} the same route; give one another path",
            )
