"""Classes that are fine, and what their descriptors say."""

from __future__ import annotations

import re
import types
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

import pytest
from typing_extensions import TypeAliasType

from actorkalix import (
    Effect,
    EventSourcedEntity,
    ValueEntity,
    command,
    http,
    migrate,
    query,
    type_name,
)
from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.errors import DefinitionError

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    name: str


@type_name("item-added", version=2)
@dataclass(frozen=True)
class Added:
    item: Item


@migrate(Added, from_version=1)
def old(data: dict[str, Any]) -> dict[str, Any]:
    return {"item": data}


@dataclass(frozen=True)
class Removed:
    name: str


Event = TypeAliasType("Event", Added | Removed)


class Box(EventSourcedEntity["tuple[Item, ...]", Event], id="box", snapshot_every=7):
    def empty_state(self) -> tuple[Item, ...]:
        return ()

    def apply_event(self, state: tuple[Item, ...], event: Added | Removed) -> tuple[Item, ...]:
        return state

    @command
    def add(self, item: Item) -> Effect[None]:
        return self.effects.persist(Added(item)).then_reply(None)

    @http.get("/boxes/{entity_id}/{at}")
    @query
    def get(self, at: int, *, loud: bool = False) -> Item:
        return self.state[at]

    def helper(self, anything: object, *more: object) -> object:
        return anything, more


def test_event_sourced() -> None:
    box = descriptor_of(Box)
    assert (box.component_id, box.kind, box.cls, box.snapshot_every) == (
        "box",
        "event_sourced",
        Box,
        7,
    )
    assert box.place.file == __file__
    assert box.state is not None
    assert (box.state.type, box.state.tag) == (tuple[Item, ...], "tuple")
    assert [(one.tag, one.version, one.type) for one in box.events] == [
        ("item-added", 2, Added),
        ("Removed", 1, Removed),
    ]
    assert box.events[0].migrations == {1: old}


def test_handlers() -> None:
    add, get = descriptor_of(Box).handlers.values()
    assert (add.name, add.kind, add.whole_body, add.reply) == ("add", "command", True, type(None))
    assert add.returns_effect and not get.returns_effect
    assert (get.kind, get.whole_body, get.reply) == ("query", False, Item)
    assert [(one.name, one.type, one.required, one.keyword_only) for one in get.parameters] == [
        ("at", int, True, False),
        ("loud", bool, False, True),
    ]
    assert [(one.verb, one.path) for one in get.routes] == [("GET", "/boxes/{entity_id}/{at}")]
    assert get.fn is vars(Box)["get"].fn


class Slot(ValueEntity[S], Generic[S], abstract=True):
    @command
    def put(self, value: S) -> Effect[S]:
        return self.effects.update_state(value).then_reply(lambda state: state)

    @query
    def peek(self) -> list[S | None]:
        return [self.state]


class Pair(Slot[tuple[S, T]], Generic[S, T], abstract=True):
    @query
    def first(self) -> S:
        return self.state[0]


class Named(Pair[str, Item], id="named"):
    def empty_state(self) -> tuple[str, Item]:
        return "", Item("")

    @query
    def peek(self) -> list[tuple[str, Item] | None]:
        return []


def test_type_arguments_come_through_generic_bases() -> None:
    """Handlers of a base count, with its type variables replaced."""
    named = descriptor_of(Named)
    assert named.handlers["put"].parameters[0].type == tuple[str, Item]
    assert named.handlers["put"].reply == tuple[str, Item]
    assert named.handlers["first"].reply is str
    assert named.handlers["peek"].place.line > named.handlers["first"].place.line
    assert named.state is not None and named.state.type == tuple[str, Item]


class Louder(Named, id="louder"):
    @command
    def put(self, value: tuple[str, Item]) -> Effect[tuple[str, Item]]:
        return self.effects.reply(value)


def test_handlers_may_be_overridden() -> None:
    assert descriptor_of(Louder).handlers["put"].fn is vars(Louder)["put"].fn
    assert descriptor_of(Named).handlers["put"].fn is not vars(Louder)["put"].fn


def test_abstract_classes_have_no_descriptor() -> None:
    with pytest.raises(DefinitionError, match="Slot is abstract: subclass it with an id"):
        descriptor_of(Slot)
    with pytest.raises(DefinitionError, match="Item is no component"):
        descriptor_of(Item)


def test_classes_inside_a_function() -> None:
    """Postponed annotations name what only this frame knows, also in fields of data classes."""

    @dataclass(frozen=True)
    class Line:
        product: str

    @dataclass(frozen=True)
    class Order:
        lines: list[Line]
        parent: Order | None = None

    class Options(TypedDict):
        line: Line

    @dataclass(frozen=True)
    class Placed:
        order: Order

    class Base(EventSourcedEntity[Order, Placed], abstract=True):
        @query
        def lines(self) -> list[Line]:
            return self.state.lines

    class Orders(Base, id="orders"):
        def empty_state(self) -> Order:
            return Order([])

        def apply_event(self, state: Order, event: Placed) -> Order:
            return event.order

        @command
        def place(self, order: Order) -> Effect[Order]:
            return self.effects.persist(Placed(order)).then_reply(lambda state: state)

        @query
        def options(self, options: Options) -> Options:
            return options

    orders = descriptor_of(Orders)
    assert orders.handlers["lines"].reply == list[Line]
    codec = codecs_for(orders).stored
    event = Placed(Order([Line("p")], Order([])))
    assert codec.decode_event(codec.encode_event(event)) == (event, None)


class Nest(ValueEntity[int], id="nest"):
    @dataclass(frozen=True)
    class Egg:
        size: int

    def empty_state(self) -> int:
        return 0

    @query
    def list(self) -> int:
        return self.state

    @query
    def eggs(self, egg: Egg) -> dict[str, Egg]:
        return {}


def test_classes_in_the_body_of_a_component() -> None:
    assert descriptor_of(Nest).handlers["eggs"].reply == dict[str, Nest.Egg]


def test_a_class_without_source() -> None:
    """Notebooks and exec have no file; the message has the name of the compiled code."""
    program = (
        "from actorkalix import ValueEntity, query\n"
        "class Odd(ValueEntity[int], id='odd'):\n"
        "    def empty_state(self): return 0\n"
        "    @query\n"
        "    def get(self): return 0\n"
    )
    with pytest.raises(DefinitionError, match="<cell 3>:4: get has no return type"):
        exec(compile(program, "<cell 3>", "exec"), {"__name__": "__main__"})
    with pytest.raises(DefinitionError, match="get has no return type"):
        exec(program, {})


def test_a_class_made_by_a_call() -> None:
    with pytest.raises(DefinitionError, match="needs an id"):
        types.new_class("Made", (ValueEntity[int],))
    with pytest.raises(DefinitionError, match="says no types"):
        types.new_class("Made", (ValueEntity,), {"id": "made"})


def test_problems_are_listed_one_by_one() -> None:
    with pytest.raises(DefinitionError) as caught:
        types.new_class("Wrong", (ValueEntity[int],))
    first, *lines = str(caught.value).splitlines()
    assert first == "Wrong cannot be used: 3 problems"
    assert tuple(lines) == caught.value.problems
    assert all(re.match(r".+:\d+: \w", line) for line in lines)
