"""`ViewTestKit`: what a running service would show, of events that a test makes up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actorkalix import (
    CommandError,
    Context,
    DefinitionError,
    EventSourcedEntity,
    RowEffect,
    ValueEntity,
    View,
    on_delete,
    on_snapshot,
    query,
    sql,
    table,
    topic,
)
from actorkalix.errors import InvalidEffect, InvalidPayload, NotEncodable, QueryTooLarge
from actorkalix.testkit import ViewTestKit


@dataclass(frozen=True)
class Added:
    item: str


@dataclass(frozen=True)
class Cleared:
    pass


@dataclass(frozen=True)
class Cart:
    id: str
    items: tuple[str, ...]
    changed: datetime
    gone: bool = False


@dataclass(frozen=True)
class Named:
    name: str


@dataclass(frozen=True)
class Carts:
    carts: list[Cart]
    total: int


class Shop(EventSourcedEntity[int, Added | Cleared], id="kit-shop"):
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added | Cleared) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state


class Person(ValueEntity[Named], id="kit-person"):
    def empty_state(self) -> Named:
        return Named("")

    @query
    def get(self) -> Named:
        return self.state


class Stranger(ValueEntity[Named], id="kit-stranger"):
    def empty_state(self) -> Named:
        return Named("")

    @query
    def get(self) -> Named:
        return self.state


ORDERS = topic("orders", Named)
SEEN: list[Context] = []


class Rows(View, id="kit-rows"):
    @table("carts", source=Shop)
    def on_event(self, row: Cart | None, event: Added | Cleared) -> RowEffect[Cart]:
        SEEN.append(self.context)
        row = row or Cart(self.context.subject, (), self.context.time)
        match event:
            case Added("bad"):
                raise ZeroDivisionError("bad")
            case Added("ignored"):
                return self.effects.ignore()
            case Added(item):
                now = self.context.time
                return self.effects.update_row(replace(row, items=(*row.items, item), changed=now))
            case Cleared():
                return self.effects.delete_row()

    @on_delete("carts")
    def on_gone(self, row: Cart | None) -> RowEffect[Cart]:
        SEEN.append(self.context)
        return self.effects.update_row(replace(row, gone=True)) if row else self.effects.ignore()

    people = table("people", source=Person)
    orders = table("orders", source=ORDERS)

    @sql("SELECT * FROM carts WHERE id = :id")
    def one(self, id: str) -> Cart:
        raise NotImplementedError

    @sql("SELECT * FROM carts WHERE id = :id")
    def maybe(self, id: str) -> Cart | None:
        raise NotImplementedError

    @sql("SELECT * AS carts, total_count() AS total FROM carts WHERE :item = ANY(items)")
    def holding(self, item: str) -> Carts:
        raise NotImplementedError

    @sql("SELECT name FROM people WHERE name >= :least ORDER BY name LIMIT :most")
    def names(self, least: str = "", most: int = 10) -> list[Named]:
        raise NotImplementedError

    @sql("SELECT * FROM people")
    def everybody(self) -> list[Named]:
        raise NotImplementedError

    @sql("SELECT * FROM people WHERE text_search(name, :words, 'english') ORDER BY name")
    def search(self, words: str) -> AsyncIterator[Named]:
        raise NotImplementedError

    @sql("SELECT * FROM orders WHERE name >= :least", stream_updates=True)
    def watch(self, least: str = "") -> AsyncIterator[Named]:
        raise NotImplementedError


@pytest.fixture
def kit() -> ViewTestKit[Rows]:
    SEEN.clear()
    return ViewTestKit(Rows)


def test_events_become_rows(kit: ViewTestKit[Rows]) -> None:
    kit.event(Shop, "a", Added("pen"), Added("ink")).event(Shop, "b", Added("pen"))
    assert {name: row.items for name, row in kit.rows("carts").items()} == {
        "a": ("pen", "ink"),
        "b": ("pen",),
    }
    assert kit.query(Rows.one, "a").items == ("pen", "ink")
    found = kit.query(Rows.holding, "ink")
    assert (found.total, [one.id for one in found.carts]) == (1, ["a"])
    kit.event(Shop, "a", Added("ignored"), Cleared())
    assert list(kit.rows("carts")) == ["b"]


def test_a_handler_knows_its_change(kit: ViewTestKit[Rows]) -> None:
    """VW-14."""
    kit.event(Shop, "a", Added("pen"), metadata={"who": "me"}).advance(timedelta(hours=2))
    kit.event(Shop, "a", Added("ink")).delete(Shop, "a")
    assert [one.subject for one in SEEN] == ["a"] * 3
    assert [one.sequence_number for one in SEEN] == [1, 2, 2]
    assert [one.deleted for one in SEEN] == [False, False, True]
    assert SEEN[0].metadata["who"] == "me"
    assert SEEN[1].time - SEEN[0].time == timedelta(hours=2)
    assert SEEN[0].time.tzinfo is UTC
    assert kit.query(Rows.one, "a").changed == SEEN[1].time


def test_deletes(kit: ViewTestKit[Rows]) -> None:
    """VW-80: the row goes, or what the view says happens; an id may begin anew."""
    kit.event(Shop, "a", Added("pen")).state(Person, "p", Named("Ann"))
    kit.delete(Shop, "a").delete(Person, "p")
    assert kit.query(Rows.one, "a").gone
    assert kit.rows("people") == {}
    kit.state(Person, "p", Named("Bob")).event(Shop, "a", Added("cup"))
    assert kit.rows("people") == {"p": Named("Bob")}
    assert SEEN[-1].sequence_number == 1


def test_states_and_messages_are_rows(kit: ViewTestKit[Rows]) -> None:
    """VW-16."""
    kit.state(Person, "p", Named("Ann")).state(Person, "p", Named("Bob"))
    kit.message(ORDERS, "o1", Named("first")).message("orders", "o2", Named("second"))
    assert kit.rows("people") == {"p": Named("Bob")}
    assert kit.rows("orders") == {"o1": Named("first"), "o2": Named("second")}


def test_no_row(kit: ViewTestKit[Rows]) -> None:
    """VW-65."""
    with pytest.raises(CommandError, match=r"Rows\.one found no row") as caught:
        kit.query(Rows.one, "x")
    assert caught.value.code == "not_found"
    assert kit.query(Rows.maybe, "x") is None
    assert kit.query(Rows.holding, "x") == Carts([], 0)
    assert kit.query(Rows.search, "x") == []


def test_streams_are_lists(kit: ViewTestKit[Rows]) -> None:
    for name in ("Running shoes", "A shoe", "Boots"):
        kit.state(Person, name, Named(name))
    assert kit.query(Rows.search, "shoe") == [Named("A shoe"), Named("Running shoes")]
    assert kit.query(Rows.search, words="run SHOES") == [Named("Running shoes")]
    kit.message(ORDERS, "o", Named("x"))
    assert kit.query(Rows.watch) == [Named("x")]
    assert kit.query(Rows.watch, "y") == []


def test_lists_are_whole(kit: ViewTestKit[Rows]) -> None:
    """VW-95: a list without a LIMIT has its bound, one with a LIMIT has that."""
    assert kit.query(Rows.names) == kit.query(Rows.everybody) == []
    for number in range(1_001):
        kit.state(Person, str(number), Named(f"{number:04}"))
    assert kit.query(Rows.names, "0997") == [Named(f"{n:04}") for n in range(997, 1_001)]
    assert kit.query(Rows.names, most=2) == [Named("0000"), Named("0001")]
    assert len(kit.query(Rows.names, most=1_001)) == 1_001
    with pytest.raises(QueryTooLarge, match="more than 1,000 rows; give it a LIMIT"):
        kit.query(Rows.everybody)


def test_what_a_handler_raises(kit: ViewTestKit[Rows]) -> None:
    """VW-18: a test sees the error; the change counts as never made."""
    kit.event(Shop, "a", Added("pen"))
    for _ in range(20):
        with pytest.raises(ZeroDivisionError, match="bad"):
            kit.event(Shop, "a", Added("bad"))
    kit.event(Shop, "a", Added("ink"))
    assert kit.query(Rows.one, "a").items == ("pen", "ink")
    assert SEEN[-1].sequence_number == 2


def test_what_cannot_be_handed_in(kit: ViewTestKit[Rows]) -> None:
    """TK-03, TK-08."""
    other: Any = Named("x")
    with pytest.raises(InvalidEffect, match="Named, which is not in its events"):
        kit.event(Shop, "a", other)
    with pytest.raises(NotEncodable):
        kit.state(Person, "p", other and Named(other))
    with pytest.raises(InvalidPayload, match="name: missing, expected str"):
        kit.message("orders", "o", {"nome": "x"})
    number: Any = 3
    with pytest.raises((InvalidPayload, TypeError)):
        kit.query(Rows.one, number)
    assert kit.rows("orders") == {}


def test_what_the_view_has_not(kit: ViewTestKit[Rows]) -> None:
    sources = r"its sources are Shop, Person, topic\('orders'\)"
    with pytest.raises(DefinitionError, match=f"Rows has no table of Stranger; {sources}"):
        kit.state(Stranger, "s", Named("x"))
    with pytest.raises(DefinitionError, match=r"Rows has no table of topic\('order'\); "):
        kit.message("order", "s", Named("x"))
    with pytest.raises(KeyError):
        kit.rows("nothing")
    elsewhere: Any = Shop.get
    with pytest.raises(TypeError, match="Rows has no query 'get'"):
        kit.query(elsewhere)
    with pytest.raises(DefinitionError, match="Shop is no view"):
        ViewTestKit(Shop)


def test_kits_are_apart() -> None:
    one, other = ViewTestKit(Rows), ViewTestKit(Rows)
    one.event(Shop, "a", Added("pen"))
    assert other.rows("carts") == {}
    one.close()
    other.close()


class Levels(View, id="kit-levels"):
    @table("levels", source=Shop)
    def on_event(self, row: Named | None, event: Added | Cleared) -> RowEffect[Named]:
        seen = row.name if row else ""
        return self.effects.update_row(Named(f"{seen} {self.context.sequence_number}"))

    @on_snapshot("levels")
    def begin(self, state: int) -> RowEffect[Named]:
        if state < 0:
            raise ZeroDivisionError("negative")
        return self.effects.update_row(Named(f"{state} at {self.context.sequence_number}"))

    @sql("SELECT * FROM levels")
    def all(self) -> list[Named]:
        raise NotImplementedError


def test_vw_21_a_snapshot_stands_for_the_events_that_it_holds() -> None:
    kit = ViewTestKit(Levels)
    kit.snapshot(Shop, "a", 7, events=3).event(Shop, "a", Added("x"), Added("y"))
    kit.event(Shop, "b", Added("x")).snapshot(Shop, "b", 9)
    with pytest.raises(ZeroDivisionError):
        kit.snapshot(Shop, "c", -1)
    kit.snapshot(Shop, "c", 1, events=2)
    assert {name: row.name for name, row in kit.rows("levels").items()} == {
        "a": "7 at 3 4 5",
        "b": "9 at 2",
        "c": "1 at 2",
    }
    kit.delete(Shop, "a").event(Shop, "a", Added("x"))
    assert kit.rows("levels")["a"] == Named(" 1")
    with pytest.raises(DefinitionError, match="no table of"):
        kit.snapshot(Other, "x", 1)


class Other(EventSourcedEntity[int, Added], id="kit-other"):
    def empty_state(self) -> int:
        return 0

    def apply_event(self, state: int, event: Added) -> int:
        return state

    @query
    def get(self) -> int:
        return self.state
