"""What is wrong with a query: every problem at once, with its line and a caret under the token."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

from actorkalix.viewsql.syntax import Node, Span

_LISTED_MAX = 12  # names that are told where none is near


class SqlError(msgspec.Struct, frozen=True):
    """One problem of a query.

    Attributes:
        message: what is wrong and what to write instead.
        line: of the query's text, from 1.
        column: in that line, from 1, in characters.
        length: of what is wrong, in characters, at least 1; within the line.
    """

    message: str
    line: int
    column: int
    length: int


class Problem(Exception):
    """A query that cannot be used.

    Attributes:
        text: the query.
        errors: all that is wrong with it, in the order of their places.
    """

    def __init__(self, text: str, errors: Iterable[SqlError]) -> None:
        self.text = text
        self.errors = tuple(sorted(errors, key=lambda one: (one.line, one.column)))
        super().__init__("\n".join(shown(text, one) for one in self.errors))


def shown(text: str, error: SqlError) -> str:
    """An error under its line of SQL, with carets under what is wrong."""
    lines = text.split("\n")
    line = lines[error.line - 1].expandtabs(1).rstrip("\r")
    number = f"{error.line:>4} | "
    caret = " " * (len(number) + error.column - 1) + "^" * error.length
    return f"{error.message}\n{number}{line}\n{caret}"


class Findings:
    """Collects the problems of one query."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._errors: dict[SqlError, None] = {}

    def add(self, where: Span | Node, message: str) -> None:
        """Note what is wrong there."""
        span = where.span if isinstance(where, Node) else where
        start = min(span.start, len(self.text))
        line_start = self.text.rfind("\n", 0, start) + 1
        line_end = self.text.find("\n", start)
        line_end = len(self.text) if line_end < 0 else line_end
        length = max(1, min(span.end, line_end) - start)
        line = self.text.count("\n", 0, start) + 1
        self._errors[SqlError(message, line, start - line_start + 1, length)] = None

    def __bool__(self) -> bool:
        return bool(self._errors)

    def raise_if_any(self) -> None:
        """Raise all of it.

        Raises:
            Problem: something was noted.
        """
        if self._errors:
            raise Problem(self.text, self._errors)


def meant(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` for a name that is not there; without a near one, what there is."""
    names = list(known)
    near = _nearest(name, names, 0.6)
    if near:
        return f"; did you mean {near}?"
    if 0 < len(names) <= _LISTED_MAX:
        return f"; there is {', '.join(names)}"
    return ""


def meant_word(name: str, words: Iterable[str]) -> str:
    """`; did you mean ...?` for a word that stands where a keyword could; empty without one."""
    near = _nearest(name, list(words), 0.7)
    return f"; did you mean {near}?" if near and near != name.upper() else ""


def _nearest(name: str, names: list[str], cutoff: float) -> str:
    folded = {one.lower(): one for one in reversed(names)}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else ""
