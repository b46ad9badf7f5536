"""Links whose batches are lost: which session is given up, and what becomes of what was sent."""

from __future__ import annotations

import asyncio

from actorkalix.runtime.virtual import settle
from tests.unit.cluster.shardhost.net import Way, net, outcome_of, send, stored
from tests.unit.cluster.shardhost.rig import run, total_of


def test_a_session_that_is_stuck_is_given_up_and_the_next_one_works() -> None:
    async def case() -> None:
        async with net(attempts_max=2, batches_in_flight_max=2) as n:
            n.nodes[1].committer.hold_commits = True
            heard = send(n)
            await settle()
            n.held = True
            command, query = send(n), send(n, "tell")
            await settle()
            behind = send(n)
            await settle()
            queued = send(n)
            late = n.parcels[0]
            late.tell(OSError("nobody knows"))
            await n.clock.advance(20)
            n.parcels.pop().tell(OSError("nobody knows"))
            assert heard.reply is None, "it was acknowledged before: its answer comes"
            assert outcome_of(command.reply) == ("AK3101", "unknown")
            assert outcome_of(query.reply) == ("AK3004", "not_executed")
            assert outcome_of(behind.reply) == ("AK3101", "unknown")
            assert outcome_of(queued.reply) == ("AK3004", "not_executed")
            n.parcels.clear()
            n.held = False
            await n.deliver()
            again = send(n)
            n.nodes[1].committer.hold_commits = False
            await n.nodes[1].committer.release()
            await n.deliver()
            late.arrive()
            await settle()
            assert total_of(heard.reply) == 1
            assert total_of(again.reply) == 2
            assert await stored(n) == 2, "what comes late of the former session is refused"

    run(case())


def test_a_batch_that_never_comes_breaks_the_session_and_nothing_behind_it_is_run() -> None:
    async def case() -> None:
        async with net(gap_wait_ms=1_000) as n:
            first = send(n)
            await settle()
            n.held = True
            lost = send(n)
            await settle()
            n.nodes[1].links.receive(b"\x01" + n.parcels[0].batch[2:])
            n.parcels.pop().tell()
            behind = send(n)
            await settle()
            n.held = False
            await n.deliver()
            await n.clock.advance(999)
            assert behind.reply is None
            opened: list[int] = []
            n.nodes[0].links.on_connected = opened.append
            await n.clock.advance(1)
            assert total_of(first.reply) == 1
            assert outcome_of(lost.reply) == ("AK3004", "not_executed")
            assert outcome_of(behind.reply) == ("AK3004", "not_executed")
            assert opened == [1], "the router sends them again"
            again = send(n)
            await settle()
            assert total_of(again.reply) == 2
            assert n.nodes[1].links.stats()[0].sessions == 1

    run(case())


def test_when_answers_are_lost_commands_are_unknown() -> None:
    async def case() -> None:
        async with net(gap_wait_ms=1_000) as n:
            command, query = send(n), send(n, "tell")
            n.held = True
            n.nodes[0].links.connect(1, 1, Way(n, n.nodes[0], n.nodes[1]))
            await settle()
            n.parcels.pop(0).through()
            await settle()
            n.parcels.pop(0).tell()  # of the answers: it is said to be there, and is not
            n.held = False
            behind = send(n)
            await settle()
            assert (command.reply, behind.reply) == (None, None)
            await n.clock.advance(1_000)
            assert outcome_of(command.reply) == ("AK3101", "unknown")
            assert outcome_of(behind.reply) == ("AK3101", "unknown")
            assert outcome_of(query.reply) == ("AK3004", "not_executed")
            assert await stored(n) == 2
            again = send(n)
            await settle()
            assert total_of(again.reply) == 3

    run(case())


def test_both_directions_may_break_at_once() -> None:
    async def case() -> None:
        async with net(gap_wait_ms=1_000) as n:
            there, here = n.entity_of(1), n.entity_of(0)
            n.held = True
            asked = [n.nodes[0].ask("add", 1, there), n.nodes[1].ask("add", 1, here)]
            await settle()
            for parcel in n.parcels:
                parcel.tell()
            n.parcels.clear()
            n.held = False
            asked += [n.nodes[0].ask("add", 1, there), n.nodes[1].ask("add", 1, here)]
            await n.clock.advance(7_000)
            replies = await asyncio.gather(*asked)
            assert {reply.failure is None or reply.failure.outcome for reply in replies} <= {
                True, "unknown"
            }  # fmt: skip
            last = [n.nodes[0].ask("add", 1, there), n.nodes[1].ask("add", 1, here)]
            await settle()
            assert [reply.failure for reply in await asyncio.gather(*last)] == [None, None]
            assert [node.links.stats()[1 - i].left for i, node in n.nodes.items()] == [0, 0]

    run(case())
