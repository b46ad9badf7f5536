"""Streams that a service offers and takes, and what can be wrong with them (AC-61)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from actorkalix import (
    Action,
    DefinitionError,
    Effect,
    Service,
    ValueEntity,
    View,
    command,
    public_stream,
    publish,
    sql,
    stream,
    subscribe,
    table,
    topic,
)
from actorkalix.describe.component import descriptor_of
from actorkalix.describe.streams import may_read, offers_of, sources_of, streams_taken
from actorkalix.describe.topics import topics_of
from tests.unit.actorkalix.runtime.streaming import Board, Desk, Public, Sold, desk, shop

F = TypeVar("F")
DAY = timedelta(days=1)


def loose(mark: Callable[..., Any], *args: Any, **options: Any) -> Callable[[F], F]:
    """A mark as in a file that no checker has seen."""
    marked: Callable[[F], F] = mark(*args, **options)
    return marked


def test_what_is_offered_and_taken() -> None:
    offer = offers_of(shop.descriptor)["sales"]
    assert (offer.allow, offer.kept, offer.within) == (("desk", "books-*"), None, "~sales")
    (taken,) = streams_taken(desk.descriptor)
    assert (taken.service, taken.name, taken.within) == ("shop", "sales", "~shop:sales")
    assert topics_of(shop.descriptor) == ("~sales",)
    assert topics_of(desk.descriptor) == ("~shop:sales",)
    assert descriptor_of(Desk).subscriptions[0].consumer == "desk:shop/sales"
    assert descriptor_of(Public).subscriptions[0].handlers["on_sold"].publishes == ("~sales",)
    assert sources_of(descriptor_of(Board)) == [stream("shop", "sales", Sold)]


@pytest.mark.parametrize(
    "allow, service, may",
    [
        ("*", "any", True),
        ("desk", "desk", True),
        ("desk", "desks", False),
        (["a", "books-*"], "books-1", True),
        (["a", "books-*"], "books", False),
        ("DESK", "desk", False),
    ],
)
def test_who_may_read(allow: Any, service: str, may: bool) -> None:
    assert may_read(public_stream("sales", allow=allow), service) is may


def test_the_longest_time_that_is_asked_for_counts() -> None:
    class Two(Action, id="two-times", runs="inline"):
        @subscribe(stream("shop", "a", kept=DAY), group="x")
        async def on_a(self, message: int) -> None: ...

        @subscribe(stream("shop", "a", kept=2 * DAY), group="y")
        async def on_a_too(self, message: int) -> None: ...

        @subscribe(stream("shop", "b", kept=DAY), group="v")
        async def on_b(self, message: int) -> None: ...

        @subscribe(stream("shop", "b"), group="w")
        async def on_b_too(self, message: int) -> None: ...

    taken = streams_taken(Service("other", components=[Two]).descriptor)
    assert {one.name: one.kept for one in taken} == {"a": 2 * DAY, "b": None}


class Told(ValueEntity[int], id="stream-told"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self) -> Effect[None]:
        return self.effects.update_state(1).then_reply(None)


@pytest.mark.parametrize(
    "target, said",
    [
        (stream("shop", "sales"), "publishes to a stream of 'shop', which that service alone does"),
        (public_stream("", allow="*"), "publishes to a stream whose name is empty"),
        (public_stream("a:b", allow="*"), "publishes to a stream whose name has ':' in it"),
        (public_stream("~a", allow="*"), "publishes to a stream whose name begins with '~'"),
        (public_stream("a", allow=()), "offers a stream with allow=(); name the services"),
        (public_stream("a", allow=[" "]), "offers a stream with allow=(' ',)"),
        (public_stream("a", allow="*", kept=-DAY), "it is a positive time"),
    ],
)
def test_what_is_wrong_with_an_offer(target: Any, said: str) -> None:
    def defined() -> type[Action]:
        class Wrong(Action, id="wrong-offer", runs="inline"):
            @subscribe(Told)
            @loose(publish, target)
            async def on_told(self, state: int) -> int:
                return state

        return Wrong

    with pytest.raises(DefinitionError) as caught:
        defined()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "source, options, said",
    [
        (public_stream("a", allow="*"), {}, "takes messages of public_stream('a'), which is for"),
        (stream("a b/", "c"), {}, "whose name, or its service's, has '/' in it"),
        (stream("shop", "a:b"), {}, "whose name, or its service's, has ':' in it"),
        (stream("shop", "a"), {"start_from": "now"}, 'begins a stream at "now"'),
        (stream("shop", "a", kept=0 * DAY), {}, "it is a positive time"),
        (stream("shop", "a"), {"deletes": True}, "which streams do not have"),
        (topic("~a"), {}, "subscribes to a topic whose name begins with '~'"),
    ],
)
def test_what_is_wrong_with_taking(source: Any, options: dict[str, Any], said: str) -> None:
    def defined() -> type[Action]:
        class Wrong(Action, id="wrong-taking", runs="inline"):
            @loose(subscribe, source, **options)
            async def on_message(self, message: int) -> None: ...

        return Wrong

    with pytest.raises(DefinitionError) as caught:
        defined()
    assert said in str(caught.value)


def test_a_table_says_the_same() -> None:
    def defined() -> type[View]:
        class Rows(View, id="wrong-rows"):
            rows = table("rows", source=public_stream("a", Sold, allow="*"))

            @sql("SELECT * FROM rows")
            def one(self) -> Sold:
                raise NotImplementedError

        return Rows

    with pytest.raises(DefinitionError, match="takes messages of public_stream"):
        defined()


def test_what_only_a_service_can_have_wrong() -> None:
    class First(Action, id="first-offer", runs="inline"):
        @subscribe(Told)
        @publish(public_stream("told", allow="*"))
        async def one(self, state: int) -> int:
            return state

    class Second(Action, id="second-offer", runs="inline"):
        @subscribe(Told)
        @publish(public_stream("told", allow="desk"))
        async def other(self, state: int) -> int:
            return state

    class Own(Action, id="own-stream", runs="inline"):
        @subscribe(stream("shop", "told"), start_from=datetime(2026, 1, 1, tzinfo=UTC))
        async def on_own(self, state: int) -> None: ...

    with pytest.raises(DefinitionError) as caught:
        Service("shop", components=[Told, First, Second, Own])
    said = str(caught.value)
    assert "other offers the stream 'told', as one does, with another allow= or kept=" in said
    assert "Own takes the stream 'told' of this service; follow what it is made of" in said
