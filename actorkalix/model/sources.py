"""Where changes come from and go to: component classes, topics, streams of other services.

These are marks only; `describe` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, overload

import msgspec

if TYPE_CHECKING:
    from actorkalix.crdt import Crdt
    from actorkalix.model.actions import Action
    from actorkalix.model.entities import EventSourcedEntity, ReplicatedEntity, ValueEntity
    from actorkalix.model.workflows import Workflow

S = TypeVar("S")
E = TypeVar("E")
D = TypeVar("D", bound="Crdt")
M = TypeVar("M")
F = TypeVar("F", bound=Callable[..., Any])
H = TypeVar("H")
RT = TypeVar("RT")
A = TypeVar("A", bound="Action")
M_co = TypeVar("M_co", covariant=True)

OnFailure: TypeAlias = Literal["park", "block", "dead_letter"]
"""`park`: the subject waits and the others go on. `block`: all wait, as in Kalix. `dead_letter`: as
`park`, but what fails ten times is put away, and its subject goes on without it."""

StartFrom: TypeAlias = Literal["beginning", "now"] | datetime

_MARKS = "__actorkalix_sources__"


class Source(msgspec.Struct, Generic[M_co], frozen=True):
    """A topic or a stream of a service; component classes are sources themselves.

    Attributes:
        kind: what it is.
        name: of the topic, or of the stream.
        service: that offers the stream; "" where it is the service that says so.
        message: type of its messages, or None.
        allow: services that may read the stream, as patterns with "*"; of one that is offered.
        kept: how long messages of a stream are kept here; None is for ever.
    """

    kind: Literal["topic", "stream"]
    name: str
    service: str = ""
    message: Any = None
    allow: tuple[str, ...] = ()
    kept: timedelta | None = None

    @property
    def within(self) -> str:
        """Name of the topic in which its messages lie here: topics of users begin with no "~"."""
        if self.kind == "topic":
            return self.name
        return f"~{self.service}:{self.name}" if self.service else f"~{self.name}"

    @property
    def label(self) -> str:
        """How operators know it, without its kind."""
        return f"{self.service}/{self.name}" if self.service else self.name


class SourceMark(msgspec.Struct, frozen=True):
    """What `@subscribe`, `@publish`, `@table`, `@on_delete` or `@on_snapshot` says of a method.

    Attributes:
        kind: which of them.
        source: component class or `Source` that it takes from, or publishes to.
        only: the one type of change that it takes.
        group: of consumers that share the messages.
        table: name of the view's table.
        deletes: it takes the notices of deletes, not the changes.
        batch_max: changes that it takes at once, as a list; 0 for one at a time.
        on_failure: what happens to a subject on which it fails.
        start_from: where one begins that is new.
    """

    kind: Literal["subscribe", "publish", "table", "on_delete", "on_snapshot"]
    source: Any = None
    only: Any = None
    group: str | None = None
    table: str = ""
    deletes: bool = False
    batch_max: int = 0
    on_failure: OnFailure = "park"
    start_from: StartFrom = "beginning"


@overload
def topic(name: str, /) -> Source[Any]: ...
@overload
def topic(name: str, message: type[M], /) -> Source[M]: ...
def topic(name: str, message: Any = None, /) -> Source[Any]:
    """A topic of the message broker; with a type, checkers check the handlers' parameter."""
    return Source("topic", name, message=message)


@overload
def stream(service: str, name: str, /, *, kept: timedelta | None = None) -> Source[Any]: ...
@overload
def stream(
    service: str, name: str, message: type[M], /, *, kept: timedelta | None = None
) -> Source[M]: ...
def stream(
    service: str, name: str, message: Any = None, /, *, kept: timedelta | None = None
) -> Source[Any]:
    """A stream that another service on the same Ray cluster offers, by `public_stream`.

    Its messages are taken over into this service, once, in order per subject, and handled from
    there as those of topics are.

    Args:
        service: its name.
        name: of the stream.
        message: type of the messages; checkers compare the handlers' parameters with it.
        kept: how long what was taken over is kept here; None is for ever, so that a view can be
            made anew of it.
    """
    return Source("stream", name, service, message, kept=kept)


@overload
def public_stream(
    name: str, /, *, allow: str | Sequence[str], kept: timedelta | None = None
) -> Source[Any]: ...
@overload
def public_stream(
    name: str, message: type[M], /, *, allow: str | Sequence[str], kept: timedelta | None = None
) -> Source[M]: ...
def public_stream(
    name: str,
    message: Any = None,
    /,
    *,
    allow: str | Sequence[str],
    kept: timedelta | None = None,
) -> Source[Any]:
    """A stream that this service offers to others: what a method of an action publishes to it.

    Args:
        name: of the stream, by which others ask for it: `stream("shop", "carts")`.
        message: type of the messages.
        allow: names of the services that may read it, with "*" as a wildcard; "*" is all of the
            Ray cluster.
        kept: how long messages are kept for those that are away; None is for ever.
    """
    allowed = (allow,) if isinstance(allow, str) else tuple(allow)
    return Source("stream", name, message=message, allow=allowed, kept=kept)


