"""Methods with marks of `model.sources`: they take changes, or publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeGuard

from actorkalix.describe.descriptors import Place
from actorkalix.describe.problems import place_of
from actorkalix.model.sources import Source, SourceMark, source_marks_of
from actorkalix.model.tables import Table


class Marked(NamedTuple):
    """A method with a mark that says where changes come from or go to.

    `fn` is the function that the user wrote, or the `Table` of a table without one.
    """

    name: str
    fn: Any
    place: Place
    mark: SourceMark


def marked_methods(cls: type[Any]) -> Iterator[Marked]:
    """Methods of a class, own and inherited, that take changes or publish."""
    seen: set[str] = set()
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if name in seen:
                continue
            seen.add(name)
            fn = getattr(value, "fn", value)
            own = source_marks_of(value)
            # No set of marks: what a user hands in as a source may have no hash.
            more = () if fn is value else (m for m in source_marks_of(fn) if m not in own)
            for mark in (*own, *more):
                yield Marked(name, fn, _place(fn), mark)


def _place(fn: Any) -> Place:
    return Place(fn.file, fn.line) if isinstance(fn, Table) else place_of(fn, Place("", 0))


def is_topic(source: object) -> TypeGuard[Source[Any]]:
    """Whether it is a topic."""
    return isinstance(source, Source) and source.kind == "topic"


def is_stream(source: object) -> TypeGuard[Source[Any]]:
    """Whether it is a stream: of another service, or one that is offered."""
    return isinstance(source, Source) and source.kind == "stream"


def has_messages(source: object) -> TypeGuard[Source[Any]]:
    """Whether it is a topic or a stream, and no component."""
    return isinstance(source, Source)
