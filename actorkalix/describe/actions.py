"""What can be wrong about an action as a whole: its options beside its handlers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from actorkalix.describe.descriptors import HandlerDescriptor
from actorkalix.describe.handlers import Scope
from actorkalix.describe.marked import marked_methods
from actorkalix.describe.needs import resource_problems
from actorkalix.describe.shapes import is_flat, name_of

_OF_TASKS = ("num_cpus", "num_gpus", "memory", "runtime_env", "max_retries")
"""Options that say how Ray runs a task; they say nothing of a host's loop."""


def check_action(
    scope: Scope, options: Mapping[str, Any], handlers: Mapping[str, HandlerDescriptor]
) -> None:
    """Check options and handlers of an action; what is wrong goes to `scope.problems`."""
    for problem in _options(options):
        scope.problems.add(scope.place, problem)
    kinds = ("subscribe", "on_snapshot")
    taking = {one.name for one in marked_methods(scope.cls) if one.mark.kind in kinds}
    for one in marked_methods(scope.cls):
        if one.mark.kind == "publish" and one.name not in (*handlers, *taking):
            scope.problems.add(
                one.place,
                f"{one.name} publishes and nobody calls it; "
                "mark it with @handler, @http.post(...) or @subscribe too",
            )
    if not handlers and not taking:
        scope.problems.add(
            scope.place, "has no handler; mark one with @handler, @http.post(...) or @subscribe"
        )
    inline = options.get("runs", "task") == "inline"
    for handler in handlers.values():
        if inline and handler.blocking:
            scope.problems.add(
                handler.place,
                f"{handler.name} is a plain def and would hold up its host's event loop; "
                'write async def, or leave runs="inline" out',
            )
        if handler.elements is not None:
            _check_streamed(scope, handler, inline)


def _check_streamed(scope: Scope, handler: HandlerDescriptor, inline: bool) -> None:
    assert handler.elements is not None, "it takes a stream"
    name, streamed = handler.name, handler.elements.name
    if not inline:
        scope.problems.add(
            handler.place,
            f"{name} takes a stream ({streamed}), which reaches no task; "
            'write runs="inline" behind the id',
        )
    for one in handler.parameters:
        if not is_flat(one.type):
            scope.problems.add(
                handler.place,
                f"{name} takes a stream ({streamed}) as its body, so {one.name} comes with the "
                f"query string, where a {name_of(one.type)} does not fit",
            )
    for route in handler.routes:
        if route.verb == "GET":
            scope.problems.add(
                route.place,
                f'@http.get("{route.path}"): {streamed} is a stream, and a GET has no body; '
                "use @http.post",
            )


def _options(options: Mapping[str, Any]) -> Iterator[str]:
    yield from resource_problems(options)
    retries = options.get("max_retries", 0)
    if type(retries) is not int or retries < 0:
        yield f"max_retries is a number from 0 up, got {retries!r}"
    if options.get("runs", "task") == "inline":
        for name in _OF_TASKS:
            if name in options:
                yield f'{name}= is about tasks; with runs="inline" leave it out'


def timeout_of(options: Mapping[str, Any], default: timedelta) -> timedelta:
    """How long a handler of an action may take."""
    timeout: timedelta | None = options.get("timeout")
    return default if timeout is None else timeout
