"""Planting: a function of the product with a line of it changed, for as long as a test needs it.

A mutant is given as a reviewer would see it, as lines of a diff. The function's source is taken
from its file, edited, and compiled; the function object stays the same one and only its code is
exchanged, so whoever holds it, by whatever name, runs the wrong one. Text that is not there any
more, or more than once, is an error: the mutant has to be looked at again.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from importlib import import_module
from textwrap import dedent
from types import CodeType, FunctionType
from typing import Any, NamedTuple


class Edit(NamedTuple):
    """A change to one function.

    Attributes:
        where: module and function, as "actorkalix.engine.entity:EntityBehavior.step".
        lines: pairs of what stands there, once, and what stands there instead.
    """

    where: str
    lines: tuple[tuple[str, str], ...]


def edit(where: str, old: str, new: str, *more: str) -> Edit:
    """A change; further pairs of old and new text may follow."""
    texts = (old, new, *more)
    return Edit(where, tuple(zip(texts[::2], texts[1::2], strict=True)))


@contextmanager
def planted(edits: Iterable[Edit]) -> Generator[None]:
    """Let these changes be in force."""
    before: list[tuple[FunctionType, CodeType]] = []
    try:
        for each in edits:
            function = _function(each.where)
            before.append((function, function.__code__))
            function.__code__ = _edited(function, each)
        yield
    finally:
        for function, code in reversed(before):
            function.__code__ = code


def _function(where: str) -> FunctionType:
    module, _, path = where.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = _member(found, name)
    return _of(found)


def _member(owner: object, name: str) -> Any:
    return vars(owner)[name]


def _of(found: Any) -> FunctionType:
    """The function, of a property the one that reads it."""
    function = found.fget if isinstance(found, property) else found
    assert isinstance(function, FunctionType), f"{found} is no function of ours"
    return function


def _edited(function: FunctionType, change: Edit) -> CodeType:
    source = dedent(inspect.getsource(function))
    for old, new in change.lines:
        count = source.count(old)
        assert count == 1, f"{change.where}: {old!r} is there {count} times, not once"
        source = source.replace(old, new)
    compiled = compile(source, f"<{change.where}>", "exec")  # future imports are those of this file
    made: dict[str, Any] = {}
    exec(compiled, function.__globals__, made)
    return _of(made[function.__name__]).__code__
