"""Cursors of a shard: an order moves some, the others stay, and a restart finds them all."""

from __future__ import annotations

import pytest

from actorkalix_cluster.shardhost.cursors import (
    CURSORS,
    Cursor,
    CursorBehavior,
    Parked,
    move_order,
    pack_cursors,
    unpack_cursors,
)
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_storage.api import Head, History, Position, StoredRecord

A = Cursor("a", 7, 1, 10, (Parked("cart", "c1", 3, 8, 2, 100, "no"),))
B = Cursor("b", 7, 1, 20)


def test_they_come_back_as_they_were_packed() -> None:
    assert unpack_cursors(pack_cursors([A, B])) == {"a": A, "b": B}


def test_what_a_parked_subject_needs_was_not_passed() -> None:
    assert A.position == Position(7, 1, 10)
    assert A.passed == Position(7, 1, 7)
    assert B.passed == B.position


def test_an_order_moves_what_it_names() -> None:
    behavior = CursorBehavior()
    first = behavior.step(behavior.empty("5:"), move_order("5:", [A, B]), 1)
    moved = Cursor("a", 7, 1, 11)
    second = behavior.step(first.instance, move_order("5:", [moved]), 2)
    assert dict(second.instance.cursors) == {"a": moved, "b": B}
    (record,) = second.records
    assert (record.component, record.entity, record.number) == (CURSORS, "5:", 2)
    stored = StoredRecord(5, Position(7, 1, 30), (1, 29), 2, 29, record)
    history = History(Head(2, 2, 29, 1, 30, 30), None, (stored,))
    assert behavior.restore("5:", history) == second.instance
    assert unpack_cursors(behavior.snapshot(second.instance).payload) == second.instance.cursors


def test_other_messages_change_nothing() -> None:
    behavior = CursorBehavior()
    board = behavior.empty("5:")
    for message in (
        Message(MessageKind.QUERY, CURSORS, "5:", "move"),
        Message(MessageKind.COMMAND, CURSORS, "5:", "look"),
        Message(MessageKind.EXPIRE, CURSORS, "5:"),
    ):
        assert behavior.step(board, message, 1).records == ()


def test_keys_never_come_here() -> None:
    with pytest.raises(AssertionError):
        CursorBehavior().key_hash(move_order("5:", [A]))
