"""Signatures of the methods that make rows: `(self, row, change) -> RowEffect[Row]`."""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_origin

from actorkalix.describe.annotations import members
from actorkalix.describe.descriptors import Place
from actorkalix.describe.handlers import Scope
from actorkalix.describe.marked import Marked
from actorkalix.describe.shapes import name_of
from actorkalix.model.effects import RowEffect

_EMPTY: Any = inspect.Parameter.empty
_ANY_EXPRESSION = (TypeError, ValueError, SyntaxError, AttributeError, LookupError, ArithmeticError)
"""What evaluating an annotation may raise: it is any expression of the user's."""


class Signatures:
    """Reads the methods of one table.

    Attributes:
        scope: of the view.
        rows: classes of rows that the methods name, each with the first that names it.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.rows: dict[Any, Marked] = {}

    def wrong(self, one: Marked, text: str) -> None:
        """Note what is wrong with a method."""
        self.scope.problems.add(place_in(one, self.scope), f"{one.name} {text}")

    def check_signature(self, one: Marked, wanted: tuple[str, ...], rows_at: int = -1) -> None:
        """Note what is wrong with the parameters and the return type of a method.

        Args:
            one: the method.
            wanted: names of its parameters beside self.
            rows_at: which of them is the row; -1 for none.
        """
        inner = inspect.unwrap(one.fn)
        if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
            self.wrong(one, "is a coroutine; rows are made without waiting, write a plain def")
        elif inspect.isgeneratorfunction(inner):
            self.wrong(one, "is a generator; a change makes one row, return self.effects...")
        taken = _parameters(one)
        needed = [p for p in taken if p.default is p.empty]
        plain = all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in taken)
        if len(taken) < len(wanted) or len(needed) > len(wanted) or not plain:
            says = ", ".join(("self", *wanted))
            self.wrong(one, f"takes other parameters; write def {one.name}({says})")
        elif rows_at >= 0:
            tp = self.annotation(one, rows_at, "row")
            found = [each for each in members(tp) if each not in (None, type(None))]
            if tp is not Any and len(found) == len(members(tp)):
                self.wrong(one, f"takes a row that is never None; write {name_of(tp)} | None")
            if len(found) == 1 and found[0] is not Any:
                self.rows.setdefault(found[0], one)
        self._check_return(one)

    def _check_return(self, one: Marked) -> None:
        annotation = getattr(inspect.unwrap(one.fn), "__annotations__", {}).get("return", _EMPTY)
        if annotation is _EMPTY:
            self.wrong(one, "has no return type; write -> RowEffect[...] with its rows' class")
            return
        tp = self._resolved(one, annotation, "return")
        if get_origin(tp) is not RowEffect:
            if tp is not Any:
                self.wrong(one, f"returns {_no_effect(tp)}")
            return
        row = get_args(tp)[0]
        if type(None) in members(row):
            self.wrong(one, f"returns {name_of(tp)}; a row is never None, delete_row() removes it")
        elif getattr(row, "_name", "") not in ("Never", "NoReturn") and row is not Any:
            self.rows.setdefault(row, one)

    def annotation(self, one: Marked, at: int, what: str) -> Any:
        """Type of a parameter, by its number without self; `Any` where it has none."""
        taken = _parameters(one)
        if at >= len(taken):
            return Any
        if taken[at].annotation is _EMPTY:
            self.wrong(
                one, f"has no type for its parameter {taken[at].name}; write that of the {what}"
            )
            return Any
        return self._resolved(one, taken[at].annotation, f"parameter {taken[at].name}")

    def _resolved(self, one: Marked, annotation: Any, what: str) -> Any:
        try:
            return self.scope.type_of(annotation, one.fn, self.scope.owner(one.name))
        except NameError as problem:
            said = f"cannot be resolved ({problem}); import it (not under TYPE_CHECKING)"
        except _ANY_EXPRESSION as problem:
            said = f"cannot be read: {annotation!r} ({problem})"
        self.wrong(one, f"has a type for its {what} that {said}")
        return Any


def _no_effect(tp: Any) -> str:
    called = name_of(tp)
    if any(one is RowEffect or get_origin(one) is RowEffect for one in members(tp)):
        return (
            f"{called}; write -> RowEffect[...] with its rows' class, ignore() leaves a row alone"
        )
    return f"{called}; write -> RowEffect[{called}] and return self.effects.update_row(...)"


def place_in(one: Marked, scope: Scope) -> Place:
    """Where a mark is written: its method, or the attribute that declares a table."""
    return one.place if one.place.line else scope.place


def _parameters(one: Marked) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(one.fn).parameters.values())[1:]
    except (TypeError, ValueError):
        return []


def accepts(takes: Any, change: Any) -> bool:
    """Whether a parameter of this type takes a value of that one."""
    for one in members(takes):
        if one in (Any, object) or one == change:
            return True
        if isinstance(one, type) and isinstance(change, type) and issubclass(change, one):
            return True
    parts = members(change)
    return len(parts) > 1 and all(accepts(takes, each) for each in parts)
