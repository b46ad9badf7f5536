"""`actorkalix components`: what a service consists of, read from its code. Nothing is started."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    HandlerDescriptor,
    Place,
    ServiceDescriptor,
    StoredType,
)
from actorkalix.describe.shapes import name_of
from actorkalix.gateway.routes import RouteTable
from actorkalix.model.hosting import Dedicated
from actorkalix.runtime.loading import load, resolve

if TYPE_CHECKING:
    from rich.console import RenderableType


class ParameterInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter; `default` as it is written in Python, absent where there is none."""

    name: str
    type: str
    required: bool
    default: str = ""


class RouteInfo(msgspec.Struct, frozen=True):
    """A route; `custom` where the user wrote it."""

    verb: str
    path: str
    custom: bool


class HandlerInfo(msgspec.Struct, frozen=True):
    """A handler; `whole_body` where its one parameter is the JSON body itself."""

    name: str
    kind: str
    parameters: list[ParameterInfo]
    whole_body: bool
    reply: str
    routes: list[RouteInfo]
    place: str


class StoredInfo(msgspec.Struct, frozen=True):
    """A stored type; `migrates_from` are the older versions that it still reads."""

    tag: str
    version: int
    type: str
    role: str
    migrates_from: list[int]


class HostingInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What each live instance has for itself; `runtime_env` as it is given to Ray."""

    num_cpus: float
    idle_stop_s: float
    num_gpus: float = 0
    memory: int = 0
    runtime_env: dict[str, Any] = {}


class ComponentInfo(msgspec.Struct, frozen=True):
    """A component of a service; `dedicated` where its instances run in processes of their own."""

    id: str
    kind: str
    type: str
    place: str
    handlers: list[HandlerInfo]
    stored: list[StoredInfo]
    snapshot_every: int
    dedicated: HostingInfo | None = None


class ServiceInfo(msgspec.Struct, frozen=True):
    """What `--json` prints."""

    service: str
    components: list[ComponentInfo]


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Print the service's components."""
    loaded = load(resolve(arguments.service, arguments.app_dir))
    service = info_of(loaded.service.descriptor)
    if output.as_json:
        output.document(service)
        return Exit.OK
    output.show(*_shown(service))
    return Exit.OK


def info_of(service: ServiceDescriptor) -> ServiceInfo:
    """The service as plain values, components in the order of their ids."""
    routes: dict[tuple[str, str], list[RouteInfo]] = {}
    for route in RouteTable(service).routes:
        custom = any((r.verb, r.path) == (route.verb, route.path) for r in route.handler.routes)
        info = RouteInfo(route.verb, route.path, custom)
        routes.setdefault((route.component, route.handler.name), []).append(info)
    return ServiceInfo(
        service.name,
        [_component(found, routes) for _, found in sorted(service.components.items())],
    )


def _component(
    component: ComponentDescriptor, routes: dict[tuple[str, str], list[RouteInfo]]
) -> ComponentInfo:
    stored = [_stored(event, "event") for event in component.events]
    if component.state is not None:
        stored.append(_stored(component.state, "state"))
    return ComponentInfo(
        component.component_id,
        component.kind,
        component.cls.__qualname__,
        _place(component.place),
        [
            _handler(handler, routes.get((component.component_id, handler.name), []))
            for handler in component.handlers.values()
        ],
        stored,
        component.snapshot_every if component.kind == "event_sourced" else 0,
        _hosting(component.options.get("hosting")),
    )


def _hosting(hosting: object) -> HostingInfo | None:
    if not isinstance(hosting, Dedicated):
        return None
    return HostingInfo(
        hosting.num_cpus,
        hosting.idle_stop.total_seconds(),
        hosting.num_gpus,
        hosting.memory or 0,
        dict(hosting.runtime_env or {}),
    )


def _handler(handler: HandlerDescriptor, routes: list[RouteInfo]) -> HandlerInfo:
    parameters = [
        ParameterInfo(p.name, name_of(p.type), p.required, "" if p.required else repr(p.default))
        for p in handler.parameters
    ]
    return HandlerInfo(
        handler.name,
        handler.kind,
        parameters,
        handler.whole_body,
        name_of(handler.reply),
        sorted(routes, key=lambda route: (not route.custom, route.path, route.verb)),
        _place(handler.place),
    )


def _stored(stored: StoredType, role: str) -> StoredInfo:
    return StoredInfo(
        stored.tag, stored.version, name_of(stored.type), role, sorted(stored.migrations)
    )


def _place(place: Place) -> str:
    file = Path(place.file)
    here = Path.cwd()
    shown = file.relative_to(here) if file.is_relative_to(here) else file
    return f"{shown}:{place.line}"


# ---- for a person ----------------------------------------------------------------------
def _shown(service: ServiceInfo) -> Iterable[RenderableType]:
    from rich.text import Text

    yield Text.assemble("service ", (service.service, "bold"))
    for component in service.components:
        every = component.snapshot_every
        facts = [component.kind.replace("_", " "), component.type, component.place]
        facts += [f"snapshot every {every}"] if every else []
        facts += [_needs(component.dedicated)] if component.dedicated is not None else []
        yield Text.assemble("\n", (component.id, "bold"), "  ", (" · ".join(facts), "dim"))
        yield _handlers(component)


def _needs(dedicated: HostingInfo) -> str:
    needs = [f"{dedicated.num_cpus:g} CPU"]
    needs += [f"{dedicated.num_gpus:g} GPU"] if dedicated.num_gpus else []
    needs += [f"{dedicated.memory:,} bytes"] if dedicated.memory else []
    return f"a process an instance ({', '.join(needs)})"


def _handlers(component: ComponentInfo) -> RenderableType:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for handler in component.handlers:
        table.add_row(f"  {handler.kind}", _signature(handler), route_lines(handler.routes))
    for role in ("event", "state"):
        stored = [_versions(found) for found in component.stored if found.role == role]
        if stored:
            table.add_row("  stored", f"as {role}", ", ".join(stored))
    return table


def _signature(handler: HandlerInfo) -> str:
    parameters = ", ".join(
        f"{p.name}: {p.type}" + ("" if p.required else f" = {p.default}")
        for p in handler.parameters
    )
    return f"{handler.name}({parameters}) -> {handler.reply}"


def route_lines(routes: list[RouteInfo]) -> str:
    """A line a path, with the verbs that it has."""
    verbs: dict[str, list[str]] = {}
    for route in routes:
        verbs.setdefault(route.path, []).append(route.verb)
    return "\n".join(f"{' '.join(names)} {path}" for path, names in verbs.items())


def _versions(stored: StoredInfo) -> str:
    older = f" (reads {', '.join(map(str, stored.migrates_from))})" if stored.migrates_from else ""
    return f"{stored.tag} v{stored.version}{older}"
