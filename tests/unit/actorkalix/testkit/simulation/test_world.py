"""The simulated world: what becomes of hosts, and of what they were asked."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.testkit.checking import Ownership
from actorkalix.testkit.simulation.disk import DISK_FAILED
from actorkalix.testkit.simulation.faults import CrashPoint
from actorkalix.testkit.simulation.world import HANG_US
from actorkalix_storage.api import RecordKind, RefusalKind, Refused

from .worlds import Life, add, call, calm, fault, live, pass_ms, plan_of

FAR = 10_000_000


def owners(life: Life, store: int) -> list[Ownership]:
    """Who has taken the first of a store's shards, in order."""
    shard = life.world.homes.of_store(store)[0]
    return [each for each in life.world.ownerships if each.shard == shard]


# ---- ends ----------------------------------------------------------------------------------------
def test_a_killed_host_is_followed_by_another() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(2, entity=life.entity_at(0)))
        former = life.host(0)
        await life.world.afflict(fault("kill"))
        assert not former.process.alive
        assert [host.number for host in life.world.serving] == [1]
        host = await life.serves(0)
        assert (former.incarnation, host.incarnation) == (1, 2)
        await life.ask(call("get", entity=life.entity_at(0)))

    life = live(plan_of(rates=calm(restart_min_us=7_000)), script)
    first, second = owners(life, 0)
    assert first.epoch < second.epoch
    assert (first.writer, second.writer) == ("host 0.1", "host 0.2")
    (killed,), (serves,) = life.traced("host 0.1: killed"), life.traced("host 0.2: serves")
    assert serves - killed >= 7_000, "after a while"
    assert life.values == [{"amount": 2, "last": 2}, {"amount": 2, "last": 2}]


def test_a_host_that_stops_goes_on_as_the_same() -> None:
    answers: list[int] = []

    async def script(life: Life) -> None:
        host, entity = life.host(0), life.entity_at(0)
        await life.world.afflict(fault("pause", length_us=HANG_US - 1))
        replies = life.through(host, add(1, entity=entity))
        await pass_ms(HANG_US / 1000 - 10)
        answers.append(len(replies))
        await pass_ms(20)
        answers.append(len(replies))
        assert life.host(0) is host

    live(plan_of(), script)
    assert answers == [0, 1]


def test_a_host_that_stops_for_too_long_is_killed() -> None:
    async def script(life: Life) -> None:
        await life.world.afflict(fault("pause", length_us=HANG_US))
        former = life.host(0)
        assert (await life.serves(0, former)).incarnation == 2

    life = live(plan_of(), script)
    (paused,), (killed,) = life.traced("fault: "), life.traced("host 0.1: killed")
    assert killed - paused == HANG_US


def test_a_host_that_goes_on_before_is_not_killed() -> None:
    async def script(life: Life) -> None:
        host = life.host(0)
        await life.world.afflict(fault("pause", length_us=HANG_US))
        await life.world.heal()
        await pass_ms(2 * HANG_US / 1000)
        assert life.host(0) is host
        assert host.process.alive

    live(plan_of(), script)


def test_a_host_whose_disk_fails_ends_and_is_followed_by_another() -> None:
    async def script(life: Life) -> None:
        former = life.host(0)
        life.world.conditions.rates = calm(commit_breaks=1)
        life.through(former, add(1, entity=life.entity_at(0)))
        await life.world.until(lambda: not former.process.alive)
        life.world.conditions.rates = calm()
        assert (await life.serves(0)).incarnation == 2

    life = live(plan_of(), script)
    (reason,) = life.world.fatal
    assert DISK_FAILED in reason


@pytest.mark.parametrize("point, stored", [("before_write", 0), ("after_write", 1)])
def test_a_host_dies_at_a_step_of_the_commit_path(point: CrashPoint, stored: int) -> None:
    async def script(life: Life) -> None:
        await life.ask(add(1))
        await life.world.all_serve()

    life = live(plan_of(rates=calm(crash_at={point: 1.0}, torn=1)), script)
    assert life.outcomes == ["unknown"]
    assert len([e for e in life.stored() if e.kind is RecordKind.EVENT]) == stored
    assert life.traced(f"dies at {point}")


