"""Types and components that the tests of the codecs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
from pydantic import BaseModel

from actorkalix import Effect, EventSourcedEntity, ValueEntity, command, query
from actorkalix.codec import ArgumentCodec, ComponentCodec, codecs_for
from actorkalix.describe import descriptor_of


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Line:
    product: str
    quantity: int
    price: Decimal = Decimal(0)


@dataclass(frozen=True)
class Order:
    lines: tuple[Line, ...]
    note: str = ""
    extra: dict[str, Line] = field(default_factory=dict[str, Line])
    weight: float = 0.0
    parent: Order | None = None


class Card(msgspec.Struct, frozen=True, tag=True):
    number: str


class Cash(msgspec.Struct, frozen=True, tag=True):
    amount: int


class Point(NamedTuple):
    x: int
    y: int


class Settings(TypedDict, total=False):
    colour: Colour
    sizes: list[int]


class Model(BaseModel):
    name: str
    count: int = 0


class Kinds(msgspec.Struct, frozen=True):
    """A field of each kind."""

    text: str
    number: int
    real: float
    flag: bool
    raw: bytes
    at: datetime
    span: timedelta
    key: UUID
    money: Decimal
    colour: Colour
    size: Literal["s", "m"]
    line: Line
    point: Point
    settings: Settings
    means: Card | Cash
    model: Model
    names: list[str]
    ids: set[int]
    frozen: frozenset[str]
    pair: tuple[int, str]
    table: dict[int, Point]
    maybe: Line | None = None


@dataclass(frozen=True)
class Placed:
    order: Order


class Paid(msgspec.Struct, frozen=True):
    means: Card | Cash


class Moved(NamedTuple):
    by: Point


class Renamed(BaseModel):
    model: Model


class Everything(msgspec.Struct, frozen=True):
    kinds: Kinds


Event = Placed | Paid | Moved | Renamed | Everything


class Shop(EventSourcedEntity[Order, Event], id="codec-shop"):
    def empty_state(self) -> Order:
        return Order(())

    def apply_event(self, state: Order, event: Event) -> Order:
        return state

    @command
    def place(self, order: Order) -> Effect[Order]:
        return self.effects.reply(order)

    @command
    def grown(self, line: Line, note: str = "", *, urgent: bool = False) -> Effect[None]:
        return self.effects.reply(None)

    @command
    def optional(self, line: Line | None = None) -> Effect[None]:
        return self.effects.reply(None)

    @command
    def add(self, product: str, quantity: int, tags: list[str] | None = None) -> Effect[int]:
        return self.effects.reply(quantity)

    @command
    def pay(self, means: Card | Cash) -> Effect[None]:
        return self.effects.reply(None)

    @command
    def rename(self, model: Model) -> Effect[Model]:
        return self.effects.reply(model)

    @command
    def settings(self, settings: Settings) -> Effect[Settings]:
        return self.effects.reply(settings)

    @command
    def go(self, point: Point, weights: dict[str, float]) -> Effect[Point]:
        return self.effects.reply(point)

    @query
    def count(self) -> int:
        return 0

    @query
    def search(
        self,
        text: str,
        page: int = 1,
        colour: Colour = Colour.RED,
        sizes: list[int] | None = None,
        ratio: float | None = None,
        since: datetime | None = None,
        exact: bool = False,
    ) -> list[Line]:
        return []

    @query
    def weights(self) -> dict[str, float | None]:
        return {}

    @query
    def maybe(self) -> Line | None:
        return None


class Turtle(ValueEntity[Point | None], id="codec-turtle"):
    def empty_state(self) -> Point | None:
        return None

    @query
    def where(self) -> Point | None:
        return self.state


SHOP: ComponentCodec = codecs_for(descriptor_of(Shop))
TURTLE: ComponentCodec = codecs_for(descriptor_of(Turtle))


def arguments(method: str) -> ArgumentCodec:
    """Codec of a handler of the shop."""
    return SHOP.arguments[method]
