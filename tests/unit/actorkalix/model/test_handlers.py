"""Handlers have two faces: the user's function on an instance, a reference on the class."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any, TypeVar, cast

import pytest

from actorkalix import (
    Action,
    Calls,
    DefinitionError,
    Effect,
    HandlerRef,
    ValueEntity,
    command,
    handler,
    http,
    query,
)
from actorkalix.model.handlers import (
    Method,
    StreamMethod,
    StreamRef,
    handler_of,
    handlers_of,
    marked,
)

from .shop import Errand, Note, Rows, Shop, Trip, running

F = TypeVar("F", bound=Callable[..., Any])


def logged(fn: F) -> F:
    @wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return cast("F", run)


class Slot(ValueEntity[int], id="slot"):
    def empty_state(self) -> int:
        return 0

    @command
    @http.post("/slots/{entity_id}")
    def below(self) -> Effect[int]:
        return self.effects.reply(self.state)

    @http.put("/slots/{entity_id}")
    @command
    @http.patch("/slots/{entity_id}")
    def above(self) -> Effect[int]:
        return self.below()

    @command
    @logged
    def decorated(self, by: int) -> Effect[int]:
        """Says what it does."""
        return self.effects.reply(self.state + by)


class SubSlot(Slot, id="sub-slot"):
    @command
    def below(self) -> Effect[int]:
        return super().below()


def test_on_an_instance_a_handler_is_the_function() -> None:
    slot = running(Slot, 3)
    effect = slot.decorated(by=2)
    assert effect.decision.reply is not None
    assert effect.decision.reply(None) == 5
    assert running(SubSlot, 3).below().decision.reply is not None


def test_on_the_class_a_handler_is_a_reference() -> None:
    ref = Slot.decorated
    assert isinstance(ref, HandlerRef)
    assert (ref.name, ref.owner) == ("decorated", Slot)
    assert repr(SubSlot.above) == "<handler SubSlot.above>"
    assert isinstance(Errand.ticks, StreamRef)


@pytest.mark.parametrize(
    "ref,line",
    [
        (Shop.add, "client.entity(Shop, entity_id).add(item)"),
        (Trip.start, "client.workflow(Trip, workflow_id).start()"),
        (Rows.by_id, "client.view(Rows).by_id(id)"),
        (Errand.run, "client.action(Errand).run(shop)"),
        (Errand.ticks, "client.action(Errand).ticks()"),
    ],
)
def test_called_on_the_class_it_says_the_line_to_write(ref: Any, line: str) -> None:
    with pytest.raises(TypeError) as raised:
        ref("x")
    assert str(raised.value).endswith(f"write {line}")


def test_marks_and_routes_come_in_any_order() -> None:
    above = handler_of(Slot, "above")
    assert above is not None
    assert above.kind == "command"
    assert above.marks == ["route", "command", "route"]
    assert [(route.verb, route.path) for route in above.routes] == [
        ("PATCH", "/slots/{entity_id}"),
        ("PUT", "/slots/{entity_id}"),
    ]


def test_a_route_knows_where_it_is_written() -> None:
    below = handler_of(Slot, "below")
    assert below is not None
    (route,) = below.routes
    assert route.file == __file__
    assert route.line in range(*_lines_of(Slot))


def _lines_of(cls: type[Any]) -> tuple[int, int]:
    lines, first = inspect.getsourcelines(cls)
    return first, first + len(lines)


def test_inherited_and_overridden_handlers_count_once() -> None:
    assert list(handlers_of(SubSlot)) == ["below", "above", "decorated"]
    assert handlers_of(SubSlot)["below"] is not handlers_of(Slot)["below"]
    assert handlers_of(SubSlot)["above"] is handlers_of(Slot)["above"]
    assert handler_of(Note, "empty_state") is None
    assert handler_of(Note, "nothing") is None


def test_names_and_docstrings_are_the_functions() -> None:
    decorated = handler_of(Slot, "decorated")
    assert decorated is not None
    assert decorated.name == "decorated"
    assert decorated.__doc__ == "Says what it does."
    assert list(inspect.signature(decorated.fn).parameters) == ["self", "by"]


class Streams(Action, id="streams"):
    @handler
    async def generates(self) -> AsyncIterator[int]:
        yield 1

    @http.get("/passes")
    def passes(self) -> AsyncIterator[int]:
        return self.generates()

    @handler
    async def plain(self) -> list[int]:
        return []


def test_what_streams_is_known_by_its_body_or_its_return_type() -> None:
    kinds = {name: type(method) for name, method in handlers_of(Streams).items()}
    assert kinds == {"generates": StreamMethod, "passes": StreamMethod, "plain": Method}
    call = Calls().action(Streams).passes()
    assert repr(call) == "<Stream Streams.passes()>"
    call.spend("looked at")


@pytest.mark.parametrize("thing", [3, staticmethod(len), property(len), int, "text"])
def test_only_methods_can_be_marked(thing: Any) -> None:
    with pytest.raises(DefinitionError, match="@query marks a plain method, not a"):
        marked(thing, "query")


def test_a_coroutine_query_is_for_the_definition_to_refuse() -> None:
    async def ask(self: Slot) -> int:
        return 3

    made: Any = query(ask)
    assert isinstance(made, Method)
    assert made.kind == "query"
