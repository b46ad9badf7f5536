"""Timers of a whole service on virtual time: they fire, fail, are replaced and survive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta

import pytest

from actorkalix import Timers
from actorkalix.errors import InvalidTimer, PayloadTooLarge
from actorkalix.model.timers import CatchUp
from actorkalix.ports import TimerView
from actorkalix.testkit import TestService
from actorkalix_cluster.shardhost.fired import TIMER
from tests.unit.actorkalix.runtime.bell import Bell, Gone, Ringer, Rung, service

Case = Callable[[TestService, Timers], Coroutine[None, None, None]]
S = timedelta(seconds=1)
MS = timedelta(milliseconds=1)
DAY = timedelta(days=1)


def play(case: Case) -> None:
    """A case on a running service."""

    async def whole() -> None:
        async with TestService(service) as running:
            await case(running, running.timers)

    asyncio.run(whole())


async def rung(running: TestService, bell: str = "b") -> int:
    """How often the bell was rung."""
    state: Rung = await running.client.entity(Bell, bell).rung()
    return state.times


async def seen(timers: Timers, name: str = "t") -> TimerView:
    """A timer that is there."""
    view = await timers.get(name)
    assert view is not None
    return view


def stored(running: TestService) -> list[str]:
    """Names of the timers that the store knows."""
    return [name for _, name in running._store.subjects(TIMER, limit=10_000)]


def test_ti_03_a_single_timer_fires_once_never_early_and_leaves_nothing() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        await timers.start_single("t", after=timedelta(minutes=30), call=bell.ring(5))
        assert (await seen(timers)).due_ms == running.now_ms + 1_800_000
        await running.advance(timedelta(minutes=30) - MS)
        assert await rung(running) == 0
        await running.advance(MS)
        assert await rung(running) == 5
        assert await timers.get("t") is None
        assert stored(running) == []
        await running.advance(DAY)
        assert await rung(running) == 5

    play(case)


def test_ti_13_metadata_travel_with_the_call() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        call = running.client.entity(Bell, "b").ring().with_metadata({"who": "me"})
        await timers.start_single("t", after=S, call=call)
        await running.advance(S)
        assert (await running.client.entity(Bell, "b").rung()).asked == ("me",)

    play(case)


def test_ti_02_a_name_is_one_timer_and_may_be_cancelled() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        await timers.start_single("t", after=S, call=bell.ring(1))
        await timers.start_single("t", after=2 * S, call=bell.ring(10))
        await running.advance(S)
        assert await rung(running) == 0
        await running.advance(S)
        assert await rung(running) == 10
        await timers.start_single("t", after=S, call=bell.ring(100))
        await timers.cancel("t")
        await timers.cancel("t")
        await timers.cancel("never there")
        await running.advance(DAY)
        assert await rung(running) == 10
        assert stored(running) == []

    play(case)


def test_ti_04_a_call_that_fails_is_made_again_ever_later(caplog: pytest.LogCaptureFixture) -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        await bell.refuse(True)
        await timers.start_single("t", after=S, call=bell.ring())
        await running.advance(S)
        start = running.now_ms
        waits: list[int] = []
        for attempt in range(1, 7):
            view = await seen(timers)
            assert (view.attempt, view.failure) == (attempt, "AK2001 not now")
            waits.append(view.next_ms - running.now_ms)
            await running.advance(waits[-1] * MS)
        assert waits == [3_000, 6_000, 12_000, 24_000, 30_000, 30_000]
        assert (await seen(timers)).due_ms == start
        await bell.refuse(False)
        await running.advance(30 * S)
        assert await rung(running) == 1
        assert stored(running) == []

    with caplog.at_level(logging.WARNING, "actorkalix.timers"):
        play(case)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "timer 't': bell 'b'.ring failed, attempt 1: AK2001 not now" in caplog.text


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_ti_05_a_single_timer_is_given_up_after_its_retries(
    max_retries: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        call = bell.crack()
        await timers.start_single("t", after=S, call=call, max_retries=max_retries)
        await running.advance(timedelta(minutes=5))
        assert stored(running) == []

    with caplog.at_level(logging.WARNING, "actorkalix.timers"):
        play(case)
    said = [r.getMessage() for r in caplog.records if r.name == "actorkalix.timers"]
    assert len(said) == (1 if max_retries == 0 else 2)
    assert f"is given up after attempt {max_retries + 1}: AK2010" in said[-1]


def test_ti_07_a_call_of_a_component_that_is_gone_keeps_failing_visibly() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        call = running.client.entity(Gone, "g").call()
        await timers.start_single("t", after=S, call=call)
        await running.advance(timedelta(hours=1))
        view = await seen(timers)
        assert view.attempt > 100
        assert "AK2003 no component has the id 'gone'" in view.failure

    play(case)


def test_a_timer_that_became_due_while_nobody_ran_fires_at_the_next_start() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        await timers.start_single("soon", after=S, call=bell.ring(1))
        await timers.start_single("later", after=DAY, call=bell.ring(10))
        host = running._host
        assert host is not None
        host.abandon()
        running._clock._now_ms += 60_000
        await running.restart()
        await running.advance(timedelta())
        assert await rung(running) == 1
        await running.advance(DAY)
        assert await rung(running) == 11

    play(case)


def test_a_periodic_timer_fires_every_period_until_it_is_cancelled() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        await timers.start_periodic("t", every=10 * S, call=bell.ring())
        await running.advance(9 * S)
        assert await rung(running) == 0
        for times in (1, 2, 3):
            await running.advance(10 * S)
            assert await rung(running) == times
        await running.restart()
        await running.advance(10 * S)
        assert await rung(running) == 4
        await timers.cancel("t")
        await running.advance(DAY)
        assert await rung(running) == 4

    play(case)


@pytest.mark.parametrize("catch_up, runs", [("one", 1), ("all", 6), ("none", 0)])
def test_missed_periods_are_caught_up_as_asked(catch_up: CatchUp, runs: int) -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        await timers.start_periodic("t", every=10 * S, call=bell.ring(), catch_up=catch_up)
        host = running._host
        assert host is not None
        host.abandon()
        running._clock._now_ms += 65_000
        await running.restart()
        await running.advance(timedelta())
        assert await rung(running) == runs
        assert (await seen(timers)).due_ms == running.now_ms + 5_000
        await running.advance(5 * S)
        assert await rung(running) == runs + 1

    play(case)


def test_a_periodic_timer_whose_call_is_given_up_goes_on() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        await bell.refuse(True)
        await timers.start_periodic("t", every=10 * S, call=bell.ring(), max_retries=0)
        await running.advance(10 * S)
        view = await seen(timers)
        assert (view.number, view.attempt, view.next_ms) == (2, 0, running.now_ms + 10_000)
        await bell.refuse(False)
        await running.advance(10 * S)
        assert await rung(running) == 1

    play(case)


def test_a_cron_timer_fires_by_the_clocks_of_its_zone() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        zone = "Europe/Berlin"
        await timers.start_periodic("t", cron="0 3 * * *", zone=zone, call=bell.ring())
        view = await seen(timers)
        assert (view.cron, view.zone) == ("0 3 * * *", zone)
        assert view.due_ms % 86_400_000 == 2 * 3_600_000  # in November
        await running.advance(3 * DAY)
        assert await rung(running) == 3

    play(case)


def test_what_cannot_be_a_timer_is_refused() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        bell = running.client.entity(Bell, "b")
        with pytest.raises(InvalidTimer, match="10000 bytes, at most 256"):
            await timers.start_single("n" * 10_000, after=S, call=bell.ring())
        with pytest.raises(InvalidTimer, match="is empty"):
            await timers.cancel("")
        with pytest.raises(InvalidTimer, match=r"'0 0 30 2 \*' never comes"):
            await timers.start_periodic("t", cron="0 0 30 2 *", call=bell.ring())
        with pytest.raises(InvalidTimer, match="'61 \\* \\* \\* \\*' cannot be read"):
            await timers.start_periodic("t", cron="61 * * * *", call=bell.ring())
        with pytest.raises(InvalidTimer, match="no time zone 'Mars'"):
            await timers.start_periodic("t", cron="@daily", zone="Mars", call=bell.ring())
        call = bell.ring().with_metadata({"much": "x" * 1_000_000})
        with pytest.raises(PayloadTooLarge):
            await timers.start_single("t", after=S, call=call)
        assert stored(running) == []

    play(case)


def test_more_than_may_be_under_way_at_once_all_fire_once() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        for n in range(1_500):
            call = running.client.entity(Bell, f"b{n % 7}").ring()
            await timers.start_single(f"t{n}", after=timedelta(minutes=1), call=call)
        assert running._host is not None
        assert TIMER not in running._host.stats().live
        await running.advance(timedelta(minutes=1))
        assert sum([await rung(running, f"b{n}") for n in range(7)]) == 1_500
        assert stored(running) == []

    play(case)


def test_ti_09_an_action_starts_timers_and_is_called_by_them() -> None:
    async def case(running: TestService, _: Timers) -> None:
        ringer = running.client.action(Ringer)
        trace = {"traceparent": "00-1", "other": "stays"}
        await ringer.later("b", 60).with_metadata(trace)
        await running.restart()
        await running.advance(60 * S)
        state = await running.client.entity(Bell, "b").rung()
        assert (state.times, state.asked) == (1, ("00-1",))
        await ringer.later("b", 60)
        assert await ringer.silence("b") is True
        assert await ringer.silence("b") is False
        await running.advance(DAY)
        assert await rung(running) == 1

    play(case)


def test_what_an_action_did_before_it_failed_happens_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case(running: TestService, timers: Timers) -> None:
        monkeypatch.setattr(Ringer, "fails", 3)
        call = running.client.action(Ringer).ring("b")
        await timers.start_single("t", after=S, call=call)
        await running.advance(S)
        view = await seen(timers)
        assert (view.component, view.entity, view.attempt) == ("ringer", "", 1)
        await running.advance(timedelta(minutes=1))
        assert Ringer.fails == 0
        assert await timers.get("t") is None
        assert await rung(running) == 1

    play(case)


def test_calls_that_say_how_long_they_may_take_are_kept_so() -> None:
    async def case(running: TestService, timers: Timers) -> None:
        call = running.client.entity(Bell, "b").ring().with_timeout(5 * S)
        await timers.start_single("t", after=S, call=call.with_idempotency_key("mine"))
        await running.client.entity(Bell, "b").ring().with_idempotency_key("mine")
        await running.advance(S)
        assert await rung(running) == 1, "the key was the caller's"

    play(case)
