"""Simulated clients: what they say of what they were answered, or not."""

from __future__ import annotations

import asyncio
from asyncio import sleep as virtual_sleep  # of the simulation's loop

import pytest

from actorkalix import Client
from actorkalix.errors import CommandError, OutcomeUnknown
from actorkalix.testkit.simulation.chance import Chance
from actorkalix.testkit.simulation.faults import Fault
from actorkalix.testkit.simulation.plan import Call, program_call
from actorkalix_storage.api import RecordKind
from tests.mutants.services import Account, Balance

from .worlds import Life, add, call, calm, live, pass_ms, plan_of

SLOW = calm(commit_min_us=50_000)


def events(life: Life) -> int:
    return sum(each.kind is RecordKind.EVENT for each in life.stored())


# ---- one call ------------------------------------------------------------------------------------
def test_answers_are_noted_as_they_are() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(3))
        await life.ask(call("get", number=1))
        await life.ask(call("take", b'{"by":9}', number=2))
        await life.ask(call("add", b'{"by":"x"}', number=3))

    life = live(plan_of(), script)
    added, got, refused, unfit = life.clients.history.operations
    assert (added.kind, added.arguments, added.value) == (
        "command",
        {"by": 3},
        {"amount": 3, "last": 3},
    )
    assert (got.kind, got.outcome, got.value) == ("query", "ok", added.value)
    assert refused.error is not None
    assert (refused.outcome, refused.error.number, refused.error.details) == (
        "error",
        "AK2001",
        {"has": 3},
    )
    assert unfit.error is not None
    assert unfit.error.number == "AK2002"


def test_an_answer_says_on_which_record_it_rests() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(3))

    life = live(plan_of(), script)
    (operation,), (stored,) = (
        life.clients.history.operations,
        [each for each in life.stored() if each.kind is RecordKind.EVENT],
    )
    assert operation.position is not None
    assert (operation.position.shard, operation.position.offset) == (stored.shard, stored.offset)


def test_times_are_virtual_and_never_the_same() -> None:
    async def script(life: Life) -> None:
        await pass_ms(5)
        await asyncio.gather(*(life.ask(add(1), f"c{n}") for n in range(3)))

    operations = live(plan_of(), script).clients.history.operations
    times = [time for each in operations for time in (each.invoked, each.returned or 0)]
    assert len(set(times)) == 6
    assert min(times) >= 5_000_000
    assert max(times) < 50_000_000


def test_a_client_asks_one_thing_after_the_other() -> None:
    async def script(life: Life) -> None:
        waits = (0, 7_000, 0)
        calls = [add(1, number=n, wait_us=us) for n, us in enumerate(waits)]
        await life.clients.run(0, calls)

    first, second, third = live(plan_of(), script).clients.history.operations
    assert first.returned is not None
    assert second.returned is not None
    assert 7_000_000 <= second.invoked - first.returned < 7_100_000
    assert third.invoked - second.returned < 100_000


def test_the_end_of_a_host_resets_its_connections() -> None:
    async def script(life: Life) -> None:
        asked = asyncio.ensure_future(life.ask(add(1)))
        await pass_ms(10)
        life.world.kill(0)
        life.world.kill(1)
        assert await asked is None

    life = live(plan_of(rates=SLOW), script)
    (operation,) = life.clients.history.operations
    assert operation.outcome == "unknown"
    assert operation.returned is not None, "it was told, at once"
    assert operation.returned - operation.invoked < 20_000_000


def test_a_request_that_finds_its_host_dead_is_unknown() -> None:
    async def script(life: Life) -> None:
        asked = asyncio.ensure_future(life.ask(add(1)))
        await pass_ms(1)
        for store in (0, 1):
            life.world.kill(store)
        assert await asked is None

    life = live(plan_of(rates=calm(client_min_us=3_000, restart_min_us=1)), script)
    (operation,) = life.clients.history.operations
    assert (operation.outcome, events(life)) == ("unknown", 0)
    assert operation.returned is not None
    assert operation.returned - operation.invoked < 5_000_000


def test_while_no_host_serves_clients_wait() -> None:
    async def script(life: Life) -> None:
        for store in (0, 1):
            life.world.kill(store)
        await life.ask(add(1))

    life = live(plan_of(rates=calm(restart_min_us=300_000)), script)
    assert life.outcomes == ["ok"]
    (operation,) = life.clients.history.operations
    assert operation.returned is not None
    assert operation.returned - operation.invoked > 300_000_000


def test_an_answer_that_is_lost() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(1))

    life = live(plan_of(rates=calm(answer_lost=1)), script)
    assert life.outcomes == ["unknown"]
    assert events(life) == 1


def test_a_client_gives_up_after_its_time() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(1, timeout_ms=20))
        await pass_ms(100)

    life = live(plan_of(rates=SLOW), script)
    (operation,) = life.clients.history.operations
    assert operation.outcome == "unknown"
    assert operation.returned is not None
    assert (operation.returned - operation.invoked) // 1_000_000 == 20
    assert events(life) == 1, "it was executed nevertheless"


# ---- again ---------------------------------------------------------------------------------------
def test_attempts_under_one_key_are_one_operation() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(1, key="k", retry=True, timeout_ms=60))

    life = live(plan_of(rates=calm(commit_min_us=50_000, client_min_us=8_000)), script)
    (operation,) = life.clients.history.operations
    assert (operation.outcome, operation.value) == ("ok", {"amount": 1, "last": 1})
    assert events(life) == 1
    assert len(life.traced("account e0.add [op-1]")) == 1, "the second was remembered"


