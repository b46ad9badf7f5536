"""Decorators of one's own, other return types, and marks on inherited methods."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Never, ParamSpec, TypeVar

from actorkalix import Effect, ValueEntity, command, query
from actorkalix.describe import descriptor_of

P = ParamSpec("P")
R = TypeVar("R")


def logged(fn: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(fn)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        return fn(*args, **kwargs)

    return wrapper


class Versioned(ValueEntity[int], abstract=True):
    @query
    def version(self) -> str:
        return "1"


class Slot(Versioned, id="handlers-slot"):
    put: Any = None

    def empty_state(self) -> int:
        return 0

    @command
    @logged
    def add(self, amount: int, /, *, times: int = 1) -> Effect[int]:
        return self.effects.update_state(amount * times).then_reply(lambda state: state)

    @command
    def never(self) -> Effect[Never]:
        return self.effects.error("never")

    @query
    def with_metadata(self) -> Effect[int]:
        return self.effects.reply(self.state)

    @query
    def anything(self, value: Any) -> Any:
        return value


def test_decorators_that_wrap() -> None:
    add = descriptor_of(Slot).handlers["add"]
    assert [(one.name, one.keyword_only) for one in add.parameters] == [
        ("amount", False),
        ("times", True),
    ]
    assert add.place.file == __file__


def test_inherited_handlers_count() -> None:
    assert descriptor_of(Slot).handlers["version"].reply is str


def test_replies() -> None:
    handlers = descriptor_of(Slot).handlers
    assert handlers["with_metadata"].reply is int and handlers["with_metadata"].returns_effect
    assert handlers["never"].reply is Never
    assert handlers["anything"].reply is Any
