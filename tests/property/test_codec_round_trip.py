"""Whatever a type can hold comes back from every encoding (TK-08), and no bytes break a decoder."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable
from dataclasses import make_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.codec.arguments import ArgumentCodec
from actorkalix.codec.replies import ReplyCodec
from actorkalix.codec.stored import StoredCodec
from actorkalix.describe.descriptors import (
    ComponentDescriptor,
    HandlerDescriptor,
    Parameter,
    Place,
    StoredType,
)
from actorkalix.describe.shapes import is_structured, unfit
from actorkalix.errors import InvalidPayload, StoredDataUnreadable
from actorkalix_cluster.shardhost.messages import Encoding

PLACE = Place(__file__, 1)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: int
    y: int


class Card(msgspec.Struct, frozen=True, tag=True):
    number: str


class Cash(msgspec.Struct, frozen=True, tag=True):
    amount: int


class Typed(NamedTuple):
    """A type and values of it."""

    type: Any
    values: st.SearchStrategy[Any]


INTEGERS = st.integers(-(2**63), 2**64 - 1)
SCALARS = [
    Typed(int, INTEGERS),
    Typed(str, st.text()),
    Typed(bool, st.booleans()),
    Typed(float, st.floats(allow_nan=False, allow_infinity=False)),
    Typed(bytes, st.binary()),
    Typed(Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    Typed(UUID, st.uuids()),
    Typed(datetime, st.datetimes(timezones=st.just(UTC))),
    Typed(date, st.dates()),
    Typed(timedelta, st.timedeltas(timedelta(days=-9999), timedelta(days=9999))),
    Typed(Colour, st.sampled_from(Colour)),
    Typed(Point, st.builds(Point, INTEGERS, INTEGERS)),
    Typed(Card | Cash, st.builds(Card, st.text()) | st.builds(Cash, INTEGERS)),
]
NAMES = st.lists(
    st.text(string.ascii_lowercase, min_size=1, max_size=6).map(lambda name: f"f_{name}"),
    min_size=1,
    max_size=4,
    unique=True,
)


def larger(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Types made of types."""
    return (
        inner.map(
            lambda one: Typed(list.__class_getitem__(one.type), st.lists(one.values, max_size=3))
        )
        | inner.map(lambda one: Typed(one.type | None, st.none() | one.values))
        | inner.map(
            lambda one: Typed(
                tuple.__class_getitem__((one.type, ...)),
                st.lists(one.values, max_size=3).map(tuple),
            )
        )
        | inner.map(
            lambda one: Typed(
                dict.__class_getitem__((str, one.type)),
                st.dictionaries(st.text(), one.values, max_size=3),
            )
        )
        | st.tuples(NAMES, st.lists(inner, min_size=4, max_size=4)).map(lambda made: record(*made))
    )


def record(names: list[str], types: list[Typed]) -> Typed:
    """A dataclass of these fields."""
    fields = dict(zip(names, types, strict=False))
    cls = make_dataclass("Record", [(name, one.type) for name, one in fields.items()], frozen=True)
    return Typed(cls, st.builds(cls, **{name: one.values for name, one in fields.items()}))


TYPES = st.recursive(st.sampled_from(SCALARS), larger, max_leaves=6)


def handler(*types: Any) -> HandlerDescriptor:
    parameters = tuple(
        Parameter(f"p{at}", tp, structured=is_structured(tp)) for at, tp in enumerate(types)
    )
    whole = len(parameters) == 1 and parameters[0].structured
    fn: Callable[..., Any] = len
    return HandlerDescriptor("h", "command", fn, parameters, whole, types[0], True, (), PLACE)


@pytest.mark.parametrize("encoding", [Encoding.JSON, Encoding.MSGPACK])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_arguments_and_replies(encoding: Encoding, data: st.DataObject) -> None:
    types = data.draw(st.lists(TYPES, min_size=1, max_size=2))
    values = tuple(data.draw(one.values) for one in types)
    described = handler(*(one.type for one in types))
    assert all(unfit(one.type) == [] for one in types)
    codec = ArgumentCodec(described)
    payload = codec.encode(values, {}, encoding)
    assert codec.decode(payload, encoding) == (values, {})
    reply = ReplyCodec(described)
    assert reply.decode(reply.encode(values[0], encoding), encoding) == values[0]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_stored(data: st.DataObject) -> None:
    state = data.draw(TYPES)
    event = data.draw(st.tuples(NAMES, st.lists(TYPES, min_size=4, max_size=4)))
    events = record(*event)
    codec = StoredCodec(
        ComponentDescriptor(
            "c",
            "event_sourced",
            int,
            {},
            PLACE,
            StoredType("state", 1, state.type, {}),
            (StoredType("event", 1, events.type, {}),),
        )
    )
    value = data.draw(events.values)
    assert codec.decode_event(codec.encode_event(value)) == (value, None)
    value = data.draw(state.values)
    assert codec.decode_state(codec.encode_state(value)) == value


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BYTES = st.binary(max_size=60) | ANYTHING.map(
    lambda value: msgspec.json.encode(value) if _small(value) else b"0"
)
Deep = make_dataclass("Deep", [("p", Point), ("d", dict[str, float]), ("u", Card | Cash)])


def _small(value: object) -> bool:
    return "e" not in repr(value)


@pytest.mark.parametrize("encoding", list(Encoding))
@settings(max_examples=150, deadline=None)
@given(payload=BYTES)
def test_hostile_bytes_are_refused(encoding: Encoding, payload: bytes) -> None:
    """ES-85: nothing but `InvalidPayload` comes out."""
    for types in ((Deep,), (Deep, int), (int, list[float]), (Card | Cash,)):
        with contextlib.suppress(InvalidPayload):
            ArgumentCodec(handler(*types)).decode(payload, encoding)


@settings(max_examples=150, deadline=None)
@given(payload=st.binary(max_size=60))
def test_hostile_stored_bytes_are_unreadable(payload: bytes) -> None:
    event = StoredType("event", 1, Deep, {})
    codec = StoredCodec(ComponentDescriptor("c", "value", int, {}, PLACE, event, (event,)))
    for decode in (codec.decode_event, codec.decode_state):
        with pytest.raises(StoredDataUnreadable):
            decode(payload)
        with pytest.raises(StoredDataUnreadable):
            decode(b"\x94\xa5event\x01" + payload)
