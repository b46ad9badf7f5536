"""Every problem of a class at once, each with file and line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from actorkalix.describe.descriptors import Place
from actorkalix.errors import DefinitionError

NOWHERE = Place("<unknown>", 0)


class Problems:
    """Collects what is wrong with one class or service."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self._found: dict[tuple[str, int, str], None] = {}

    def add(self, place: Place, text: str) -> None:
        """Note what is wrong there and what to write instead."""
        self._found[place.file, place.line, text] = None

    def at(self, place: Place) -> bool:
        """Whether something is wrong there."""
        return any((file, line) == (place.file, place.line) for file, line, _ in self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_if_any(self, error: type[DefinitionError] = DefinitionError) -> None:
        """Raise one error that lists all.

        Raises:
            DefinitionError: something was noted.
        """
        if not self._found:
            return
        lines = tuple(f"{file}:{line}: {text}" for file, line, text in sorted(self._found))
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise error("\n".join((f"{self.subject} cannot be used: {count}", *lines)), lines)


def code_of(fn: Any) -> CodeType | None:
    """The code of a function behind its decorators, if it has any."""
    try:
        inner = inspect.unwrap(fn)
    except ValueError:
        return None
    inner = getattr(inner, "func", inner)  # functools.partial
    code: CodeType | None = getattr(inner, "__code__", None)
    return code


def place_of(fn: Callable[..., Any], otherwise: Place) -> Place:
    """Where a function is written (its first decorator)."""
    code = code_of(fn)
    return Place(code.co_filename, code.co_firstlineno) if code else otherwise


def class_frame(cls: type[Any]) -> FrameType | None:
    """The frame whose class statement is being run, while it is."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != cls.__module__:
        frame = frame.f_back
    while frame is not None and frame.f_code.co_name in ("__init_subclass__", "__new__"):
        frame = frame.f_back
    return frame


def caller_place() -> Place:
    """Where the user's code is that called us."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and f"{frame.f_globals.get('__name__')}.".startswith("actorkalix."):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno) if frame else NOWHERE


def class_place(cls: type[Any], frame: FrameType | None) -> Place:
    """Where a class is written; without a frame, where its first method is."""
    if frame is not None:
        return Place(frame.f_code.co_filename, frame.f_lineno)
    codes = [
        code
        for value in vars(cls).values()
        if (code := code_of(getattr(value, "fn", value))) is not None
    ]
    if not codes:
        return NOWHERE
    first = min(codes, key=lambda code: code.co_firstlineno)
    return Place(first.co_filename, first.co_firstlineno)


def written_twice(cls: type[Any], frame: FrameType | None) -> dict[str, list[Place]]:
    """Methods that one class body defines more than once, with the place of each definition.

    Python keeps the last one without a word; the compiled class body still has them all.
    """
    body = _body_of(cls, frame.f_code) if frame is not None else None
    found: dict[str, list[Place]] = {}
    for code in body.co_consts if body else ():
        if isinstance(code, CodeType) and not code.co_name.startswith("<"):
            found.setdefault(code.co_name, []).append(Place(code.co_filename, code.co_firstlineno))
    return {name: places for name, places in found.items() if len(places) > 1}


def _body_of(cls: type[Any], around: CodeType) -> CodeType | None:
    bodies = [
        one
        for one in around.co_consts
        if isinstance(one, CodeType) and one.co_qualname == cls.__qualname__
    ]
    first = {
        code.co_firstlineno
        for value in vars(cls).values()
        if (code := code_of(getattr(value, "fn", value)))
    }
    for body in bodies:
        lines = {one.co_firstlineno for one in body.co_consts if isinstance(one, CodeType)}
        if first & lines:
            return body
    return None
