"""Dead letters: kept with the whole record, counted, dropped without a trace."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.cursors import Parked
from actorkalix_cluster.shardhost.dead_letters import (
    DEAD_LETTERS,
    DeadLetterBehavior,
    Kept,
    consumer_of,
    drop_order,
    failed_order,
    get_query,
    letter_id,
    letter_of,
    put_order,
    unpack_letter,
)
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_cluster.shardhost.progress import Entry
from actorkalix_storage.api import Head, History, Position, Record, RecordKind, StoredRecord

ENTRY = Entry(5, Position(7, 2, 30), 4, Record(RecordKind.EVENT, "cart", "c1", 3, 100, b"pen"))
PARKED = Parked("cart", "c1", 3, 30, 10, 200, "ValueError: no")
LETTER = letter_of("bill:cart", ENTRY, PARKED, 900)
BEHAVIOR = DeadLetterBehavior()


def kept() -> Kept:
    return BEHAVIOR.step(BEHAVIOR.empty(LETTER.id), put_order(LETTER), 1_000).instance


def test_a_letter_is_named_by_place_and_consumer_and_lies_in_its_shard() -> None:
    assert LETTER.id == letter_id(5, "bill:cart", 30) == "5:bill:cart/30"
    assert shard_of(DEAD_LETTERS, LETTER.id, 16) == 5
    assert consumer_of(LETTER.id) == "bill:cart"


@pytest.mark.parametrize("odd", ["", "x", "5:", "5:bill", "5:bill/x", "x:bill/3", "٣:bill/3"])
def test_what_is_no_id_is_of_nobody(odd: str) -> None:
    assert consumer_of(odd) == ""


def test_the_entry_comes_back_as_it_was() -> None:
    assert unpack_letter(put_order(LETTER).payload).entry() == ENTRY


def test_a_letter_is_put_found_again_and_dropped() -> None:
    step = BEHAVIOR.step(BEHAVIOR.empty(LETTER.id), put_order(LETTER), 1_000)
    (record,) = step.records
    assert (record.kind, record.component, record.number) == (RecordKind.STATE, DEAD_LETTERS, 1)
    assert step.forget
    stored = StoredRecord(5, Position(7, 2, 40), (0, 0), 1, 40, record)
    history = History(Head(1, 1, 40, 2, 40, 40), None, (stored,))
    found = BEHAVIOR.restore(LETTER.id, history)
    assert BEHAVIOR.version(found) == 1
    told = BEHAVIOR.step(found, get_query(LETTER.id), 1_100)
    assert unpack_letter(told.reply.payload) == LETTER
    assert told.records == ()
    dropped = BEHAVIOR.step(found, drop_order(LETTER.id), 1_200)
    assert [each.kind for each in dropped.records] == [RecordKind.CLEANED]
    assert msgspec.msgpack.decode(dropped.reply.payload) is True
    again = BEHAVIOR.step(dropped.instance, drop_order(LETTER.id), 1_300)
    assert again.records == ()
    assert msgspec.msgpack.decode(again.reply.payload) is False
    assert BEHAVIOR.step(dropped.instance, get_query(LETTER.id), 1_400).reply.payload == b""


def test_another_attempt_is_counted() -> None:
    step = BEHAVIOR.step(kept(), failed_order(LETTER.id, "KeyError: 3"), 2_000)
    letter = step.instance.letter
    assert letter is not None
    assert (letter.attempts, letter.failure, letter.failed_ms) == (11, "KeyError: 3", 2_000)
    assert (letter.since_ms, letter.payload) == (200, b"pen")
    assert BEHAVIOR.step(BEHAVIOR.empty("5:x/1"), failed_order("5:x/1", "no"), 1).records == ()


def test_other_messages_change_nothing_and_keys_never_come_here() -> None:
    for message in (
        Message(MessageKind.EXPIRE, DEAD_LETTERS, LETTER.id),
        Message(MessageKind.COMMAND, DEAD_LETTERS, LETTER.id, "sing"),
    ):
        assert BEHAVIOR.step(kept(), message, 1).records == ()
    with pytest.raises(AssertionError):
        BEHAVIOR.key_hash(put_order(LETTER))
    with pytest.raises(AssertionError):
        BEHAVIOR.remembered(put_order(LETTER), b"")
    assert BEHAVIOR.snapshot(kept()).number == 1
