"""A service knows its components by id."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from actorkalix import (
    Action,
    Service,
    ValueEntity,
    View,
    handler,
    query,
    sql,
    stream,
    subscribe,
    table,
    topic,
)
from actorkalix.describe import describe_service, descriptor_of
from actorkalix.errors import DefinitionError, NotInThisVersion


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


def test_later_components() -> None:
    with pytest.raises(NotInThisVersion) as caught:
        describe_service("shop", [Counter, Mail, Rows, Follower])
    said = str(caught.value)
    assert "Follower.on_change: @subscribe(stream('counts')) comes with a later version" in said
    assert "Mail" not in said
