"""What may be handed to timers, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import Action, Calls, NotInThisVersion, Timers, View, handler, sql, table, topic
from actorkalix.errors import InvalidTimer
from actorkalix.model.timers import Schedule
from actorkalix.model.transport import Request
from actorkalix.ports import TimerView
from tests.unit.actorkalix.model.shop import Shop

S = timedelta(seconds=1)
calls = Calls()


class Kept:
    """A keeper that remembers what it was told."""

    def __init__(self) -> None:
        self.started: list[tuple[str, Request, Schedule]] = []
        self.cancelled: list[str] = []

    async def start(self, name: str, request: Request, schedule: Schedule, /) -> None:
        self.started.append((name, request, schedule))

    async def cancel(self, name: str, /) -> bool:
        self.cancelled.append(name)
        return True

    async def get(self, name: str, /) -> TimerView | None:
        return None


def call() -> Any:
    """An unsent call."""
    return calls.entity(Shop, "s1").add("pen")


def test_what_was_asked_for_is_kept() -> None:
    kept = Kept()

    async def main() -> None:
        timers = Timers(kept)
        await timers.start_single("a", after=S, call=call(), max_retries=3)
        await timers.start_periodic("b", every=S, call=call(), catch_up="all")
        await timers.start_periodic("c", cron="@daily", zone="Asia/Tokyo", call=call())
        await timers.cancel("a")
        assert await timers.get("a") is None

    asyncio.run(main())
    assert [(name, request.method) for name, request, _ in kept.started] == [
        ("a", "add"),
        ("b", "add"),
        ("c", "add"),
    ]
    assert [schedule for _, _, schedule in kept.started] == [
        Schedule(after=S, max_retries=3),
        Schedule(every=S, catch_up="all"),
        Schedule(cron="@daily", zone="Asia/Tokyo"),
    ]
    assert kept.cancelled == ["a"]


def test_without_a_service_nothing_keeps_timers() -> None:
    async def main() -> None:
        with pytest.raises(NotInThisVersion, match="running service"):
            await Timers().start_single("t", after=S, call=call())
        with pytest.raises(NotInThisVersion, match="running service"):
            await Timers().cancel("t")

    asyncio.run(main())


@dataclass
class Count:
    n: int


class Carts(View, id="rows"):
    counts = table("counts", source=topic("counts", Count))

    @sql("SELECT * FROM counts")
    def by_id(self) -> Count:
        raise NotImplementedError


class Ticker(Action, id="ticker"):
    @handler
    async def tick(self) -> AsyncIterator[int]:
        yield 1


Wrong = Callable[[Any], Awaitable[None]]
WRONG: dict[str, tuple[Wrong, type[Exception], str]] = {
    "no call": (lambda t: t.start_single("t", after=S, call=None), TypeError, "got None"),
    "a function": (lambda t: t.start_single("t", after=S, call=len), TypeError, "an unsent one"),
    "no wait": (lambda t: t.start_single("t", after=0 * S, call=call()), ValueError, "positive"),
    "a number": (lambda t: t.start_single("t", after=30, call=call()), TypeError, "timedelta"),
    "too long": (
        lambda t: t.start_single("t", after=timedelta(days=40_000), call=call()),
        ValueError,
        "at most 36,525 days",
    ),
    "retries": (
        lambda t: t.start_single("t", after=S, call=call(), max_retries=-1),
        ValueError,
        "max_retries",
    ),
    "true": (
        lambda t: t.start_single("t", after=S, call=call(), max_retries=True),
        ValueError,
        "max_retries",
    ),
    "long name": (
        lambda t: t.start_single("x" * 10_000, after=S, call=call()),
        InvalidTimer,
        "10000 bytes, at most 256",
    ),
    "no name": (lambda t: t.start_single(3, after=S, call=call()), InvalidTimer, "not text"),
    "neither": (lambda t: t.start_periodic("t", call=call()), TypeError, "one of every= and cron="),
    "both": (
        lambda t: t.start_periodic("t", every=S, cron="@daily", call=call()),
        TypeError,
        "one of every= and cron=",
    ),
    "no text": (lambda t: t.start_periodic("t", cron=3, call=call()), TypeError, "cron is a text"),
    "catch up": (
        lambda t: t.start_periodic("t", every=S, call=call(), catch_up="two"),
        ValueError,
        "one, all, none",
    ),
    "a key": (
        lambda t: t.start_periodic("t", every=S, call=call().with_idempotency_key("k")),
        ValueError,
        "no idempotency key",
    ),
    "no line": (lambda t: t.start_periodic("t", cron="", call=call()), InvalidTimer, "is empty"),
    "a stream": (
        lambda t: t.start_single("t", after=S, call=calls.action(Ticker).tick()),
        TypeError,
        "nobody who would listen",
    ),
    "a view": (
        lambda t: t.start_single("t", after=S, call=calls.view(Carts).by_id()),
        TypeError,
        "asks a view",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_ti_06_what_cannot_be_kept_is_refused_with_the_reason(case: str) -> None:
    start, error, said = WRONG[case]
    kept = Kept()

    async def main() -> None:
        with pytest.raises(error, match=said):
            await start(Timers(kept))

    asyncio.run(main())
    assert kept.started == []


def test_a_call_is_used_once_a_timer_has_it() -> None:
    async def main() -> None:
        once = call()
        await Timers(Kept()).start_single("t", after=S, call=once)
        with pytest.raises(RuntimeError, match=r"already handed to timers\.start_single"):
            await once

    asyncio.run(main())
