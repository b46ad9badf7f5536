"""Subscriptions as they are written: which method takes what, and everything wrong at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from actorkalix import (
    Action,
    DefinitionError,
    Effect,
    EventSourcedEntity,
    Service,
    ValueEntity,
    command,
    query,
    stream,
    subscribe,
    topic,
)
from actorkalix.describe import descriptor_of


@dataclass(frozen=True)
class Up:
    by: int


@dataclass(frozen=True)
class Down:
    by: int


class Count(EventSourcedEntity[int, Up | Down], id="count"):
    def empty_state(self) -> int:
        return 0

    @query
    def get(self) -> int:
        return self.state

    def apply_event(self, state: int, event: Up | Down) -> int:
        return state + event.by


class Note(ValueEntity[str], id="note"):
    def empty_state(self) -> str:
        return ""

    @command
    def write(self, text: str) -> Effect[None]:
        return self.effects.update_state(text).then_reply(None)


def test_methods_of_one_source_are_one_consumer() -> None:
    class Reader(Action, id="reader"):
        @subscribe(Count, only=Up)
        async def on_up(self, event: Up) -> None: ...

        @subscribe(Count, only=Down)
        def on_down(self, event: Down) -> None: ...

        @subscribe(Note, start_from=datetime(2026, 1, 2, tzinfo=UTC), on_failure="block")
        async def on_note(self, text: str) -> None: ...

        @subscribe(Note, group="strict", on_failure="dead_letter")
        async def strict(self, text: str) -> None: ...

        @subscribe(Note, group="archive", start_from="now", batch_max=50)
        async def archive(self, texts: list[str]) -> None: ...

    counts, notes, strict, archive = descriptor_of(Reader).subscriptions
    assert counts.consumer == "reader:count"
    assert {name: one.only for name, one in counts.handlers.items()} == {
        "on_up": Up,
        "on_down": Down,
    }
    assert [one.blocking for one in counts.handlers.values()] == [False, True]
    assert (counts.batch_max, counts.blocks, counts.from_now, counts.from_ms) == (
        1,
        False,
        False,
        0,
    )
    assert (notes.consumer, notes.blocks, notes.from_ms) == ("reader:note", True, 1_767_312_000_000)
    assert (archive.consumer, archive.batch_max, archive.from_now) == ("reader:archive", 50, True)
    assert (strict.blocks, strict.dead_letters, notes.dead_letters) == (False, True, False)
    assert archive.handlers["archive"].batch


def test_subscriptions_are_inherited() -> None:
    class Base(Action, abstract=True):
        @subscribe(Count)
        async def on_change(self, event: Up | Down) -> None: ...

    class Reader(Base, id="heir"):
        pass

    (one,) = descriptor_of(Reader).subscriptions
    assert one.consumer == "heir:count"


def test_topics() -> None:
    class Reader(Action, id="of-topics"):
        @subscribe(topic("orders"))
        async def on_order(self, order: dict[str, int]) -> None: ...

        @subscribe(topic("orders"), group="lists", batch_max=5)
        async def on_orders(self, orders: list[bytes]) -> None: ...

        @subscribe(topic("counts"), only=Up)
        async def on_up(self, up: Up) -> None: ...

        @subscribe(topic("counts"), only=Down)
        async def on_down(self, down: Down) -> None: ...

    orders, lists, counts = descriptor_of(Reader).subscriptions
    assert (orders.consumer, orders.source) == ("of-topics:orders", topic("orders"))
    assert orders.handlers["on_order"].takes == dict[str, int]
    assert (lists.consumer, lists.handlers["on_orders"].takes) == ("of-topics:lists", bytes)
    assert counts.consumer == "of-topics:counts"
    assert {one.only for one in counts.handlers.values()} == {Up, Down}


def test_a_stream_of_another_service() -> None:
    class Reader(Action, id="of-streams"):
        @subscribe(stream("shop", "orders"))
        async def on_order(self, order: dict[str, int]) -> None: ...

    (orders,) = descriptor_of(Reader).subscriptions
    assert (orders.consumer, orders.source) == (
        "of-streams:shop/orders",
        stream("shop", "orders"),
    )
    assert orders.handlers["on_order"].takes == dict[str, int]


F = TypeVar("F")


def loose(source: Any, /, **options: Any) -> Callable[[F], F]:
    """`subscribe`, as in a file that no checker has seen."""
    unchecked: Any = subscribe
    mark: Callable[[F], F] = unchecked(source, **options)
    return mark


NAIVE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def problems(make: Callable[[], type[Action]]) -> str:
    with pytest.raises(DefinitionError) as caught:
        make()
    return str(caught.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    def make() -> type[Action]:
        class Reader(Action, id="wrong"):
            @loose("orders")
            async def of_text(self, event: Any) -> None: ...

            @loose(Count, batch_max=100_000)
            async def large(self, events: list[Up | Down]) -> None: ...

            @loose(Note, group=" ")
            async def nameless(self, text: str) -> None: ...

            @loose(Note, start_from=NAIVE)
            async def naive(self, text: str) -> None: ...

        return Reader

    said = problems(make)
    assert "of_text subscribes to 'orders', which is no source" in said
    assert "large takes batch_max=100000; it is a number from 1 to 10,000" in said
    assert "nameless takes group=' '; it is a name" in said
    assert "naive starts from a datetime without a zone" in said


def test_two_methods_that_take_the_same() -> None:
    def make() -> type[Action]:
        class Reader(Action, id="twice"):
            @loose(Count)
            async def one(self, event: Up | Down) -> None: ...

            @loose(Count)
            async def two(self, event: Up | Down) -> None: ...

        return Reader

    assert "two takes all changes of Count, as one does; give each only= another type" in problems(
        make
    )


def test_options_of_one_consumer_are_the_same() -> None:
    def make() -> type[Action]:
        class Reader(Action, id="options"):
            @loose(Count, only=Up, on_failure="block")
            async def one(self, event: Up) -> None: ...

            @loose(Count, only=Down)
            async def two(self, event: Down) -> None: ...

        return Reader

    assert "one and two are one consumer of Count" in problems(make)


def test_what_a_method_takes() -> None:
    def make() -> type[Action]:
        class Reader(Action, id="takes"):
            @loose(Count)
            async def nothing(self) -> None: ...

            @loose(Note, deletes=True)
            async def something(self, text: str) -> None: ...

        return Reader

    said = problems(make)
    assert "nothing takes one parameter beside self: the change" in said
    assert "something takes notices of deletes, so it has no parameter but self" in said


def test_a_source_belongs_to_the_service() -> None:
    class Reader(Action, id="lonely"):
        @loose(Count)
        async def on_change(self, event: Up | Down) -> None: ...

    with pytest.raises(DefinitionError, match=r"list Count in components=\[\.\.\.\] too"):
        Service("shop", components=[Reader])


def test_what_can_be_wrong_with_topics() -> None:
    def make() -> type[Action]:
        class Reader(Action, id="wrong-topics"):
            @loose(topic("a/b"))
            async def slash(self, order: bytes) -> None: ...

            @loose(topic("x" * 129))
            async def long(self, order: bytes) -> None: ...

            @loose(topic("orders"), deletes=True)
            async def deletes(self) -> None: ...

            @loose(topic("orders"), group="g", only="Up")
            async def only(self, order: bytes) -> None: ...

            @loose(topic("orders"), group="two")
            async def one(self, order: bytes) -> None: ...

            @loose(topic("orders"), group="two")
            async def two(self, order: bytes) -> None: ...

            @loose(topic("orders"), group="none")
            async def nothing(self) -> None: ...

        return Reader

    said = problems(make)
    assert "slash subscribes to a topic whose name has '/' in it" in said
    assert "long subscribes to a topic whose name has 129 bytes" in said
    assert "deletes takes notices of deletes, which topics do not have" in said
    assert "only takes only='Up'; it is one class" in said
    assert "two takes all changes of topic('orders'), as one does" in said
    assert "nothing takes one parameter beside self: the message" in said


def test_a_topic_with_the_name_of_an_entity() -> None:
    def make() -> type[Action]:
        class Reader(Action, id="same"):
            @loose(Count)
            async def change(self, event: Up | Down) -> None: ...

            @loose(topic("count"))
            async def message(self, data: bytes) -> None: ...

        return Reader

    assert "the consumer 'same:count' is there twice; change group=" in problems(make)