def test_a_reply_that_is_lost_with_its_host() -> None:
    async def script(life: Life) -> None:
        life.world.plan = plan_of(rates=calm(crash_at={"before_reply": 1.0}))
        await life.ask(add(1))
        await life.world.heal()
        await life.ask(call("get"))

    life = live(plan_of(), script)
    assert life.outcomes == ["unknown", "ok"]
    assert life.values[1] == {"amount": 1, "last": 1}


# ---- replaced ------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(5))
def test_of_a_host_that_is_replaced_nothing_is_unknown(seed: int) -> None:
    """Neither of what it was asked directly, nor of what others ask it for their clients."""

    async def script(life: Life) -> None:
        async def asks(client: int) -> None:
            for number in range(30):
                entity = life.entity_at(number % 2)
                await life.ask(add(1, entity=entity, number=number), f"c{client}")

        asked = asyncio.gather(*(asks(client) for client in range(4)))
        await pass_ms(1)
        former = life.host(0)
        await life.world.afflict(fault("replace"))
        assert not former.process.alive
        assert (await life.serves(0)).incarnation == 2
        await asked

    life = live(plan_of(hosts=3, rates=calm(commit_mean_us=500), seed=seed), script)
    assert life.outcomes == ["ok"] * 120
    assert life.traced("host 0.1: has ended")
    assert not life.traced("killed")


def test_what_others_would_ask_waits_for_the_next_host() -> None:
    """A host that is replaced answers its own client, who has been there before."""

    async def script(life: Life) -> None:
        former, other, entity = life.host(0), life.host(1), life.entity_at(0)
        mine = life.through(former, add(1, entity=entity))
        await pass_ms(10)
        replaced = asyncio.ensure_future(life.world.replace(0))
        await pass_ms(10)
        theirs = life.through(other, add(2, entity=entity))
        await replaced
        await life.serves(0)
        await pass_ms(100)
        payloads = [reply.payload for reply in (*mine, *theirs)]
        assert payloads == [b'{"amount":1,"last":1}', b'{"amount":3,"last":2}']

    life = live(plan_of(rates=calm(commit_min_us=50_000)), script)
    events = [each for each in life.stored() if each.kind is RecordKind.EVENT]
    assert [each.writer for each in events] == ["host 0.1", "host 0.2"]


def test_what_is_on_its_way_to_a_host_is_answered_before_it_is_replaced() -> None:
    async def script(life: Life) -> None:
        found = life.through(life.host(1), add(1, entity=life.entity_at(0)))
        await pass_ms(0.5)
        await life.world.replace(0)
        assert [reply.failure for reply in found] == [None]

    live(plan_of(rates=calm(network_min_us=3_000)), script)


def test_a_host_that_dies_while_it_is_replaced_is_followed_by_one_that_is_asked() -> None:
    """Others were told to keep what they have for it, and not for longer."""

    async def script(life: Life) -> None:
        other, former, entity = life.host(1), life.host(0), life.entity_at(0)
        former.process.pause()  # it neither answers nor ends
        life.through(other, add(1, entity=entity))
        await pass_ms(5)
        replaced = asyncio.ensure_future(life.world.replace(0))
        await pass_ms(5)
        life.world.kill(0)
        await life.serves(0)
        await pass_ms(5)
        found = life.through(other, call("get", entity=entity))
        await pass_ms(5)
        assert [reply.failure for reply in found] == [None]
        await replaced

    live(plan_of(), script)


def test_a_host_that_is_replaced_waits_for_nobody_who_is_dead() -> None:
    async def script(life: Life) -> None:
        other, former, entity = life.host(1), life.host(0), life.entity_at(0)
        other.process.pause()
        life.through(other, add(1, entity=entity))
        replaced = asyncio.ensure_future(life.world.replace(0))
        await pass_ms(5)
        life.world.kill(1)
        await life.serves(0, former)
        await replaced

    life = live(plan_of(), script)
    (asked,), (ended,) = life.traced("is to be replaced"), life.traced("has ended")
    assert ended - asked < 100_000


def test_one_host_is_replaced_at_a_time() -> None:
    async def script(life: Life) -> None:
        await asyncio.gather(*(life.world.afflict(fault("replace", host=n)) for n in (0, 1)))
        await life.world.all_serve()

    life = live(plan_of(), script)
    assert len(life.traced("has ended")) == 1


