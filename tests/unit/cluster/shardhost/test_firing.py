"""Firings of named timers: bounded, one a name, at least once."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from actorkalix.engine.timer import CANCEL, START, KeptCall, Plan
from actorkalix.runtime.virtual import settle
from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_storage.api import StoreFull
from tests.unit.cluster.shardhost.rig import Rig, rig, run
from tests.unit.cluster.shardhost.test_timers import kinds


class Asked:
    """Takes calls and answers them when it is told to."""

    def __init__(self) -> None:
        self.open: dict[str, asyncio.Future[Reply]] = {}
        self.calls: list[str] = []
        self.keys: list[str] = []
        self.most = 0

    async def ask(self, message: Message, /) -> Reply:
        name = message.entity
        assert name not in self.open, "one at a time of a name"
        self.calls.append(name)
        self.keys.append(message.key)
        self.open[name] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.open))
        try:
            return await self.open[name]
        finally:
            del self.open[name]

    async def answer(self, *names: str, reply: Reply | None = None) -> None:
        """Answer these calls."""
        for name in names:
            self.open[name].set_result(reply or Reply())
        await settle()


async def start(r: Rig, name: str, after_ms: int = 0, every_ms: int = 0) -> None:
    """A timer that calls what has its name."""
    plan = Plan(KeptCall("counter", name, "add", b""), after_ms=after_ms, every_ms=every_ms)
    payload = msgspec.msgpack.encode(plan)
    message = Message(MessageKind.COMMAND, TIMER, name, START, payload, Encoding.MSGPACK)
    reply = await r.host.ask(message)
    assert reply.failure is None


def waiting(r: Rig) -> list[str]:
    """Names of the timers that are there."""
    return sorted(name for _, name in r.store.subjects(TIMER))


def test_nothing_fires_before_calls_can_leave_the_host_and_expiry_goes_on() -> None:
    async def case() -> None:
        async with rig() as r:
            await start(r, "t", 1_000)
            await r.ask("lend", 5_000)
            await r.clock.advance(60_000)
            assert kinds(r) == ["EVENT", "DELETED"]
            assert waiting(r) == ["t"]
            asked = Asked()
            r.host.connect(asked)
            await r.clock.advance(0)
            assert asked.calls == ["t"]
            await asked.answer("t")
            assert waiting(r) == []
            assert r.watcher.fired == ["ok"]

    run(case())


def test_so_many_are_under_way_and_a_slow_one_holds_up_none() -> None:
    async def case() -> None:
        async with rig(firings_max=3) as r:
            asked = Asked()
            r.host.connect(asked)
            for n in range(10):
                await start(r, f"t{n}", 1_000 + n)
            await r.clock.advance(2_000)
            assert asked.calls == ["t0", "t1", "t2"]
            while len(asked.calls) < 10:
                await asked.answer(*(name for name in list(asked.open) if name != "t0"))
                await r.clock.advance(0)
            await asked.answer(*(name for name in list(asked.open) if name != "t0"))
            assert asked.most == 3
            assert waiting(r) == ["t0"]
            await r.clock.advance(60_000)
            assert len(asked.calls) == 10
            await asked.answer("t0")
            assert waiting(r) == []

    run(case())


def test_a_timer_that_is_replaced_while_its_call_runs_fires_anew_after_it() -> None:
    async def case() -> None:
        async with rig() as r:
            asked = Asked()
            r.host.connect(asked)
            await start(r, "t", 1_000)
            await r.clock.advance(1_000)
            await start(r, "t", 1_000)
            await r.clock.advance(5_000)
            assert asked.calls == ["t"]
            await asked.answer("t")
            await r.clock.advance(0)
            assert asked.calls == ["t", "t"]
            assert len(set(asked.keys)) == 2
            assert waiting(r) == ["t"]
            await asked.answer("t")
            assert waiting(r) == []

    run(case())


def test_a_timer_that_is_cancelled_while_its_call_runs_is_gone() -> None:
    async def case() -> None:
        async with rig() as r:
            asked = Asked()
            r.host.connect(asked)
            await start(r, "t", every_ms=1_000)
            await r.clock.advance(1_000)
            await r.host.ask(Message(MessageKind.COMMAND, TIMER, "t", CANCEL))
            await asked.answer("t", reply=Reply(failure=failures.deadline_passed()))
            await r.clock.advance(60_000)
            assert asked.calls == ["t"]
            assert waiting(r) == []

    run(case())


def test_an_outcome_that_could_not_be_stored_has_the_call_made_again_under_its_key() -> None:
    async def case() -> None:
        async with rig() as r:
            asked = Asked()
            r.host.connect(asked)
            await start(r, "t", 1_000)
            await r.clock.advance(1_000)
            r.store.fail_next_commit(StoreFull("no space"))
            await asked.answer("t")
            assert waiting(r) == ["t"]
            await r.clock.advance(1_000)
            assert asked.calls == ["t", "t"]
            assert len(set(asked.keys)) == 1
            await asked.answer("t")
            assert waiting(r) == []

    run(case())


def test_a_call_that_was_under_way_when_its_host_died_is_made_again_under_its_key() -> None:
    async def case() -> None:
        async with rig() as r:
            first, second = Asked(), Asked()
            r.host.connect(first)
            await start(r, "t", 1_000)
            await r.clock.advance(1_000)
            await r.crash()
            assert first.open == {}
            r.host.connect(second)
            await r.clock.advance(0)
            assert second.keys == first.keys
            await second.answer("t")
            assert waiting(r) == []

    run(case())


def test_failures_are_told_at_first_and_each_tenth_time(caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        async with rig() as r:
            asked = Asked()
            r.host.connect(asked)
            await start(r, "t", 1_000)
            await r.clock.advance(1_000)
            for _ in range(21):
                await asked.answer("t", reply=Reply(failure=failures.unknown_component("counter")))
                await r.clock.advance(30_000)
            assert r.watcher.fired == ["failed"] * 21

    with caplog.at_level(logging.WARNING, "actorkalix.timers"):
        run(case())
    said = [record.getMessage() for record in caplog.records]
    assert [text.split(":")[1].rpartition(", ")[2] for text in said] == [
        "attempt 1",
        "attempt 10",
        "attempt 20",
    ]


def test_a_reach_that_raises_is_a_failure_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def ask(self, message: Message, /) -> Reply:
            raise ZeroDivisionError

    async def case() -> None:
        async with rig() as r:
            r.host.connect(Broken())
            await start(r, "t", 1_000)
            await r.clock.advance(1_000)
            assert r.watcher.fired == ["failed"]

    run(case())
    assert "AK9001" in caplog.text


def test_a_drained_host_makes_no_more_calls() -> None:
    async def case() -> None:
        async with rig() as r:
            asked = Asked()
            r.host.connect(asked)
            await start(r, "t", 1_000)
            await start(r, "later", 2_000)
            await r.clock.advance(1_000)
            assert not r.host.idle
            draining = asyncio.ensure_future(r.host.drain(5.0))
            await settle()
            assert await draining
            await r.clock.advance(60_000)
            assert asked.calls == ["t"]
            assert r.host.idle

    run(case())
