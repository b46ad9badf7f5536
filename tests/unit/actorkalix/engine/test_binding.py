"""Messages and the headers of brokers, there and back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.codec.topics import DataReader
from actorkalix.engine.binding import Incoming, headers_of, incoming, refused, taken_key
from actorkalix.engine.topic import TopicMessage
from actorkalix.errors import InvalidPayload

NOW_MS = 1_700_000_000_000
MADE = TopicMessage(
    "Order", "c1", "m1", "shop", "application/json", (("traceparent", "00-1-2-3"),), b"{}"
)


def test_attributes_are_headers() -> None:
    assert headers_of(MADE, NOW_MS) == [
        ("ce-specversion", "1.0"),
        ("ce-id", "m1"),
        ("ce-source", "shop"),
        ("ce-type", "Order"),
        ("ce-subject", "c1"),
        ("ce-time", "2023-11-14T22:13:20.000Z"),
        ("content-type", "application/json"),
        ("traceparent", "00-1-2-3"),
        ("actorkalix-id", "m1"),
    ]


_NAMES = st.text("abcdefgh-_", min_size=1, max_size=10).filter(
    lambda name: not name.lower().startswith(("ce-", "ce_", "content-type"))
)
_TEXT = st.text(max_size=20)


@given(
    *(_TEXT, _TEXT, st.text(min_size=1, max_size=20), _TEXT, st.binary(max_size=20)),
    st.lists(st.tuples(_NAMES, _TEXT), max_size=4),
)
def test_what_leaves_is_what_comes(
    type: str, subject: str, id: str, source: str, data: bytes, pairs: list[tuple[str, str]]
) -> None:
    made = TopicMessage(type, subject, id, source, "text/plain", tuple(pairs), data)
    headers = [(name, text.encode()) for name, text in headers_of(made, NOW_MS)]
    found = incoming(3, 7, headers, data, key=subject.encode())
    assert (found.lane, found.number, found.own) == (3, 7, id)
    others = tuple(pair for pair in found.message.metadata if pair[0] != "ce-time")
    assert msgspec.structs.replace(found.message, metadata=others) == made


def test_what_others_send_is_read_as_well_as_can_be() -> None:
    headers = [("ce_type", b"Order"), ("CE_ID", b"x1"), ("odd", b"\xff"), ("none", None)]
    found = incoming(
        0, 1, headers, b"{}", key=b"k\xff", content_type="application/json", source="k"
    )
    made = found.message
    assert (made.type, made.id, made.subject, made.source) == ("Order", "x1", "k\\xff", "k")
    assert (made.content_type, found.own) == ("application/json", "")
    assert made.metadata == (("odd", "\\xff"), ("none", ""))
    assert incoming(0, 1, [("ce-subject", "s")], b"", key="k").message.subject == "s"


def test_a_message_is_known_by_where_it_stands() -> None:
    one = incoming(1, 2, [("ce-id", "same")], b"")
    keys = {
        taken_key("orders", "kafka orders", one),
        taken_key("others", "kafka orders", one),
        taken_key("orders", "nats orders", one),
        taken_key("orders", "kafka orders", incoming(1, 3, [("ce-id", "same")], b"")),
        taken_key("orders", "kafka orders", incoming(12, 3, [], b"")),
        taken_key("orders", "kafka orders", incoming(1, 23, [], b"")),
    }
    assert len(keys) == 6
    assert taken_key("orders", "kafka orders", one) in keys


def test_what_we_published_is_known_by_its_id() -> None:
    first, again = (incoming(1, n, headers_of(MADE, NOW_MS), b"{}") for n in (4, 9))
    assert taken_key("orders", "k", first) == taken_key("orders", "k", again)


@pytest.mark.parametrize("tp", [bytes, str, dict, object])
def test_what_was_refused_can_be_read_by_nobody(tp: type) -> None:
    found = refused(Incoming(1, 9, MADE), "2,000,000 bytes")
    assert found.message.subject == "c1"
    made = found.message
    with pytest.raises(InvalidPayload, match="message 9 of lane 1: 2,000,000 bytes"):
        DataReader(tp).read(made.data, made.content_type, made.type)
