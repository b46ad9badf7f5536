"""Routes. A route alone makes a handler (of an action); under or over a mark it only adds the path.

Segments of a path in braces are parameters: `{entity_id}` is the entity's id, others are for the
handler.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from actorkalix.model.effects import Effect
from actorkalix.model.handlers import Method, RouteMark, StreamMethod, marked

if TYPE_CHECKING:
    from actorkalix.model.component import Component

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound="Method[Any, ..., Any, Any] | StreamMethod[Any, ..., Any]")
C = TypeVar("C", bound="Component")


class Route:
    """A verb and a path; marks methods."""

    def __init__(self, mark: RouteMark) -> None:
        self._mark = mark

    @overload
    def __call__(self, fn: M, /) -> M: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, fn: Callable[Concatenate[C, P], AsyncIterator[R]], /
    ) -> StreamMethod[C, P, R]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[C, P], Coroutine[Any, Any, Effect[R]]], /
    ) -> Method[C, P, Coroutine[Any, Any, Effect[R]], R]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[C, P], Coroutine[Any, Any, R]], /
    ) -> Method[C, P, Coroutine[Any, Any, R], R]: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[C, P], R], /) -> Method[C, P, R, R]: ...
    def __call__(self, fn: Any, /) -> Any:
        """Mark the method."""
        method = marked(fn, "route")
        method.routes.append(self._mark)
        return method


def get(path: str, /) -> Route:
    """Answer `GET` of this path; parameters come from path and query string."""
    return Route(RouteMark("GET", path, *_place()))


def post(path: str, /) -> Route:
    """Answer `POST` of this path; parameters come from path and body."""
    return Route(RouteMark("POST", path, *_place()))


def put(path: str, /) -> Route:
    """Answer `PUT` of this path; parameters come from path and body."""
    return Route(RouteMark("PUT", path, *_place()))


def patch(path: str, /) -> Route:
    """Answer `PATCH` of this path; parameters come from path and body."""
    return Route(RouteMark("PATCH", path, *_place()))


def delete(path: str, /) -> Route:
    """Answer `DELETE` of this path; parameters come from path and body."""
    return Route(RouteMark("DELETE", path, *_place()))


def _place() -> tuple[str, int]:
    frame = sys._getframe(2)
    return frame.f_code.co_filename, frame.f_lineno
