"""SQL queries of views."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from actorkalix.model.handlers import Method, StreamMethod, marked

if TYPE_CHECKING:
    from actorkalix.model.views import View

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V", bound="View")


class Sql:
    """`@sql("SELECT ...")`."""

    def __init__(self, text: str) -> None:
        self._text = text

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, fn: Callable[Concatenate[V, P], AsyncIterator[R]] | StreamMethod[V, P, R], /
    ) -> StreamMethod[V, P, R]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[V, P], R] | Method[V, P, R, Any], /
    ) -> Method[V, P, R, R]: ...
    def __call__(self, fn: Any, /) -> Any:
        """Mark the method."""
        method = marked(fn, "sql")
        method.sql = self._text
        return method


class StreamSql:
    """`@sql("SELECT ...", stream_updates=True)`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(
        self, fn: Callable[Concatenate[V, P], AsyncIterator[R]] | StreamMethod[V, P, R], /
    ) -> StreamMethod[V, P, R]:
        """Mark the method."""
        method: StreamMethod[V, P, R] = marked(fn, "sql", streams=True)
        method.sql = self._text
        method.stream_updates = True
        return method


@overload
def sql(text: str, /) -> Sql: ...
@overload
def sql(text: str, /, *, stream_updates: Literal[True]) -> StreamSql: ...
def sql(text: str, /, *, stream_updates: bool = False) -> Any:
    """Answer this method by a query over the view's tables; its body never runs (VW-07).

    The return type says what comes back: `Row` is the first row (none is `not_found`), `Row | None`
    too, `list[Row]` all (1,000 at most without a LIMIT), `AsyncIterator[Row]` one by one; fields of
    another class take the columns of their names.

    Args:
        text: the query; the method's parameters are `:name` in it.
        stream_updates: first the present rows, then every row that changes, without end.
    """
    return StreamSql(text) if stream_updates else Sql(text)