def source_marks_of(method: object) -> tuple[SourceMark, ...]:
    """What the marks of this module say of a method, the lowest first."""
    marks: tuple[SourceMark, ...] = getattr(method, _MARKS, ())
    return marks


def add_mark(method: F, mark: SourceMark) -> F:
    """The method with one mark more."""
    setattr(method, _MARKS, (*source_marks_of(method), mark))
    return method


def _marks(mark: SourceMark) -> Callable[[F], F]:
    return lambda method: add_mark(method, mark)


@overload
def subscribe(
    source: type[EventSourcedEntity[Any, Any] | ValueEntity[Any] | Workflow[Any]],
    /,
    *,
    deletes: Literal[True],
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A], RT]], Callable[[A], RT]]: ...
@overload
def subscribe(
    source: type[EventSourcedEntity[Any, Any]] | Source[Any],
    /,
    *,
    only: type[M],
    batch_max: int,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, list[M]], RT]], Callable[[A, list[M]], RT]]: ...
@overload
def subscribe(
    source: type[EventSourcedEntity[Any, Any]] | Source[Any],
    /,
    *,
    only: type[M],
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, M], RT]], Callable[[A, M], RT]]: ...
@overload
def subscribe(
    source: type[EventSourcedEntity[Any, E]],
    /,
    *,
    batch_max: int,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, list[E]], RT]], Callable[[A, list[E]], RT]]: ...
@overload
def subscribe(
    source: type[EventSourcedEntity[Any, E]],
    /,
    *,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, E], RT]], Callable[[A, E], RT]]: ...
@overload
def subscribe(
    source: type[ValueEntity[S] | Workflow[S]],
    /,
    *,
    batch_max: int,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, list[S]], RT]], Callable[[A, list[S]], RT]]: ...
@overload
def subscribe(
    source: type[ValueEntity[S] | Workflow[S]],
    /,
    *,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, S], RT]], Callable[[A, S], RT]]: ...
@overload
def subscribe(
    source: type[ReplicatedEntity[D]],
    /,
    *,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, D], RT]], Callable[[A, D], RT]]: ...
@overload
def subscribe(
    source: Source[M],
    /,
    *,
    batch_max: int,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, list[M]], RT]], Callable[[A, list[M]], RT]]: ...
@overload
def subscribe(
    source: Source[M],
    /,
    *,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Callable[[Callable[[A, M], RT]], Callable[[A, M], RT]]: ...
def subscribe(
    source: Any,
    /,
    *,
    only: Any = None,
    deletes: bool = False,
    batch_max: int = 0,
    group: str | None = None,
    on_failure: OnFailure = "park",
    start_from: StartFrom = "beginning",
) -> Any:
    """Call this method for every change of the source, in order per entity, at least once.

    What the method does to entities through `self.client` happens once, for the keys of its calls
    are derived from the change. Methods of one action on one source are one consumer.

    Args:
        source: an entity or workflow class, `topic(...)`, or `stream(service, name)`.
        only: changes of this type alone; the rest goes to another method of the action, or is
            skipped.
        deletes: call it for the deletes of entities, without an argument (AC-46).
        batch_max: hand it a list of up to so many changes, of several entities; effects of its
            calls are not told apart when it is repeated with another list, so give them keys.
        group: name of the consumer within the action; by it a topic's messages are shared.
        on_failure: "park": the entity on which it fails waits, with its order kept, and is tried
            again after 3 s to 30 s without end; "block": all wait; "dead_letter": as "park", but a
            change on which it failed ten times becomes a dead letter (`actorkalix dead-letters`),
            so the entity's later changes are handled before it.
        start_from: where the consumer begins that is new; a `datetime` with a zone skips what is
            older.
    """
    mark = SourceMark(
        *("subscribe", source, only, group),
        deletes=deletes,
        batch_max=batch_max,
        on_failure=on_failure,
        start_from=start_from,
    )
    return _marks(mark)


def publish(target: Source[Any], /) -> Callable[[H], H]:
    """Publish what this method of an action returns (None: nothing), before it counts as done.

    Bytes are published as they are, text as text, anything else as JSON. Metadata of an `Effect`
    go with the message; those that begin with `ce-` are its attributes. Its subject is that of the
    change or message that was handled, or `ce-subject`: messages of one subject are in order. What
    a subscription publishes is published once, also when it handles a change again.

    Args:
        target: `topic(...)` or `public_stream(...)`; several marks publish to several of them.
    """

    def add(method: H) -> H:
        setattr(method, _MARKS, (*source_marks_of(method), SourceMark("publish", target)))
        return method

    return add
