"""Links between hosts: what comes through, and what becomes of it when peers or batches go."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost.link_sender import PeerEnded
from actorkalix_cluster.shardhost.links import Links
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_cluster.shardhost.router import Target
from actorkalix_cluster.shardhost.ticket import Ticket
from tests.unit.cluster.shardhost.counter import COUNTER
from tests.unit.cluster.shardhost.net import Way, net, outcome_of, send, stored
from tests.unit.cluster.shardhost.rig import number_of, run, total_of


def test_requests_go_and_answers_come_in_batches() -> None:
    async def case() -> None:
        async with net() as n:
            tickets = [send(n) for _ in range(100)]
            await settle()
            assert [total_of(ticket.reply) for ticket in tickets] == list(range(1, 101))
            answered = tickets[0].reply
            assert answered is not None
            assert answered.position is not None
            for node in n.nodes.values():
                (link,) = node.links.stats().values()
                assert (link.batches, link.left, link.queued_bytes) == (1, 0, 0)

    run(case())


def test_a_store_that_is_held_is_asked_nothing_and_settles_with_the_last_answer() -> None:
    async def case() -> None:
        async with net() as n:
            links, told = n.nodes[0].links, list[int]()
            under_way = [send(n) for _ in range(10)]
            links.hold({1})
            settled = asyncio.create_task(links.settled(1))
            assert outcome_of(send(n).reply) == ("AK3004", "not_executed")
            await settled
            assert all(ticket.reply is not None for ticket in under_way)
            links.on_connected = told.append
            links.hold(())
            assert told == [1], "what has waited may go"
            ticket = send(n)
            await settle()
            assert total_of(ticket.reply) == 11
            await links.settled(9)

    run(case())


def test_what_ends_has_settled() -> None:
    async def case() -> None:
        async with net() as n:
            ticket = send(n)
            settled = asyncio.create_task(n.nodes[0].links.settled(1))
            await asyncio.sleep(0)
            n.nodes[0].lose(n.nodes[1])
            await settled
            assert ticket.reply is not None

    run(case())


def test_a_failure_is_told_as_it_was_answered() -> None:
    async def case() -> None:
        async with net() as n:
            refused, unknown = send(n, "refuse"), send(n, entity=n.entity_of(1, 1), method="no")
            await settle()
            assert number_of(refused.reply) == "AK2001"
            assert number_of(unknown.reply) == "AK2010"

    run(case())


def test_a_store_without_a_way_is_away_at_once() -> None:
    async def case() -> None:
        async with net() as n:
            n.nodes[0].lose(n.nodes[1])
            assert outcome_of(send(n).reply) == ("AK3004", "not_executed")
            n.nodes[0].meet(n.nodes[1])
            assert outcome_of(send(n).reply) == ("AK3004", "not_executed"), "it has ended"
            nobody = n.nodes[0].links.target(9).send(Message(MessageKind.QUERY, COUNTER, "a"))
            assert outcome_of(nobody.reply) == ("AK3004", "not_executed")
            assert n.nodes[0].links.stats() == {}

    run(case())


@pytest.mark.parametrize("how", ["told by the transport", "told by name", "a newer one"])
def test_when_a_peer_ends_all_is_answered_at_once_with_what_is_known(how: str) -> None:
    async def case() -> None:
        async with net(batches_in_flight_max=1) as n:
            n.held = True
            left, query = send(n), send(n, "tell")
            await settle()
            queued = send(n)
            taken_back = send(n)
            assert taken_back.drop()
            await settle()
            if how == "told by the transport":
                n.parcels[0].tell(PeerEnded())
            elif how == "told by name":
                n.nodes[0].lose(n.nodes[1])
            else:
                n.nodes[0].links.connect(1, 2, Way(n, n.nodes[0], n.nodes[1]))
            assert outcome_of(left.reply) == ("AK3101", "unknown")
            assert outcome_of(query.reply) == ("AK3004", "not_executed")
            assert outcome_of(queued.reply) == ("AK3004", "not_executed")
            assert taken_back.reply is None

    run(case())


def test_what_an_ended_opening_still_says_is_refused() -> None:
    async def case() -> None:
        async with net() as n:
            n.held = True
            ticket = send(n)
            await settle()
            n.nodes[1].lose(n.nodes[0])
            n.parcels[0].arrive()
            await settle()
            assert n.nodes[1].links.refused == 1
            assert await stored(n) == 0
            assert ticket.reply is None

    run(case())


def test_a_batch_for_somebody_else_is_refused() -> None:
    async def case() -> None:
        async with net(3) as n:
            n.held = True
            send(n)
            await settle()
            n.nodes[2].links.receive(n.parcels[0].batch)
            n.nodes[0].links.receive(n.parcels[0].batch)
            assert (n.nodes[2].links.refused, n.nodes[0].links.refused) == (1, 1)
            await n.replace(1)
            n.nodes[1].links.receive(n.parcels[0].batch)
            await settle()
            assert n.nodes[1].links.refused == 1, "it was for the opening before"
            assert await stored(n) == 0

    run(case())


def test_answers_wait_for_a_way_to_an_opening_that_is_not_known_yet() -> None:
    async def case() -> None:
        async with net() as n:
            await n.replace(0)
            n.nodes[0].meet(n.nodes[1])
            ticket = send(n)
            await settle()
            assert ticket.reply is None
            assert await stored(n) == 1
            n.nodes[1].meet(n.nodes[0])
            await settle()
            assert total_of(ticket.reply) == 1

    run(case())


def test_a_batch_that_comes_twice_is_run_once() -> None:
    async def case() -> None:
        async with net() as n:
            n.held = True
            ticket = send(n)
            await settle()
            (parcel,) = n.parcels
            parcel.arrive()
            parcel.tell(OSError("nobody knows"))
            await n.clock.advance(1_000)
            n.held = False
            await n.deliver()
            assert total_of(ticket.reply) == 1
            assert await stored(n) == 1
            assert n.nodes[0].links.stats()[1].resent == 1

    run(case())


def test_more_than_the_link_takes_is_refused_and_what_was_taken_back_makes_room() -> None:
    async def case() -> None:
        async with net(pending_max=3, batches_in_flight_max=1) as n:
            n.held = True
            kept = [send(n)]
            await settle()
            kept += [send(n), send(n)]
            assert outcome_of(send(n).reply) == ("AK3001", "not_executed")
            assert kept[1].drop()
            kept.append(send(n))
            assert outcome_of(send(n).reply) == ("AK3001", "not_executed")
            n.held = False
            await n.deliver()
            assert [ticket.reply is not None for ticket in kept] == [True, False, True, True]

    run(case())


def test_more_bytes_than_the_link_keeps_are_refused() -> None:
    async def case() -> None:
        async with net(queued_bytes_max=1_000) as n:
            first = send(n, payload=b"1".rjust(2_000))
            assert outcome_of(send(n).reply) == ("AK3001", "not_executed")
            await settle()
            assert total_of(first.reply) == 1

    run(case())


def test_twelve_megabytes_come_through_both_ways() -> None:
    async def case() -> None:
        async with net() as n:
            large = send(n, payload=b"7".rjust(12_000_000))
            small = send(n)
            await settle()
            assert (total_of(large.reply), total_of(small.reply)) == (7, 8)
            request = n.nodes[1].ask("add", "7".rjust(12_000_000), n.entity_of(0))
            await settle()
            assert total_of(await request) == 7

    run(case())


def test_a_message_that_cannot_be_written_harms_itself_alone() -> None:
    async def case() -> None:
        async with net() as n:
            bad = send(n, entity="\ud800")
            good = send(n)
            await settle()
            assert number_of(bad.reply) == "AK9001"
            assert total_of(good.reply) == 1

    run(case())


class Raising:
    """A host with a bug."""

    def __init__(self, host: Target) -> None:
        self._host = host

    def send(self, message: Message, /) -> Ticket:
        if message.method == "bad":
            raise RuntimeError("a bug")
        return self._host.send(message)


def test_a_host_that_raises_harms_one_message() -> None:
    async def case() -> None:
        async with net() as n:
            node = n.nodes[1]
            node.links = Links(1, 1, Raising(node.host), clock=n.clock)
            node.meet_all()
            bad, good = send(n, "bad"), send(n)
            await settle()
            assert number_of(bad.reply) == "AK9001"
            assert total_of(good.reply) == 1

    run(case())


def test_a_caller_who_goes_away_takes_what_has_not_left() -> None:
    async def case() -> None:
        async with net(batches_in_flight_max=1) as n:
            n.held = True
            left = n.nodes[0].ask("add", 2, n.entity_of(1))
            await settle()
            gone = n.nodes[0].ask("add", 1, n.entity_of(1))
            await settle()
            gone.cancel()
            left.cancel()
            await settle()
            n.held = False
            await n.deliver()
            assert await stored(n) == 2
            assert n.nodes[0].links.stats()[1].left == 0

    run(case())
