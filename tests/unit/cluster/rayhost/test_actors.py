"""A process from the outside: its end and its standstill are seen, and told apart."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix_cluster.rayhost import actors
from actorkalix_cluster.rayhost.actors import Actor, running, wait_first
from actorkalix_cluster.rayhost.contract import Answered, CallRefused, Refused, value_of
from actorkalix_cluster.rayhost.process import last_words
from tests.unit.cluster.rayhost.puppets import Puppet, Remote, Stage, stage


def played(
    scratch: Path, scenario: Callable[[Stage, Puppet, Actor], Coroutine[Any, Any, None]]
) -> None:
    """Run a scenario with one process."""
    with stage(scratch) as on:

        async def play() -> None:
            puppet = Puppet("shop/process-1")
            on.puppets.append(puppet)
            await scenario(on, puppet, puppet.actor())

        asyncio.run(play())


def test_the_end_is_seen_and_killing_waits_for_it(tmp_path: Path) -> None:
    async def scenario(_: Stage, puppet: Puppet, actor: Actor) -> None:
        assert not actor.ended.is_set()
        await actor.kill()
        assert puppet.process.poll() == -9
        assert not actor.alive
        await actor.kill()  # a second time does nothing

    played(tmp_path, scenario)


def test_a_call_is_answered_refused_or_ended(tmp_path: Path) -> None:
    async def scenario(_: Stage, puppet: Puppet, actor: Actor) -> None:
        assert await actor.call("stop") == b""
        puppet.still = True
        calling = asyncio.create_task(actor.call("stop"))
        puppet.kill()
        assert await calling is None

    played(tmp_path, scenario)
    with pytest.raises(CallRefused, match="a copy") as refused:
        value_of(msgspec.msgpack.encode(Refused("AK4003", "a copy")))
    assert refused.value.number == "AK4003"
    assert value_of(msgspec.msgpack.encode(Answered(b"x"))) == b"x"


def test_a_process_that_stands_still_is_silent_and_not_ended(tmp_path: Path) -> None:
    async def scenario(_: Stage, puppet: Puppet, actor: Actor) -> None:
        seen = asyncio.Semaphore(0)
        watching = asyncio.create_task(actor.watch(lambda a, beat: seen.release()))
        for _beat in range(3):
            await seen.acquire()
        puppet.still = True
        await watching
        assert actor.silent.is_set()
        assert actor.alive

    played(tmp_path, scenario)


def test_an_ended_process_is_not_called_silent(tmp_path: Path) -> None:
    async def scenario(_: Stage, puppet: Puppet, actor: Actor) -> None:
        watching = asyncio.create_task(actor.watch(lambda a, beat: None))
        puppet.kill()
        await watching
        assert not actor.silent.is_set()
        assert not actor.alive

    played(tmp_path, scenario)


def test_a_standstill_of_our_own_is_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watcher's clock jumps by a minute each time that it is looked at: it was stopped."""

    async def scenario(_: Stage, puppet: Puppet, actor: Actor) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        real, jumps = loop.time, itertools.count(0, 60)
        monkeypatch.setattr(loop, "time", lambda: real() + next(jumps))
        waited_s = await actors._waited((answer,))
        monkeypatch.undo()
        assert waited_s == 2 * actors.BEAT_EVERY_S

    played(tmp_path, scenario)


def test_what_ray_cannot_reach_is_silent(tmp_path: Path) -> None:
    async def scenario(_: Stage, puppet: Puppet, actor: Actor) -> None:
        async def unreachable() -> bytes:
            raise ConnectionError("unavailable")

        actor._beat = Remote(unreachable)
        await actor.watch(lambda a, beat: None)
        assert actor.silent.is_set()

    played(tmp_path, scenario)


def test_its_last_words_are_read_once(tmp_path: Path) -> None:
    async def scenario(_: Stage, puppet: Puppet, actor: Actor) -> None:
        last_words(tmp_path, puppet.pid).write_text("the disk is gone")
        assert actor.reason(tmp_path) == "the disk is gone"
        assert actor.reason(tmp_path) == "it was killed or crashed"

    played(tmp_path, scenario)


def test_the_first_of_several_events_is_enough() -> None:
    async def scenario() -> None:
        never, now = asyncio.Event(), asyncio.Event()
        assert not await wait_first(never, timeout_s=0.001)
        now.set()
        assert await wait_first(never, now)
        async with running(never.wait()) as task:
            assert not task.done()
        assert task.cancelled()

    asyncio.run(scenario())


def test_a_stopped_process_can_be_killed(tmp_path: Path) -> None:
    async def scenario(_: Stage, puppet: Puppet, actor: Actor) -> None:
        os.kill(puppet.pid, signal.SIGSTOP)
        await actor.kill()
        assert puppet.process.poll() == -9

    played(tmp_path, scenario)