# ---- other faults --------------------------------------------------------------------------------
def test_a_full_disk_takes_nothing_for_a_while() -> None:
    async def script(life: Life) -> None:
        entity = life.entity_at(0)
        await life.world.afflict(fault("full", length_us=20_000))
        await life.ask(add(1, entity=entity))
        await pass_ms(21)
        await life.ask(add(1, entity=entity))

    assert live(plan_of(), script).outcomes == ["not_executed", "ok"]


def test_a_clock_jumps() -> None:
    async def script(life: Life) -> None:
        clock = life.host(0).clock
        before = clock.now_ms()
        await life.world.afflict(fault("clock", amount=-3_000_000))
        assert clock.now_ms() == before - 3_000
        assert life.host(1).clock.now_ms() == before

    live(plan_of(), script)


@pytest.mark.parametrize("one_way, heard", [(1, True), (0, False)])
def test_two_hosts_are_parted(one_way: int, heard: bool) -> None:
    """What host 1 asks host 0 is executed when only the other direction is cut."""

    async def script(life: Life) -> None:
        entity = life.entity_at(0)
        parted = fault("partition", other=1, length_us=400_000, amount=one_way)
        await life.world.afflict(parted)
        found = life.through(life.host(1), add(1, entity=entity))
        await pass_ms(10)
        assert found == []
        assert any(each.entity == entity for each in life.stored()) is heard
        await pass_ms(2_000)
        assert [reply.failure for reply in found] == [None]

    live(plan_of(), script)


def test_a_fault_that_does_not_apply_is_none() -> None:
    async def script(life: Life) -> None:
        await life.world.afflict(fault("kill"))
        for kind in ("kill", "pause", "clock", "twin", "replace"):
            await life.world.afflict(fault(kind, length_us=1))
        await life.serves(0)

    life = live(plan_of(), script)
    assert len(life.traced("killed")) == 1
    assert len(life.traced("which finds nobody")) == 3


# ---- the roll ------------------------------------------------------------------------------------
def test_older_news_change_nothing() -> None:
    """News overtake each other here: that a host has ended comes after that another serves."""

    async def script(life: Life) -> None:
        entity, former = life.entity_at(0), life.host(0)
        life.world.plan = plan_of(hosts=3, rates=calm(network_mean_us=50_000))
        await life.world.afflict(fault("kill"))
        await life.serves(0, former)
        await pass_ms(1_100)
        for other in (1, 2):
            found = life.through(life.host(other), call("get", entity=entity))
            await pass_ms(5)
            assert [reply.failure for reply in found] == [None]

    for seed in range(10):
        live(plan_of(hosts=3, rates=calm(), seed=seed), script)


# ---- the end -------------------------------------------------------------------------------------
def test_everything_heals() -> None:
    async def script(life: Life) -> None:
        world = life.world
        world.conditions.rates = calm(drop=1, swallow=1, commit_fails=1)
        former = life.host(2)
        await world.afflict(fault("kill"))
        await world.afflict(fault("pause", host=1, length_us=FAR))
        await world.afflict(fault("full", host=1, length_us=FAR))
        await world.afflict(fault("partition", host=1, other=2, length_us=FAR))
        await world.afflict(fault("twin", host=2, length_us=FAR))
        await world.heal()
        assert not former.process.alive
        assert [host.number for host in world.serving] == [0, 1, 2]
        await world.afflict(fault("kill"))
        assert len(world.serving) == 3, "no more faults"
        for store in range(3):
            for through in range(3):
                found = life.through(life.host(through), add(1, entity=life.entity_at(store)))
                await pass_ms(5)
                assert [reply.failure for reply in found] == [None]

    live(plan_of(hosts=3), script)


def test_an_append_that_does_not_fit_is_remembered() -> None:
    async def script(life: Life) -> None:
        process = life.host(0).process
        life.world.refused(process, Refused(RefusalKind.OLD_EPOCH, "old"))
        life.world.refused(process, Refused(RefusalKind.SEALED, "sealed"))
        life.world.refused(process, Refused(RefusalKind.WRONG_PREVIOUS, "version 2, not 3"))
        life.world.refused(process, Refused(RefusalKind.INVALID, "too long"))

    misfits = live(plan_of(), script).world.misfits
    assert misfits == ["host 0.1: version 2, not 3", "host 0.1: too long"]
