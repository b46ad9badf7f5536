"""What methods take from topics and publish to them, and all that can be wrong about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest

from actorkalix import (
    Action,
    Effect,
    Service,
    ValueEntity,
    command,
    handler,
    publish,
    query,
    subscribe,
    topic,
)
from actorkalix.describe import descriptor_of
from actorkalix.describe.topics import topics_of
from actorkalix.errors import DefinitionError

F = TypeVar("F")


class Both(Action, id="both-topics"):
    @subscribe(topic("in"))
    @publish(topic("out"))
    @publish(topic("copy"))
    async def through(self, data: bytes) -> bytes | None:
        return data

    @handler
    @publish(topic("told"))
    async def tell(self, text: str) -> Effect[str]:
        return self.effects.reply(text)


def test_topics_of_methods() -> None:
    made = descriptor_of(Both)
    (subscription,) = made.subscriptions
    assert subscription.handlers["through"].publishes == ("copy", "out")
    assert made.handlers["tell"].publishes == ("told",)
    service = Service("s", components=[Both]).descriptor
    assert topics_of(service) == ("copy", "in", "out", "told")


def loose(target: Any) -> Callable[[F], F]:
    """`publish`, as in a file that no checker has seen."""
    unchecked: Any = publish
    mark: Callable[[F], F] = unchecked(target)
    return mark


def problems(make: Callable[[], object]) -> str:
    with pytest.raises(DefinitionError) as caught:
        make()
    return str(caught.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    def make() -> object:
        class Wrong(Action, id="wrong-publish"):
            @handler
            @loose("orders")
            async def text(self) -> bytes:
                return b""

            @handler
            @loose(topic("a\nb"))
            async def control(self) -> bytes:
                return b""

            @handler
            @loose(topic("a"))
            async def nothing(self) -> None: ...

            @handler
            @loose(topic("a"))
            async def no_effect(self) -> Effect[None]:
                return self.effects.reply(None)

            @handler
            @loose(topic("a"))
            async def streams(self) -> AsyncIterator[int]:
                yield 1

            @loose(topic("a"))
            async def alone(self) -> bytes:
                return b""

        return Wrong

    said = problems(make)
    assert "text publishes to 'orders', which is no topic" in said
    assert "control publishes to a topic whose name has control characters" in said
    assert "nothing publishes what it returns, which is None" in said
    assert "no_effect publishes what it returns, which is None" in said
    assert "streams streams what it would publish" in said
    assert "alone publishes and nobody calls it" in said


def annotated(annotations: dict[str, Any]) -> Callable[[F], F]:
    """A method with other annotations than those that it was written with."""

    def change(method: F) -> F:
        written: Any = method
        written.__annotations__ = annotations
        return method

    return change


def test_types_that_cannot_be_read() -> None:
    def make() -> object:
        class Wrong(Action, id="wrong-types"):
            @subscribe(topic("a"))
            @annotated({"order": "Nowhere", "return": None})
            async def unknown(self, order: bytes) -> None: ...

            @subscribe(topic("a"), group="b")
            @annotated({"order": "1 +", "return": None})
            async def unread(self, order: bytes) -> None: ...

            @handler
            @annotated({"return": "bytes"})
            async def fine(self) -> bytes:
                return b""

            @subscribe(topic("a"), group="c")
            @loose(topic("b"))
            @annotated({"order": bytes})
            async def without(self, order: bytes) -> bytes:
                return order

        return Wrong

    said = problems(make)
    assert "unknown has a type for its parameter order that cannot be resolved" in said
    assert "unread has a type for its parameter order that cannot be read" in said
    assert "without publishes and has no return type" in said


def test_entities_do_not_publish() -> None:
    def make() -> object:
        class Note(ValueEntity[str], id="publishing-note"):
            def empty_state(self) -> str:
                return ""

            @command
            @loose(topic("notes"))
            def write(self, text: str) -> Effect[str]:
                return self.effects.update_state(text).then_reply(lambda state: state)

            @query
            def get(self) -> str:
                return self.state

        return Note

    assert "write publishes; only actions do" in problems(make)
