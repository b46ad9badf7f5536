"""Components that the tests of plans draw calls for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta
from pydantic import BaseModel, Field

from actorkalix import Effect, EventSourcedEntity, Service, ValueEntity, command, query


@dataclass(frozen=True)
class Item:
    name: str
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError("count is from 1 on")


@dataclass(frozen=True)
class Impossible:
    number: int

    def __post_init__(self) -> None:
        if self.number != 7:
            raise ValueError("the number is 7")


@dataclass(frozen=True)
class Tree:
    name: str
    left: Tree | None = None
    rest: tuple[Tree, ...] = ()
    named: dict[str, Tree] = field(default_factory=dict[str, "Tree"])


class Leaf(msgspec.Struct, frozen=True, tag=True):
    size: int


class Fork(msgspec.Struct, frozen=True, tag=True):
    left: Fork | Leaf
    right: Fork | Leaf


class Inner(BaseModel):
    share: float | None = Field(default=None, ge=0.25, le=0.75)


class Model(BaseModel):
    count: int = Field(ge=10, le=12, alias="howMany")
    code: str = Field(min_length=3, max_length=5, pattern="^[A-Z]")
    inner: list[Inner] = Field(min_length=1)


@dataclass(frozen=True)
class Added:
    item: Item


class Basket(EventSourcedEntity[int, Added], id="basket"):
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state + event.item.count

    @command
    def add(self, item: Item) -> Effect[int]:
        return self.effects.persist(Added(item)).then_reply(lambda state: state)

    @command
    def take(self, count: int, why: str = "") -> Effect[int]:
        return self.effects.reply(count)

    @command
    def clear(self) -> Effect[None]:
        return self.effects.reply(None)

    @query
    def size(self) -> int:
        return self.state


class Forest(ValueEntity[int], id="forest"):
    """Takes whatever is hard to draw."""

    def empty_state(self) -> int:
        return 0

    @command
    def plant(self, tree: Tree) -> Effect[None]:
        return self.effects.reply(None)

    @command
    def fork(self, fork: Fork) -> Effect[None]:
        return self.effects.reply(None)

    @command
    def model(self, model: Model) -> Effect[None]:
        return self.effects.reply(None)

    @command
    def several(self, names: Annotated[frozenset[str], Meta(min_length=3)]) -> Effect[None]:
        return self.effects.reply(None)


class Stubborn(ValueEntity[int], id="stubborn"):
    """Takes nothing that is drawn from its types."""

    def empty_state(self) -> int:
        return 0

    @command
    def give(self, it: Impossible) -> Effect[None]:
        return self.effects.reply(None)

    @command
    def say(self, text: Annotated[str, Meta(pattern="^x{7}y$")]) -> Effect[None]:
        return self.effects.reply(None)


SHOP = Service("shop", components=[Basket, Forest])
