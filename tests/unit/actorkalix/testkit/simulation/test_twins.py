"""A store that is open twice: its former host goes on beside a twin, and does no harm."""

from __future__ import annotations

import asyncio

from actorkalix_storage.api import RecordKind

from .worlds import Life, add, call, calm, fault, live, pass_ms, plan_of

FAR = 10_000_000


def test_the_former_host_of_a_twin_writes_nothing() -> None:
    failures: list[str] = []

    async def script(life: Life) -> None:
        entity, former = life.entity_at(0), life.host(0)
        await life.world.afflict(fault("twin", length_us=FAR))
        assert former.process.alive
        twin = await life.serves(0)
        assert twin is not former
        late = life.through(former, add(7, entity=entity))
        await pass_ms(5)
        failures.extend(each.failure.outcome for each in late if each.failure is not None)
        found = life.through(twin, add(1, entity=entity))
        await pass_ms(5)
        assert found[0].payload == b'{"amount":1,"last":1}'

    life = live(plan_of(), script)
    assert failures == ["not_executed"]
    events = [each for each in life.stored() if each.kind is RecordKind.EVENT]
    assert [each.writer for each in events] == ["host 0.2"]
    assert life.world.misfits == []


def test_callers_of_the_former_host_get_no_stale_answer() -> None:
    """What others ask after the twin was opened goes there, however late the news are."""

    async def script(life: Life) -> None:
        entity, former, other = life.entity_at(0), life.host(0), life.host(1)
        await life.ask(add(1, entity=entity))
        life.world.plan = plan_of(hosts=3, rates=calm(network_mean_us=50_000))
        await life.world.afflict(fault("twin", length_us=FAR))
        twin = await life.serves(0, former)
        life.through(twin, add(5, entity=entity))
        await pass_ms(2)
        found = life.through(other, call("get", entity=entity))
        await pass_ms(1_000)
        assert found[0].payload == b'{"amount":6,"last":5}'

    for seed in range(5):
        live(plan_of(hosts=3, seed=seed), script)


def test_the_former_host_goes_on_for_its_time() -> None:
    async def script(life: Life) -> None:
        former = life.host(0)
        await life.world.afflict(fault("twin", length_us=20_000))
        for ms, lives in ((19, True), (2, False)):
            await pass_ms(ms)
            assert former.process.alive is lives
        assert life.host(0).process.alive

    live(plan_of(), script)


def test_nobody_lives_on_when_the_twin_is_followed_by_another() -> None:
    async def script(life: Life) -> None:
        former = life.host(0)
        await life.world.afflict(fault("twin", length_us=FAR))
        twin = await life.serves(0, former)
        await life.world.afflict(fault("kill"))
        await life.serves(0, twin)
        assert not former.process.alive

    live(plan_of(), script)


def test_a_twin_that_is_replaced_closes_no_store_under_the_former_host() -> None:
    async def script(life: Life) -> None:
        entity, former = life.entity_at(0), life.host(0)
        life.through(former, add(1, entity=entity))
        await pass_ms(1)
        await life.world.afflict(fault("twin", length_us=FAR))
        twin = await life.serves(0, former)
        life.world.network.part(0, 1, FAR)  # its last words take until somebody loses patience
        life.through(life.host(1), add(1, entity=entity))
        await pass_ms(3)
        replaced = asyncio.ensure_future(life.world.replace(0))
        await pass_ms(7_000)
        life.through(former, add(1, entity=entity))
        await replaced
        await life.serves(0, twin)

    life = live(plan_of(), script)
    assert life.world.fatal == []
