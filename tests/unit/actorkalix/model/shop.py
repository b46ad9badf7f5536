"""Components and a transport that the model's tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from actorkalix import (
    Action,
    Context,
    Effect,
    EventSourcedEntity,
    Reply,
    RowEffect,
    StepEffect,
    ValueEntity,
    View,
    Workflow,
    command,
    handler,
    query,
    sql,
    step,
    table,
)
from actorkalix.model.component import Component, Live
from actorkalix.model.transport import Request

T = TypeVar("T", bound=Component)


@dataclass(frozen=True)
class Added:
    """An event."""

    item: str


@dataclass(frozen=True)
class Basket:
    """A state."""

    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShopRow:
    """A row."""

    id: str
    last: str


class Shop(EventSourcedEntity[Basket, Added], id="shop"):
    """An entity with a command, a query, and things that are no handlers."""

    def empty_state(self) -> Basket:
        return Basket()

    def apply_event(self, state: Basket, event: Added) -> Basket:
        return replace(state, items=(*state.items, event.item))

    @command
    def add(self, item: str) -> Effect[int]:
        """Add an item."""
        return self.effects.persist(Added(item)).then_reply(lambda basket: len(basket.items))

    @query
    def items(self) -> tuple[str, ...]:
        return self.state.items

    def count(self) -> int:
        return len(self.state.items)

    @staticmethod
    def cost(n: int) -> int:
        return n


class Note(ValueEntity[str], id="note"):
    """A value entity."""

    def empty_state(self) -> str:
        return ""

    @command
    def write(self, text: str) -> Effect[None]:
        return self.effects.update_state(text).then_reply(None)


class Errand(Action, id="errand"):
    """An action."""

    @handler
    async def run(self, shop: str) -> None: ...

    @handler
    async def ticks(self) -> AsyncIterator[int]:
        yield 1


class Rows(View, id="rows"):
    """A view."""

    @table("rows", source=Shop)
    def on_added(self, row: ShopRow | None, event: Added) -> RowEffect[ShopRow]:
        return self.effects.update_row(ShopRow(self.context.subject, event.item))

    @sql("SELECT * FROM rows WHERE id = :id")
    def by_id(self, id: str) -> ShopRow:
        raise NotImplementedError


class Trip(Workflow[Basket], id="trip"):
    """A workflow."""

    @command
    def start(self) -> Effect[str]:
        return self.effects.transition_to(self.go, "far").then_reply("off")

    @step
    async def go(self, where: str) -> StepEffect:
        return self.effects.end(where)


def running(component: type[T], state: Any = None, entity_id: str = "e1", **context: Any) -> T:
    """An instance as the engine makes it for one handler."""
    instance = component()
    instance._live = Live(state, entity_id, Context(**context), client=None)
    return instance


class Wire:
    """A transport that keeps what it carries; `answer` replies or raises."""

    def __init__(self, answer: Callable[[Request], Any] = lambda _request: None) -> None:
        self.carried: list[Request] = []
        self.closed = False
        self._answer = answer

    async def send(self, request: Request, /) -> Reply[Any]:
        self.carried.append(request)
        return Reply(self._answer(request), token="t1", metadata={"a": "b"})

    async def aclose(self) -> None:
        self.closed = True
