"""Handlers: marks that turn methods into descriptors with two faces.

On an instance (`self.add_item`) a handler is the function that the user wrote. On the class, or on
what `client.entity(ShoppingCart, id)` returns (typed as the class), it is a `HandlerRef`: called,
it builds a `Call`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    NoReturn,
    ParamSpec,
    TypeAlias,
    TypeVar,
    cast,
    overload,
)

import msgspec

from actorkalix.errors import DefinitionError
from actorkalix.model.calls import Call, Stream
from actorkalix.model.effects import Effect

if TYPE_CHECKING:
    from actorkalix.model.actions import Action
    from actorkalix.model.component import Component

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound="Component")
A = TypeVar("A", bound="Action")
R_co = TypeVar("R_co", covariant=True)
Raw_co = TypeVar("Raw_co", covariant=True)
C_co = TypeVar("C_co", covariant=True)
C_contra = TypeVar("C_contra", contravariant=True)

Mark = Literal["command", "query", "handler", "sql", "notifications", "route"]
UNBOUND: tuple[type, ...] = (staticmethod, type)
_STREAMS = re.compile(r"\bAsync(Iterator|Iterable|Generator)\b")


class RouteMark(msgspec.Struct, frozen=True):
    """A route as the user wrote it, and where."""

    verb: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    file: str
    line: int


class _Marked:
    """What a mark knows of a method.

    Attributes:
        fn: the function that the user wrote.
        name: of the method.
        marks: all marks, in the order in which they were applied (the lowest first).
        routes: of `@http`, in the same order.
        sql: text of `@sql`.
        stream_updates: of `@sql`.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        self.name: str = getattr(fn, "__name__", "")
        self.marks: list[Mark] = []
        self.routes: list[RouteMark] = []
        self.sql: str | None = None
        self.stream_updates = False
        self.__doc__ = fn.__doc__
        self.__wrapped__ = fn

    @property
    def kind(self) -> Mark:
        """What the mark says; "route" when there are only routes."""
        marks: list[Mark] = [mark for mark in self.marks if mark != "route"]
        return marks[-1] if marks else "route"

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name


class _Ref:
    """A handler as the class shows it."""

    __slots__ = ("fn", "name", "owner")

    def __init__(self, name: str, owner: type[Any], fn: Callable[..., Any]) -> None:
        self.name = name
        self.owner = owner
        self.fn = fn

    def _refuse(self) -> NoReturn:
        given = ", ".join(list(inspect.signature(self.fn).parameters)[1:])
        asked = getattr(self.owner, "_asked_by", "client.entity({}, entity_id)").format(
            self.owner.__name__
        )
        raise TypeError(
            f"{self.owner.__name__}.{self.name}(...) does not say whom to ask and by which client: "
            f"write {asked}.{self.name}({given})"
        )

    def __repr__(self) -> str:
        return f"<handler {self.owner.__name__}.{self.name}>"


class HandlerRef(_Ref, Generic[C_contra, P, R_co]):
    """A reference to a handler, `ShoppingCart.add_item`: kits take it, a client's is called."""

    __slots__ = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Call[R_co]:
        """Build a call; on the bare class it raises and says what to write.

        Raises:
            TypeError: there is no client and no instance.
        """
        self._refuse()


class StreamRef(_Ref, Generic[C_contra, P, R_co]):
    """The same for a handler that streams."""

    __slots__ = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Stream[R_co]:
        """Build a stream; on the bare class it raises and says what to write.

        Raises:
            TypeError: there is no client.
        """
        self._refuse()


class Method(_Marked, Generic[C_co, P, Raw_co, R_co]):
    """A handler as the class holds it: `Raw_co` is what it returns, `R_co` what callers get."""

    @overload
    def __get__(self, obj: None, owner: type[Any], /) -> HandlerRef[C_co, P, R_co]: ...
    @overload
    def __get__(self, obj: object, owner: type[Any] | None = None, /) -> Callable[P, Raw_co]: ...
    def __get__(self, obj: object, owner: type[Any] | None = None, /) -> Any:
        """The user's function on an instance, a reference on the class."""
        if obj is not None:
            return self.fn.__get__(obj, owner)
        made: HandlerRef[Any, ..., Any] = HandlerRef(self.name, owner or object, self.fn)
        return made


class StreamMethod(_Marked, Generic[C_co, P, R_co]):
    """A streaming handler as the class holds it."""

    @overload
    def __get__(self, obj: None, owner: type[Any], /) -> StreamRef[C_co, P, R_co]: ...
    @overload
    def __get__(
        self, obj: object, owner: type[Any] | None = None, /
    ) -> Callable[P, AsyncIterator[R_co]]: ...
    def __get__(self, obj: object, owner: type[Any] | None = None, /) -> Any:
        """The user's function on an instance, a reference on the class."""
        if obj is not None:
            return self.fn.__get__(obj, owner)
        made: StreamRef[Any, ..., Any] = StreamRef(self.name, owner or object, self.fn)
        return made


