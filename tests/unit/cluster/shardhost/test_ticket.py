"""Tickets: each is answered once, and dropped only before it is started."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.ticket import Answered, Desk, Stage
from tests.unit.cluster.shardhost.rig import Watcher, run

pytestmark = pytest.mark.usefixtures("hosting")

MESSAGE = Message(MessageKind.COMMAND, "c", "e", "m")


def test_a_ticket_is_answered_once() -> None:
    desk = Desk(Watcher())
    ticket = desk.open(MESSAGE)
    assert list(desk.pending) == [ticket]
    desk.answer(ticket, Reply(b"1"))
    assert (ticket.stage, ticket.reply, list(desk.pending)) == (Stage.ANSWERED, Reply(b"1"), [])
    with pytest.raises(AssertionError):
        desk.answer(ticket, Reply(b"2"))


def test_a_ticket_is_dropped_before_it_is_started_or_never() -> None:
    desk = Desk(Watcher())
    waiting, started = desk.open(MESSAGE), desk.open(MESSAGE)
    started.begin()
    assert waiting.drop()
    assert waiting.drop()
    assert not started.drop()
    desk.answer(waiting, Reply(b"1"))
    assert (waiting.stage, waiting.reply) == (Stage.DROPPED, None)
    assert list(desk.pending) == [started]


def test_it_is_waited_for_until_it_is_answered() -> None:
    async def case() -> None:
        desk = Desk(Watcher())
        ticket = desk.open(MESSAGE)
        waiting = asyncio.create_task(ticket.wait())
        empty = desk.when_empty()
        assert empty is desk.when_empty()
        await asyncio.sleep(0)
        desk.answer(ticket, Reply(b"1"))
        assert await waiting == await ticket.wait() == Reply(b"1")
        await empty
        await desk.when_empty()

    run(case())


def test_giving_up_tells_who_waits_and_leaves_the_message() -> None:
    async def case() -> None:
        desk = Desk(Watcher())
        ticket = desk.open(MESSAGE)
        ticket.begin()
        waiting = asyncio.create_task(ticket.wait())
        await asyncio.sleep(0)
        ticket.give_up(Reply(b"late"))
        assert await waiting == Reply(b"late")
        desk.answer(ticket, Reply(b"1"))
        assert ticket.reply == Reply(b"1")

    run(case())


def test_who_listens_is_told_in_the_moment_of_the_answer_and_once() -> None:
    desk = Desk(Watcher())
    ticket = desk.open(MESSAGE)
    told: list[Reply] = []
    ticket.then(told.append)
    with pytest.raises(AssertionError, match="one waits"):
        ticket.then(told.append)
    desk.answer(ticket, Reply(b"1"))
    ticket.give_up(Reply(b"late"))
    assert told == [Reply(b"1")]


def test_who_was_cancelled_is_told_nothing() -> None:
    async def case() -> None:
        answered = Answered()
        answered.future.cancel()
        answered.tell(Reply(b"1"))
        assert answered.future.cancelled()

    run(case())


def test_only_messages_of_callers_are_counted() -> None:
    watcher = Watcher()
    desk = Desk(watcher)
    for kind in MessageKind:
        desk.answer(desk.open(Message(kind, "c", "e")), Reply())
    assert watcher.numbers == ["", ""]


def test_what_waits_is_answered_all_at_once() -> None:
    desk = Desk(Watcher())
    waiting, started = desk.open(MESSAGE), desk.open(MESSAGE)
    started.begin()
    desk.drop_waiting(Reply(b"no"))
    assert (waiting.reply, started.reply) == (Reply(b"no"), None)


def test_who_has_to_know_at_once_is_told_before_who_waits() -> None:
    async def case() -> None:
        told: list[str] = []
        desk = Desk(Watcher())
        ticket = desk.open(MESSAGE)
        ticket.on_answer = lambda answered: told.append(f"answered {answered.reply}")
        waiting = asyncio.create_task(ticket.wait())
        waiting.add_done_callback(lambda _: told.append("waited"))
        await asyncio.sleep(0)
        desk.answer(ticket, Reply(b"1"))
        await waiting
        await asyncio.sleep(0)
        assert told == [f"answered {Reply(b'1')}", "waited"]

    run(case())


def test_a_ticket_is_open_until_it_is_answered_or_dropped() -> None:
    desk = Desk(Watcher())
    answered, dropped = desk.open(MESSAGE), desk.open(MESSAGE)
    assert (answered.open, dropped.open) == (True, True)
    answered.begin()
    assert (answered.open, dropped.open) == (True, True)
    desk.answer(answered, Reply())
    assert (answered.open, dropped.open) == (False, True)
    dropped.drop()
    assert (answered.open, dropped.open) == (False, False)
