"""What feeds and their targets say travels as bytes."""

from __future__ import annotations

from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    Again,
    Answer,
    Batch,
    Fed,
    Held,
    Range,
    Standing,
    fed_of,
    pack_answer,
    pack_batch,
    place_of,
    unpack_answer,
    unpack_batch,
)
from actorkalix_storage.api import Position, Record, RecordKind

HELD = Held(3, "cart", "c1", "carts", "c1", 4, 17, 2, 1_000, "it fails")
FED = Fed(1, "cart", "c1", 5, 6, 2, 1, 17, 1_000, b"an event")


def test_a_batch_comes_as_it_was() -> None:
    part = Range(3, BEGINNING, (2**64 - 1, 1, 17), 20, (FED,))
    batch = Batch(1, 0, 16, 5, (1, 2), ((4, (7, 1, 3)),), (part,), (Again(HELD, 18, (FED,)),))
    assert unpack_batch(pack_batch(batch)) == batch


def test_an_answer_comes_as_it_was() -> None:
    answer = Answer("one", (Standing(3, (7, 1, 20), (HELD,)),), 0, "")
    assert unpack_answer(pack_answer(answer)) == answer


def test_what_is_held_is_not_passed() -> None:
    assert Standing(3, (7, 1, 20)).passed == 20
    assert Standing(3, (7, 1, 20), (HELD,)).passed == 16


def test_a_notice_travels_without_its_bytes() -> None:
    at = Position(7, 2, 9)
    event = Record(RecordKind.EVENT, "cart", "c1", 5, 1_000, b"an event")
    assert fed_of(event, at, 6, 2) == Fed(1, "cart", "c1", 5, 6, 2, 2, 9, 1_000, b"an event")
    deleted = Record(RecordKind.DELETED, "cart", "c1", 5, 1_000, b"a reply")
    assert fed_of(deleted, at, 7, 2).payload == b""
    assert place_of(at) == (7, 2, 9)
