"""Lines of messages: first sent stands first, whoever comes back later."""

from __future__ import annotations

from actorkalix_cluster.shardhost.messages import Message, MessageKind, Reply
from actorkalix_cluster.shardhost.observer import SilentObserver
from actorkalix_cluster.shardhost.parked import Line, Parked
from actorkalix_cluster.shardhost.ticket import Desk
from tests.unit.cluster.shardhost.rig import run


def test_a_line_is_in_the_order_of_first_sending() -> None:
    async def case() -> None:
        desk = Desk(SilentObserver())
        tickets = [desk.open(Message(MessageKind.COMMAND, "c", str(n))) for n in range(4)]
        parked = [Parked(ticket, 0, 1, 2) for ticket in tickets]
        line = Line(0)
        for index in (2, 0, 3, 1):
            line.add(parked[index])
        assert line.take() == parked
        assert line.over
        assert parked[1].whom == ("c", "1")

    run(case())


def test_a_line_is_over_when_nobody_stands_in_it_and_nobody_is_awaited() -> None:
    async def case() -> None:
        desk = Desk(SilentObserver())
        ticket = desk.open(Message(MessageKind.COMMAND, "c", "e"))
        line = Line(0)
        line.underway.append(ticket)
        line.probe = ticket
        assert (line.over, line.probing) == (False, True)
        desk.answer(ticket, Reply())
        assert (line.over, line.probing) == (True, False)

    run(case())


def test_a_caller_is_told_once() -> None:
    ticket = Desk(SilentObserver()).open(Message(MessageKind.COMMAND, "c", "e"))
    parked = Parked(ticket, 0, 1, 2)
    told: list[Reply] = []
    parked.then(told.append)
    parked.tell(Reply(b"1"))
    parked.tell(Reply(b"2"))
    assert (told, parked.reply) == ([Reply(b"1")], Reply(b"1"))


def test_what_is_told_before_anybody_listens_is_kept() -> None:
    ticket = Desk(SilentObserver()).open(Message(MessageKind.COMMAND, "c", "e"))
    parked = Parked(ticket, 0, 1, 2)
    parked.tell(Reply(b"1"))
    assert parked.reply == Reply(b"1")
