"""Checked already of components that a later version runs: names that lead nowhere, idle bodies."""

from __future__ import annotations

import re
from types import CodeType
from typing import Any

from actorkalix.describe.annotations import arguments_of, members
from actorkalix.describe.handlers import Scope
from actorkalix.describe.problems import code_of, place_of
from actorkalix.describe.shapes import name_of
from actorkalix.model.entities import EventSourcedEntity
from actorkalix.model.handlers import Method, StreamMethod, handlers_of
from actorkalix.model.sources import source_marks_of

_SQL_TEXT = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|::", re.DOTALL)
_SQL_PARAMETER = re.compile(r":([A-Za-z_][A-Za-z0-9_]*)")


def check_later(scope: Scope) -> None:
    """Check SQL and sources of a class."""
    _check_sources(scope)
    for name, method in handlers_of(scope.cls).items():
        if method.sql is not None:
            _check_sql(scope, name, method)


def _check_sources(scope: Scope) -> None:
    for base in scope.cls.__mro__:
        for name, value in vars(base).items():
            for mark in source_marks_of(value):
                if mark.only is None or not _is_entity(mark.source):
                    continue
                events = members(arguments_of(mark.source, EventSourcedEntity)[1])
                if mark.only not in events:
                    union = " | ".join(name_of(one) for one in events)
                    place = place_of(getattr(value, "fn", value), scope.place)
                    text = (
                        f"{name} takes only={name_of(mark.only)}, "
                        f"which {mark.source.__name__} never persists"
                    )
                    scope.problems.add(place, f"{text}; its events are {union}")


def _is_entity(source: Any) -> bool:
    return isinstance(source, type) and issubclass(source, EventSourcedEntity)


def _check_sql(
    scope: Scope, name: str, method: Method[Any, ..., Any, Any] | StreamMethod[Any, ..., Any]
) -> None:
    code = code_of(method.fn)
    place = place_of(method.fn, scope.place)
    if code is None:
        return
    if not _is_empty(code):
        scope.problems.add(
            place,
            f"{name} has a body that never runs: the SQL is the body; "
            "write raise NotImplementedError",
        )
    taken = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    named = _SQL_PARAMETER.findall(_SQL_TEXT.sub(" ", method.sql or ""))
    for parameter in dict.fromkeys(named):
        if parameter not in taken:
            has = f"it has {', '.join(taken)}" if taken else "it has none"
            scope.problems.add(
                place, f"{name} has no parameter {parameter!r} for :{parameter} in its SQL; {has}"
            )


def _is_empty(code: CodeType) -> bool:
    """Whether a body is a docstring, `...`, `pass` or `raise NotImplementedError`, as compiled."""
    names = set(code.co_names) - {"NotImplementedError"}
    constants = [one for one in code.co_consts if one is not None and one is not Ellipsis]
    if constants and isinstance(constants[0], str):
        constants = constants[1:]
    inner = (
        code.co_freevars
        or code.co_cellvars
        or code.co_nlocals > code.co_argcount + code.co_kwonlyargcount
    )
    return not names and not constants and not inner