def test_without_a_key_nothing_is_sent_again() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(1, timeout_ms=20))
        await pass_ms(1_000)

    life = live(plan_of(rates=SLOW), script)
    assert events(life) == 1


def test_attempts_come_to_an_end() -> None:
    async def script(life: Life) -> None:
        await life.ask(add(1, key="k", retry=True))

    life = live(plan_of(rates=calm(answer_lost=1)), script)
    assert life.outcomes == ["unknown"]
    assert events(life) == 1


def test_what_was_not_executed_at_last_may_have_been_before() -> None:
    """The first attempt's answer is lost, then the disk is full for all others."""

    async def script(life: Life) -> None:
        rates = life.world.conditions.rates
        life.world.conditions.rates = calm(answer_lost=1, commit_min_us=1_000)
        asked = asyncio.ensure_future(life.ask(add(1, key="k", retry=True)))
        await pass_ms(1)
        for store in (0, 1):
            life.world.kill(store)
        life.world.conditions.rates = rates
        for disk in life.world.disks.values():
            disk.full = True
        await asked

    life = live(plan_of(), script)
    assert life.outcomes == ["unknown"]


@pytest.mark.parametrize(
    "asked, outcome",
    [
        (call("take", b'{"by":9}', key="k", retry=True), "error"),
        (call("add", b'{"by":"x"}', key="k", retry=True), "unknown"),
    ],
)
def test_a_refusal_after_an_answer_that_was_lost(asked: Call, outcome: str) -> None:
    """It stands if it is kept under the key; else the first attempt may still be executed."""

    async def script(life: Life) -> None:
        life.world.conditions.rates = calm(answer_lost=1)
        asking = asyncio.ensure_future(life.ask(asked))
        await pass_ms(1)
        life.world.conditions.rates = calm()
        await asking

    life = live(plan_of(), script)
    assert life.outcomes == [outcome]
    assert len(life.traced(f"account e0.{asked.method} [op-1]")) == 1 + (outcome == "unknown")


def test_what_is_never_executed_is_known() -> None:
    async def script(life: Life) -> None:
        for disk in life.world.disks.values():
            disk.full = True
        await life.ask(add(1, key="k", retry=True))

    assert live(plan_of(), script).outcomes == ["not_executed"]


# ---- programs ------------------------------------------------------------------------------------
async def twice(client: Client, chance: Chance) -> None:
    """Adds what it has read."""
    account = client.entity(Account, "e0")
    await account.add(chance.integer(2, 2))
    balance = await account.get()
    assert balance == Balance(2, 2)
    await account.add(balance.amount).with_idempotency_key("k")


def test_a_program_is_several_operations() -> None:
    async def script(life: Life) -> None:
        await life.clients.run(0, [program_call(0, 0, 0, "twice")])

    life = live(plan_of(), script, {"twice": twice})
    assert life.clients.findings == []
    operations = life.clients.history.operations
    assert [(each.client, each.method, each.key) for each in operations] == [
        ("c0", "add", ""),
        ("c0", "get", ""),
        ("c0", "add", "k"),
    ]
    assert operations[2].value == {"amount": 4, "last": 2}
    assert [e.operation for e in life.stored() if e.kind is RecordKind.EVENT] == [1, 3]


def test_an_assertion_of_a_program_is_a_finding() -> None:
    async def wrong(client: Client, chance: Chance) -> None:
        balance = await client.entity(Account, "e0").add(1)
        assert balance.amount == 2, "it was one"

    async def script(life: Life) -> None:
        await life.clients.run(3, [program_call(3, 0, 0, "wrong")])

    (finding,) = live(plan_of(), script, {"wrong": wrong}).clients.findings
    assert finding.text.startswith("program wrong of client c3: it was one")
    assert finding.operations == (1,)


@pytest.mark.parametrize("kind", [CommandError, OutcomeUnknown])
def test_an_error_that_a_program_does_not_catch_ends_it(kind: type[Exception]) -> None:
    raised: list[Exception] = []

    async def ends(client: Client, chance: Chance) -> None:
        try:
            await client.entity(Account, "e0").take(5)
        except kind as error:
            raised.append(error)
            raise
        await virtual_sleep(1)

    async def script(life: Life) -> None:
        if kind is OutcomeUnknown:
            life.world.conditions.rates = calm(answer_lost=1)
        await life.clients.run(0, [program_call(0, 0, 0, "ends")])

    life = live(plan_of(), script, {"ends": ends})
    assert len(raised) == 1
    assert life.clients.findings == []
    assert life.outcomes == ["error" if kind is CommandError else "unknown"]


def test_a_program_outlives_its_hosts() -> None:
    async def asks(client: Client, chance: Chance) -> None:
        for _ in range(20):
            try:
                await client.entity(Account, "e0").add(1)
            except OutcomeUnknown:
                await virtual_sleep(0.01)

    async def script(life: Life) -> None:
        running = asyncio.ensure_future(life.clients.run(0, [program_call(0, 0, 0, "asks")]))
        while not running.done():
            await pass_ms(3)
            await life.world.afflict(Fault(at_us=0, kind="kill", host=life.home()))
        await running

    life = live(plan_of(rates=calm(commit_min_us=500, torn=1)), script, {"asks": asks})
    assert len(life.outcomes) == 20
    assert {"ok", "unknown"} <= set(life.outcomes)
    assert life.outcomes.count("ok") <= events(life) <= 20
