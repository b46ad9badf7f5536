"""The kit for actions: replies, errors, forwards, streams, and the calls that handlers make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, cast

import pytest

from actorkalix import Action, CommandError, handler
from actorkalix.errors import InvalidPayload, InvalidTimer
from actorkalix.runtime.virtual import START_MS
from actorkalix.testkit import ActionTestKit, EntityTestKit, Forwarded, TestService
from tests.unit.actorkalix.runtime.errands import Errands, Intake, Sum, Tally, service


def tenfold(n: int) -> Sum:
    return Sum(10 * n)


def divided(n: int) -> Sum:
    return Sum(n // 0)


def test_calls_are_answered_as_the_test_says() -> None:
    async def main() -> None:
        kit = ActionTestKit(Errands).answer(Tally.add, Sum(5))
        result = await kit.call(Errands.add, "t", 5)
        assert result.reply == Sum(5)
        assert not result.is_error
        assert (await kit.call(Errands.add_plainly, "t", n=5)).reply == Sum(5)
        assert [(each.entity_id, each.args) for each in kit.asked] == [("t", (5,))] * 2
        assert (await kit.call(Errands.add_twice, "t", 2)).reply == 5
        kit.answer(Tally.add, tenfold)
        assert (await kit.call(Errands.add, "t", 5)).reply == Sum(50)

    asyncio.run(main())


def test_an_answer_may_be_an_error() -> None:
    async def main() -> None:
        kit = ActionTestKit(Errands).answer(Tally.add, CommandError("no", code="not_found"))
        result = await kit.call(Errands.add, "t", 5)
        assert isinstance(result.error, CommandError)
        assert result.error.code == "not_found"
        with pytest.raises(CommandError, match="no"):
            assert result.reply

    asyncio.run(main())


def test_a_call_without_an_answer_says_what_to_write() -> None:
    async def main() -> None:
        with pytest.raises(AssertionError, match=r"write kit\.answer\(Tally\.add, \.\.\.\)"):
            await ActionTestKit(Errands).call(Errands.add, "t", 5)

    asyncio.run(main())


def test_a_forward_is_data() -> None:
    async def main() -> None:
        result = await ActionTestKit(Errands).call(Errands.pass_on, "t", 5)
        assert result.forward == Forwarded("tally", "t", "add", {"n": 5})
        with pytest.raises(AssertionError, match="it was forwarded: Forwarded"):
            assert result.reply

    asyncio.run(main())
    played = EntityTestKit(Tally, "here").call(Tally.add_here_and_there, 5, "there")
    assert played.forward == Forwarded("tally", "there", "add", {"n": 5})
    assert played.did_persist


def test_what_a_handler_raises_and_what_a_test_mistakes_is_raised() -> None:
    async def main() -> None:
        kit = ActionTestKit(Errands)
        with pytest.raises(asyncio.CancelledError):
            await kit.call(Errands.cancels_itself)
        with pytest.raises(InvalidPayload, match="n: expected int, got str"):
            await kit.call(cast("Any", Errands).add, "t", "x")
        with pytest.raises(ZeroDivisionError):
            await kit.answer(Tally.add, divided).call(Errands.add, "t", 1)

    asyncio.run(main())


def test_metadata_and_resources() -> None:
    async def main() -> None:
        kit = ActionTestKit(Errands, resources="wares")
        assert (await kit.with_metadata({"a": "b"}).call(Errands.tenant)).reply == "a=b"
        assert (await kit.call(Errands.tenant)).reply == ""
        assert (await kit.call(Errands.wares)).reply == "wares"

    asyncio.run(main())


def test_streams() -> None:
    async def flow() -> AsyncGenerator[Sum]:
        yield Sum(2)
        yield Sum(3)

    async def main() -> None:
        kit, intake = ActionTestKit(Errands), ActionTestKit(Intake)
        assert [each async for each in kit.stream(Errands.numbers, 2)] == [Sum(0), Sum(1)]
        with pytest.raises(CommandError, match="enough"):
            await anext(kit.stream(Errands.numbers, 0, "refuse"))
        assert (await intake.call(Intake.total, flow())).reply == 5
        echoed = intake.stream(Intake.echo, 2, flow())
        assert [each async for each in echoed] == [Sum(4), Sum(6)]

    asyncio.run(main())


def test_a_client_of_ones_own() -> None:
    async def main() -> None:
        async with TestService(service) as running:
            kit = ActionTestKit(Errands, client=running.client)
            assert (await kit.call(Errands.add, "t", 5)).reply == Sum(5)
            assert await running.client.entity(Tally, "t").get() == Sum(5)

    asyncio.run(main())


class Reminder(Action, id="reminder-of-kit", runs="inline"):
    @handler
    async def remind(self, name: str) -> None:
        call = self.client.action(Reminder).remind(name)
        await self.timers.start_single(name, after=timedelta(minutes=5), call=call)

    @handler
    async def forget(self, name: str) -> None:
        await self.timers.cancel(name)

    @handler
    async def never(self) -> None:
        call = self.client.action(Reminder).remind("x")
        await self.timers.start_periodic("never", cron="0 0 30 2 *", call=call)


def test_timers_are_kept_and_can_be_looked_at() -> None:
    async def case() -> None:
        kit = ActionTestKit(Reminder)
        await kit.call(Reminder.remind, "tea")
        kept = await kit.timers.get("tea")
        assert kept is not None
        assert (kept.component, kept.method) == ("reminder-of-kit", "remind")
        assert kept.due_ms - START_MS == 300_000
        await kit.call(Reminder.forget, "tea")
        assert await kit.timers.get("tea") is None
        refused = (await kit.call(Reminder.never)).error
        assert isinstance(refused, InvalidTimer)
        assert "never comes" in str(refused)

    asyncio.run(case())
