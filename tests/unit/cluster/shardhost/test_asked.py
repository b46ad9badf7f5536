"""What a caller holds of a message that is under way."""

from __future__ import annotations

from actorkalix_cluster.shardhost.asked import Asked, too_late
from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.observer import SilentObserver
from actorkalix_cluster.shardhost.parked import Parked
from actorkalix_cluster.shardhost.ticket import Desk, Ticket


def ticket_of(kind: MessageKind = MessageKind.COMMAND) -> Ticket:
    return Desk(SilentObserver()).open(Message(kind, "c", "e"))


def test_it_tells_once() -> None:
    told: list[Reply] = []
    asked = Asked(told.append)
    asked.tell(Reply(b"1"))
    asked.tell(Reply(b"2"))
    assert told == [Reply(b"1")]


def test_it_tells_nothing_to_who_has_gone() -> None:
    told: list[Reply] = []
    asked = Asked(told.append)
    assert asked.forget() == told.append
    assert asked.forget() is None
    asked.tell(Reply(b"1"))
    assert told == []


def test_it_follows_what_was_turned_away() -> None:
    told: list[Reply] = []
    parked = Parked(ticket_of(), 0, 1, 2)
    asked = Asked(told.append)
    assert asked.follow(parked) is asked
    assert asked.parked is parked
    parked.tell(Reply(b"1"))
    assert told == [Reply(b"1")]


def test_what_was_answered_while_it_was_turned_away_is_there_at_once() -> None:
    told: list[Reply] = []
    parked = Parked(ticket_of(), 0, 1, 2)
    parked.tell(Reply(b"1"))
    assert Asked(told.append).follow(parked) == Reply(b"1")
    assert told == []


def test_too_late_is_not_executed_where_that_is_certain() -> None:
    waiting, started, query = ticket_of(), ticket_of(), ticket_of(MessageKind.QUERY)
    started.begin()
    query.begin()
    assert too_late(waiting).number == "AK3005"
    assert not waiting.open
    assert too_late(started).outcome == "unknown"
    assert too_late(query).number == "AK3005"
