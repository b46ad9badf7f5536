"""Stored events and states: type names, versions, migrations (RT-60 to RT-66)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from actorkalix import EventSourcedEntity, ValueEntity, migrate, query, type_name
from actorkalix.codec import StoredCodec, codecs_for, peek
from actorkalix.describe import descriptor_of
from actorkalix.errors import InvalidEffect, NotEncodable, StoredDataUnreadable
from actorkalix.model.metadata import Metadata
from tests.unit.actorkalix.codec.samples import (
    SHOP,
    TURTLE,
    Card,
    Cash,
    Line,
    Model,
    Moved,
    Order,
    Paid,
    Placed,
    Point,
    Renamed,
)


def envelope(tag: str, version: int, data: object, metadata: object = None) -> bytes:
    return msgspec.msgpack.encode([tag, version, data, metadata])


@pytest.mark.parametrize(
    "event",
    [
        Placed(Order((Line("p", 1),))),
        Paid(Cash(3)),
        Paid(Card("4")),
        Moved(Point(1, 2)),
        Renamed(model=Model(name="n")),
    ],
)
def test_events_come_back(event: Any) -> None:
    """ES-33: with their metadata."""
    payload = SHOP.stored.encode_event(event, {"by": "me"})
    assert SHOP.stored.decode_event(payload) == (event, Metadata({"by": "me"}))
    assert SHOP.stored.decode_event(SHOP.stored.encode_event(event)) == (event, None)
    assert peek(payload).tag == type(event).__name__


def test_states_come_back() -> None:
    order = Order((Line("p", 1),), parent=Order(()))
    assert SHOP.stored.decode_state(SHOP.stored.encode_state(order)) == order
    for state in (None, Point(1, 2)):
        assert TURTLE.stored.decode_state(TURTLE.stored.encode_state(state)) == state


def wrong(value: Any) -> Any:
    """A value that no checker compares with what is declared."""
    return value


@dataclass(frozen=True)
class Larger(Placed):
    more: int = 0


@pytest.mark.parametrize("event", [3, None, Larger(Order(())), Order(())])
def test_event_outside_of_the_union(event: object) -> None:
    """ES-14, TK-03."""
    with pytest.raises(InvalidEffect) as caught:
        SHOP.stored.encode_event(event)
    union = "Placed | Paid | Moved | Renamed | Everything"
    said = f"Shop persisted {type(event).__name__}, which is not in its events ({union})"
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "event, said",
    [
        (
            Placed(wrong(3)),
            "event Placed.order: expected object, got int; it could not be read back",
        ),
        (
            Placed(Order((), note=wrong(object()))),
            "event Placed.order.note: objects of type object",
        ),
        (Placed(Order((Line("p", 2**70),))), "event Placed.order.lines[0].quantity: the integer"),
        (
            Moved(Point(1, wrong({1j}))),
            "event Moved.by.y[]: objects of type complex cannot be encoded",
        ),
    ],
)
def test_what_could_not_be_read_again_is_not_stored(event: Any, said: str) -> None:
    """A wrong event fails its command, not the next recovery."""
    with pytest.raises(NotEncodable) as caught:
        SHOP.stored.encode_event(event)
    assert said in str(caught.value)


def test_event_that_holds_itself() -> None:
    extra: dict[str, Any] = {}
    extra["again"] = extra
    with pytest.raises(NotEncodable, match="holds itself"):
        SHOP.stored.encode_event(Placed(Order((), extra=extra)))


def test_an_image_has_the_bytes_of_the_state_and_checks_nothing() -> None:
    codec = codecs_for(descriptor_of(Ledger)).stored
    state = Sum(3)
    assert codec.image(state) == codec.encode_state(state)
    assert codec.image(Sum(4)) != codec.image(state)
    assert codec.image("no sum"), "what is of another type has one too"
    with pytest.raises(NotEncodable, match="state Sum"):
        codec.image(object())


def test_state_of_another_type() -> None:
    with pytest.raises(NotEncodable, match="state of Shop: expected Order, got int"):
        SHOP.stored.encode_state(3)


@type_name("added", version=3)
@dataclass(frozen=True)
class Added:
    amount: int
    by: str = "nobody"


@migrate(Added, from_version=1)
def amount_in_cents(old: dict[str, Any]) -> dict[str, Any]:
    return {"cents": old["euros"] * 100}


@migrate(Added, from_version=2)
def amount_renamed(old: dict[str, Any]) -> dict[str, Any]:
    return {"amount": old["cents"]}


@dataclass(frozen=True)
class Sum:
    amount: int


class Ledger(EventSourcedEntity[Sum, Added], id="stored-ledger"):
    def empty_state(self) -> Sum:
        return Sum(0)

    def apply_event(self, state: Sum, event: Added) -> Sum:
        return Sum(state.amount + event.amount)

    @query
    def total(self) -> int:
        return self.state.amount


class Last(ValueEntity[Added], id="stored-last"):
    def empty_state(self) -> Added:
        return Added(0)

    @query
    def get(self) -> Added:
        return self.state


LEDGER: StoredCodec = codecs_for(descriptor_of(Ledger)).stored
LAST: StoredCodec = codecs_for(descriptor_of(Last)).stored


def test_type_names_never_name_modules() -> None:
    """RT-61: the tag is the name that was given."""
    assert LEDGER.encode_event(Added(1)) == envelope("added", 3, {"amount": 1, "by": "nobody"})


@pytest.mark.parametrize(
    "version, data, event",
    [
        (1, {"euros": 2}, Added(200)),
        (2, {"cents": 5}, Added(5)),
        (3, {"amount": 5, "by": "me"}, Added(5, "me")),
        (3, {"amount": 5}, Added(5)),  # an optional field was added
        (3, {"amount": 5, "gone": 1}, Added(5)),  # a field was removed
    ],
)
def test_older_payloads_are_lifted(version: int, data: object, event: Added) -> None:
    """RT-62, RT-66."""
    assert LEDGER.decode_event(envelope("added", version, data))[0] == event


def test_states_are_lifted_and_may_be_renamed() -> None:
    """RT-63: states are decoded by the expected type, whatever their tag."""
    assert LAST.decode_state(envelope("added", 1, {"euros": 2})) == Added(200)
    assert LEDGER.decode_state(envelope("OldSum", 1, {"amount": 2})) == Sum(2)


@pytest.mark.parametrize(
    "payload, said",
    [
        (
            envelope("added", 4, {}),
            "event 'added' is stored as version 4; Added knows versions up to 3",
        ),
        (envelope("added", 0, {}), "no @migrate(Added, from_version=0)"),
        (envelope("added", 1, {}), "raised KeyError: 'euros'; mend its @migrate functions"),
        (
            envelope("added", 3, {"amount": "x"}),
            "event 'added', stored as version 3, does not decode as Added (version 3): "
            "amount: expected int, got str; give the class @type_name('added', version=4) "
            "and write a @migrate(Added, from_version=3)",
        ),
        (
            envelope("gone", 1, {}),
            "event 'gone', stored as version 1, belongs to no event class of Ledger (they are "
            "'added'); give the class that took its place @type_name('gone')",
        ),
        (b"\xc1", "event of Ledger: no envelope of type name, version and data"),
        (b"", "event of Ledger: no envelope"),
        (envelope("added", 3, None), "does not decode as Added"),
    ],
)
def test_unreadable(payload: bytes, said: str) -> None:
    """RT-63, RT-64: names tag, version and class, and what to do."""
    with pytest.raises(StoredDataUnreadable) as caught:
        LEDGER.decode_event(payload)
    assert said in str(caught.value)


def test_unreadable_state() -> None:
    """ES-42."""
    with pytest.raises(StoredDataUnreadable, match="state 'Sum', stored as version 1, does not"):
        LEDGER.decode_state(envelope("Sum", 1, {}))
