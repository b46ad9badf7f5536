"""A service knows its components by id."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from actorkalix import (
    Action,
    EventSourcedEntity,
    RowEffect,
    Service,
    ValueEntity,
    View,
    handler,
    on_snapshot,
    query,
    sql,
    stream,
    subscribe,
    table,
    topic,
)
from actorkalix.describe import describe_service, descriptor_of
from actorkalix.errors import DefinitionError


class Counter(ValueEntity[int], id="service-counter"):
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state


class Mail(Action, id="service-mail"):
    @handler
    async def send(self, to: str) -> None: ...


@dataclass
class Row:
    n: int


class Rows(View, id="service-rows"):
    rows = table("rows", source=topic("rows", Row))

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError


class Follower(Action, id="service-follower"):
    @subscribe(stream("other", "counts"))
    async def on_change(self, state: int) -> None: ...


def test_components_by_id() -> None:
    service = describe_service("shop", [Counter])
    assert service.name == "shop"
    assert service.components == {"service-counter": descriptor_of(Counter)}
    assert Service("shop", components=[Counter]).descriptor == service


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, ".", "..", "é"])
def test_names(name: str) -> None:
    with pytest.raises(DefinitionError, match="its name is"):
        describe_service(name, [Counter])


class Count(EventSourcedEntity[Row, Row], id="service-count"):
    def empty_state(self) -> Row:
        return Row(0)

    def apply_event(self, state: Row, event: Row) -> Row:
        return event

    @query
    def get(self) -> Row:
        return self.state


class Snapped(View, id="service-snapped"):
    @table("rows", source=Count)
    def on_row(self, row: Row | None, event: Row) -> RowEffect[Row]:
        return self.effects.update_row(event)

    @on_snapshot("rows")
    def first(self, state: Row) -> RowEffect[Row]:
        return self.effects.update_row(state)

    @table("other", source=stream("other", "counts"))
    def on_other(self, row: Row | None, message: Row) -> RowEffect[Row]:
        return self.effects.update_row(message)

    @sql("SELECT * FROM rows")
    def one(self) -> Row:
        raise NotImplementedError


def test_all_kinds_of_sources_go_together() -> None:
    described = describe_service("shop", [Counter, Mail, Rows, Follower, Count, Snapped])
    assert len(described.components) == 6
