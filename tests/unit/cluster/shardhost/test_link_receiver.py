"""What comes from a peer: in order, each once, and nothing more of a session that is broken."""

from __future__ import annotations

import itertools

import pytest

from actorkalix_cluster.shardhost.link_receiver import Receiver
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_cluster.shardhost.wire import Batch, Envelope, Request


def batch(number: int, session: int = 1) -> Batch:
    """An empty batch."""
    envelope = Envelope(
        store=0, incarnation=1, to_store=1, to_incarnation=1,
        session=session, number=number, sent_ms=0,
    )  # fmt: skip
    return Batch(envelope, [])


def numbers(ready: list[Batch]) -> list[int]:
    """Numbers of batches."""
    return [each.envelope.number for each in ready]


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3, 4])))
def test_any_order_becomes_the_right_one(order: tuple[int, ...]) -> None:
    receiver = Receiver(16)
    taken = [each for number in order for each in numbers(receiver.take(batch(number)))]
    assert taken == [1, 2, 3, 4]
    assert not receiver.gap
    assert receiver.refused == 0


def test_what_was_sent_twice_is_taken_once() -> None:
    receiver = Receiver(16)
    assert numbers(receiver.take(batch(2))) == []
    assert numbers(receiver.take(batch(2))) == []
    assert numbers(receiver.take(batch(1))) == [1, 2]
    assert numbers(receiver.take(batch(1))) == []
    assert numbers(receiver.take(batch(2))) == []


def test_what_is_too_far_ahead_is_refused() -> None:
    receiver = Receiver(2)
    assert numbers(receiver.take(batch(4))) == []
    assert (receiver.refused, receiver.gap) == (1, False)
    assert numbers(receiver.take(batch(3))) == []
    assert (receiver.refused, receiver.gap) == (1, True)
    assert numbers(receiver.take(batch(1))) == [1]
    assert numbers(receiver.take(batch(2))) == [2, 3]


def test_a_new_session_begins_anew_and_the_former_is_over() -> None:
    receiver = Receiver(16)
    assert numbers(receiver.take(batch(1))) == [1]
    assert numbers(receiver.take(batch(3))) == []
    assert numbers(receiver.take(batch(1, session=3))) == [1]
    assert receiver.refused == 1, "the third of the first session was kept in vain"
    assert numbers(receiver.take(batch(2))) == []
    assert numbers(receiver.take(batch(1, session=2))) == []
    assert receiver.refused == 3
    assert numbers(receiver.take(batch(2, session=3))) == [2]


def test_of_a_broken_session_nothing_more_is_taken() -> None:
    receiver = Receiver(16)
    assert numbers(receiver.take(batch(2))) == []
    assert receiver.give_up() == 1
    assert not receiver.gap
    assert numbers(receiver.take(batch(1))) == []
    assert numbers(receiver.take(batch(2))) == []
    assert numbers(receiver.take(batch(1, session=2))) == [1]


def request(number: int, round_: int, entity: str) -> Request:
    """A request for an entity."""
    return Request(number, round_, Message(MessageKind.COMMAND, "c", entity))


def test_who_follows_one_that_was_turned_away_is_turned_away_until_the_sender_knows() -> None:
    receiver = Receiver(16)
    assert not receiver.refuses(request(1, 0, "a"))
    receiver.turned_away(0, "c", "a")
    assert receiver.refuses(request(2, 0, "a"))
    assert not receiver.refuses(request(3, 0, "b"))
    assert not receiver.refuses(request(4, 1, "a"))
    assert not receiver.refuses(request(5, 1, "a"))
    receiver.turned_away(0, "c", "a")
    assert not receiver.refuses(request(6, 1, "a")), "that was of an earlier round"
    assert receiver.taken == 6