AnyMethod: TypeAlias = Method[Any, ..., Any, Any] | StreamMethod[Any, ..., Any]


def marked(fn: Any, mark: Mark, *, streams: bool = False) -> Any:
    """The method with one mark more; marks may come in any order.

    Args:
        fn: a function, or what another mark has made of one.
        mark: what is said of it.
        streams: it streams whatever its return type says.

    Raises:
        DefinitionError: it is no method.
    """
    made = method_of(fn, mark, streams)
    made.marks.append(mark)
    return made


def method_of(fn: object, mark: Mark, streams: bool) -> AnyMethod:
    """What another mark has made of the function, or a new one."""
    if isinstance(fn, (Method, StreamMethod)):
        return cast("AnyMethod", fn)
    if not callable(fn) or isinstance(fn, UNBOUND):
        raise DefinitionError(f"@{mark} marks a plain method, not a {type(fn).__name__}: {fn!r}")
    if streams or _streams(fn, mark):
        stream: StreamMethod[Any, ..., Any] = StreamMethod(fn)
        return stream
    method: Method[Any, ..., Any, Any] = Method(fn)
    return method


def handler_of(component: type[Any], name: str) -> AnyMethod | None:
    """The handler of this name, own or inherited, unless a subclass put something else there."""
    for base in component.__mro__:
        if name in vars(base):
            found = vars(base)[name]
            return cast("AnyMethod", found) if isinstance(found, (Method, StreamMethod)) else None
    return None


def handlers_of(
    component: type[Any],
) -> dict[str, AnyMethod]:
    """All handlers by name, own and inherited, in the order of writing, bases first."""
    names = {name: None for base in reversed(component.__mro__) for name in vars(base)}
    found = {name: handler_of(component, name) for name in names}
    return {name: handler for name, handler in found.items() if handler is not None}


def _streams(fn: Callable[..., Any], mark: Mark) -> bool:
    if mark in ("command", "query"):
        return False
    if inspect.isasyncgenfunction(fn):
        return True
    try:
        returns = getattr(fn, "__annotations__", {}).get("return", "")
    except NameError:  # evaluated late (Python 3.14) and not defined yet
        return False
    return _STREAMS.search(str(returns)) is not None


class HandlersArePlainFunctions:
    """What a checker makes of `@query async def`: nothing that can be called."""


@overload
def command(fn: Method[C, P, Effect[R], Any], /) -> Method[C, P, Effect[R], R]: ...
@overload
def command(fn: Callable[Concatenate[C, P], Effect[R]], /) -> Method[C, P, Effect[R], R]: ...
def command(fn: Any, /) -> Any:
    """Mark a handler of an entity or workflow that may change it: it returns an `Effect`."""
    return marked(fn, "command")


@overload
def handler(  # type: ignore[overload-overlap]
    fn: Callable[Concatenate[A, P], AsyncIterator[R]], /
) -> StreamMethod[A, P, R]: ...
@overload
def handler(
    fn: Callable[Concatenate[A, P], Coroutine[Any, Any, Effect[R]]], /
) -> Method[A, P, Coroutine[Any, Any, Effect[R]], R]: ...
@overload
def handler(
    fn: Callable[Concatenate[A, P], Coroutine[Any, Any, R]], /
) -> Method[A, P, Coroutine[Any, Any, R], R]: ...
@overload
def handler(fn: Callable[Concatenate[A, P], R], /) -> Method[A, P, R, R]: ...
def handler(fn: Callable[..., Any], /) -> Any:
    """Mark a handler of an action that has no route of its own (a route marks it too)."""
    return marked(fn, "handler")


@overload
def query(
    fn: Callable[Concatenate[C, P], Effect[R]] | Method[C, P, Effect[R], Any], /
) -> Method[C, P, Effect[R], R]: ...
@overload
def query(  # type: ignore[overload-overlap]
    fn: Callable[Concatenate[C, P], Coroutine[Any, Any, Any]]
    | Method[C, P, Coroutine[Any, Any, Any], Any],
    /,
) -> HandlersArePlainFunctions: ...
@overload
def query(fn: Callable[Concatenate[C, P], R] | Method[C, P, R, Any], /) -> Method[C, P, R, R]: ...
def query(fn: Any, /) -> Any:
    """Mark a handler that only reads: it returns its value, or an effect that changes nothing."""
    return marked(fn, "query")
