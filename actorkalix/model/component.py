"""The root of all components: what a handler sees while it runs, and who hears of each class."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar

import msgspec

from actorkalix.model.metadata import NO_METADATA, Metadata

if TYPE_CHECKING:
    # Checkers refuse to construct a class that lacks a hook only below ABC. At run time there is no
    # metaclass, so that users may mix in what they like; the DefinitionError names what is missing.
    from abc import ABC
else:
    ABC = object

P = ParamSpec("P")
R = TypeVar("R")
C_co = TypeVar("C_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)


class Hook(Generic[P, R]):
    """A place where a floor above hangs in one function; until it does, nothing happens."""

    def __init__(self) -> None:
        self._fn: Callable[P, R] | None = None

    def register(self, fn: Callable[P, R], /) -> None:
        """Hang the function in."""
        self._fn = fn

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Call it, if it is there."""
        return None if self._fn is None else self._fn(*args, **kwargs)


on_definition: Hook[[type[Any], Mapping[str, Any], Mapping[str, Any]], object] = Hook()
"""Called with each component class, its options, and the local names around the class statement."""


_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Context(msgspec.Struct, frozen=True):
    """What a handler knows of its call.

    Attributes:
        name: of the command, query or handler.
        metadata: what the caller sent along; in `apply_event` what is stored with the event.
        sequence_number: events (or changes) so far; in `apply_event` the event's own, from 1
            without gaps (ES-32).
        subject: id of the entity that a change is about.
        deleted: the entity was deleted and waits for its cleanup.
        principal: who calls, "" when nobody said.
        claims: of the caller's JWT.
        delivery_id: of a change that a subscription handler takes, the same whenever it is
            delivered again: hand it on as a key to whatever is not ours; "" elsewhere.
        batch: of a handler that takes a list of changes: the context of each; else empty.
        time: of a change that a view's handler takes: when it was stored; 1970 elsewhere.
        attempt: of a step, from 1; 0 elsewhere.
    """

    name: str = ""
    metadata: Metadata = NO_METADATA
    sequence_number: int = 0
    subject: str = ""
    deleted: bool = False
    principal: str = ""
    claims: Mapping[str, Any] = {}
    delivery_id: str = ""
    batch: tuple[Context, ...] = ()
    time: datetime = _NO_TIME
    attempt: int = 0


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()


class Noted:
    """What a workflow's handler says while it runs, beside the effect that it returns.

    Attributes:
        undo: calls that undo what it does, in order.
        promises: names of those that it has made.
    """

    __slots__ = ("promises", "undo")

    def __init__(self) -> None:
        self.undo: list[Any] = []
        self.promises: list[str] = []


class Live(msgspec.Struct, eq=False):
    """What a component sees while one of its handlers runs; what is MISSING raises.

    One is made for each handler and each event: a struct costs a quarter of a class.
    """

    state: Any = MISSING
    entity_id: Any = MISSING
    context: Any = MISSING
    client: Any = MISSING
    timers: Any = MISSING
    resources: Any = MISSING
    parallel: Any = MISSING
    _noted: Noted | None = None

    @property
    def noted(self) -> Noted:
        """What is noted; made when it is first asked for, for only workflows do."""
        if self._noted is None:
            self._noted = Noted()
        return self._noted


class Component(ABC):
    """Root of all components. Subclass one of its kinds: `EventSourcedEntity`, `ValueEntity` …"""

    _live: Live | None = None
    _asked_by: ClassVar[str] = (
        "client.entity({}, entity_id)"  # how a client names an instance of it
    )

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()
        on_definition(cls, options, _names_around(sys._getframe(1)))

    @property
    def context(self) -> Context:
        """What the handler knows of its call.

        Raises:
            RuntimeError: no handler runs.
        """
        context: Context = self._seen("context")
        return context

    def _seen(self, name: str) -> Any:
        live = self._live
        value = MISSING if live is None else getattr(live, name)
        if value is MISSING:
            raise self._unseen(name)
        return value

    def _during(self, name: str, value: R) -> R:
        """The value of a property that exists wherever a context does."""
        if self._live is None or self._live.context is MISSING:
            raise self._unseen(name)
        return value

    def _unseen(self, name: str) -> RuntimeError:
        outside = self._live is None
        why = "exists only while a handler runs" if outside else "does not exist in this method"
        return RuntimeError(f"{type(self).__name__}.{name} {why}")


class ComponentClass(Protocol[C_co, S_co, E_co]):
    """A class object of an entity or workflow: says its type, its state's and its events'."""

    def _types(self) -> tuple[C_co, S_co, E_co]: ...


def _names_around(frame: FrameType | None) -> Mapping[str, Any]:
    """Local names that annotations may use when a class is made inside a function or class."""
    while frame is not None and frame.f_code.co_name in ("__init_subclass__", "__new__"):
        frame = frame.f_back  # of the user's own base classes and metaclasses
    names: dict[str, Any] = {}
    while frame is not None and frame.f_locals is not frame.f_globals:
        names = {**frame.f_locals, **names}
        in_function = frame.f_code.co_flags & inspect.CO_OPTIMIZED
        if in_function and not frame.f_code.co_name.startswith("<generic parameters"):
            break
        frame = frame.f_back
    return names
