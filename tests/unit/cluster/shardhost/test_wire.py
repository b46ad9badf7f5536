"""The bytes of batches: what is read is what was written, and nothing else can be read."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix_cluster.shardhost import wire
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_storage.api import Position

NOW_MS = 1_700_000_000_000
ENVELOPE = wire.Envelope(
    store=0, incarnation=3, to_store=1, to_incarnation=9, session=1, number=7, sent_ms=NOW_MS
)
MESSAGE = Message(
    MessageKind.COMMAND,
    "counter",
    "ä" * 100,
    "add",
    b"\x00\xff",
    Encoding.MSGPACK,
    Encoding.JSON,
    "key",
    (("a", "1"), ("a", "2")),
    "cid",
    NOW_MS + 500,
    3,
)
FAILURE = Failure("AK2001", "out_of_range", "no", "unknown", b"{}", 7, 418, "Own", b"[]")
REPLIES = [
    Reply(),
    Reply(b"1", None, (("a", "b"),), 1023, Position(2**64 - 1, 2**40, 2**40), replayed=True),
    Reply(failure=FAILURE),
    Reply(shard=3, forward=MESSAGE),
]
GOOD = wire.encode_batch(ENVELOPE, [wire.encode_request(1, 0, MESSAGE)])


def test_everything_comes_through() -> None:
    frames = [wire.encode_request(5, 2, MESSAGE), wire.encode_anew(3, 4)]
    frames += [wire.encode_answer(number, reply) for number, reply in enumerate(REPLIES, 1)]
    read = wire.decode_batch(wire.encode_batch(ENVELOPE, frames), NOW_MS)
    assert read.envelope == ENVELOPE
    assert read.frames == [
        wire.Request(5, 2, MESSAGE),
        wire.Anew(3, 4),
        *(wire.Answer(number, reply) for number, reply in enumerate(REPLIES, 1)),
    ]


def test_every_field_of_a_message_and_a_reply_travels() -> None:
    """A field added to one of these must be added to the wire, with a new version of it.

    What never travels: `Reply.before`, for replies of actions do not leave their host before it is
    done; and what only views look at, who are answered where they are asked: `after` and `resume`
    of a message, `token`, `event` and `mark` of a reply.
    """
    assert wire.PROTOCOL == 1
    assert len(msgspec.structs.fields(Message)) == 12 + 2
    assert len(msgspec.structs.fields(Reply)) == 8 + 3
    with pytest.raises(AssertionError):
        wire.encode_answer(1, Reply(before=(MESSAGE,)))
    assert len(msgspec.structs.fields(Failure)) == 9


def test_the_envelope_never_takes_more_than_its_room() -> None:
    largest = wire.Envelope(
        store=2**63, incarnation=2**63, to_store=2**63, to_incarnation=2**63,
        session=2**63, number=2**63, sent_ms=2**63,
    )  # fmt: skip
    frame = wire.encode_anew(0, 0)
    batch = wire.encode_batch(largest, [frame] * 20_000)
    assert len(batch) - 20_000 * len(frame) < wire.ENVELOPE_BYTES_MAX


def test_a_large_payload_comes_through() -> None:
    message = msgspec.structs.replace(MESSAGE, payload=b"\x01" * 12_000_000)
    batch = wire.encode_batch(ENVELOPE, [wire.encode_request(1, 0, message)])
    assert wire.decode_batch(batch, NOW_MS).frames == [wire.Request(1, 0, message)]


@pytest.mark.parametrize(
    "behind_ms,deadline_ms,expected_ms",
    [
        (0, NOW_MS + 500, NOW_MS + 500),
        (-20, NOW_MS + 500, NOW_MS + 500),  # 20 ms on the way, or a clock that is ahead
        (3_000, NOW_MS + 500, NOW_MS - 2_500),  # a clock that is behind: what was left counts
        (3_000, 0, 0),
        (2 * NOW_MS, NOW_MS + 500, 1),  # never 0, which is no deadline
    ],
)
def test_a_deadline_is_put_into_the_receivers_time(
    behind_ms: int, deadline_ms: int, expected_ms: int
) -> None:
    message = msgspec.structs.replace(MESSAGE, deadline_ms=deadline_ms)
    batch = wire.encode_batch(ENVELOPE, [wire.encode_request(1, 0, message)])
    (frame,) = wire.decode_batch(batch, NOW_MS - behind_ms).frames
    assert isinstance(frame, wire.Request)
    assert frame.message.deadline_ms == expected_ms


@pytest.mark.parametrize(
    "bad,says",
    [
        (b"", "version 1, found nothing"),
        (b"\x02" + GOOD[1:], "version 1, found version 2"),
        (GOOD[:-1], "truncated"),
        (GOOD + b"\x00", "trailing"),
        (b"\x01\xc0", "Expected `array`"),
        (b"\x01" + b"\x91" * 100_000, "cannot be read"),
        (wire.encode_batch(ENVELOPE, [b"\x93\x09\x01\x01"]), "Invalid value 9"),
        (wire.encode_batch(ENVELOPE, [b"\x93\x03\xff\x01"]), ">= 0"),
        (wire.encode_batch(ENVELOPE, [b"\x94\x03\x00\x01\x01"]), "at most length 2"),
        (GOOD.replace(b"counter", b"count\xffr"), "cannot be read"),
    ],
)
def test_what_is_no_batch_is_refused(bad: bytes, says: str) -> None:
    with pytest.raises(wire.WireError, match=says):
        wire.decode_batch(bad, NOW_MS)


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else(noise: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_batch(b"\x01" + noise, NOW_MS)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_flipped_byte_is_read_or_refused(flips: list[tuple[int, int]]) -> None:
    frames = [wire.encode_request(1, 0, MESSAGE), wire.encode_anew(3, 4)]
    frames += [wire.encode_answer(number, reply) for number, reply in enumerate(REPLIES, 1)]
    batch = bytearray(wire.encode_batch(ENVELOPE, frames))
    for place, value in flips:
        batch[place % len(batch)] = value
    refused = ""
    try:
        read = wire.decode_batch(bytes(batch), NOW_MS)
        assert read.envelope.number >= 1
    except wire.WireError as error:
        refused = str(error)
    assert not refused or "version 1" in refused
