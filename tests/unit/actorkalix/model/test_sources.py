"""Sources are marks on functions: collected, not acted upon."""

from __future__ import annotations

from typing import Any

from actorkalix import (
    Action,
    publish,
    stream,
    subscribe,
    topic,
)
from actorkalix.model.sources import Source, SourceMark, source_marks_of

from .shop import Added, Shop


class Reader(Action, id="reader"):
    @subscribe(Shop, only=Added)
    async def on_added(self, event: Added) -> None: ...

    @subscribe(topic("orders", int), group="billing")
    @publish(topic("shipments"))
    async def ship(self, order: int) -> str | None: ...


def marks(cls: type[Any], name: str) -> tuple[SourceMark, ...]:
    return source_marks_of(vars(cls)[name])


def test_marks_are_kept_lowest_first() -> None:
    assert marks(Reader, "on_added") == (SourceMark("subscribe", Shop, Added),)
    assert marks(Reader, "ship") == (
        SourceMark("publish", Source("topic", "shipments")),
        SourceMark("subscribe", Source("topic", "orders", message=int), group="billing"),
    )
    assert source_marks_of(len) == ()


def test_a_stream_belongs_to_a_service() -> None:
    assert stream("crm", "customers") == Source("stream", "customers", "crm")
