"""Standbys are there when a store needs one, and no more of them than that."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from actorkalix_cluster.rayhost import standbys as module
from actorkalix_cluster.rayhost.actors import Actor, Making, NotMade
from actorkalix_cluster.rayhost.contract import Beat, CallRefused, Refused
from actorkalix_cluster.rayhost.standbys import FAILURES_MAX, NoStandby, Standbys
from tests.unit.cluster.rayhost.puppets import Stage, stage


class Pool:
    """Standbys whose background work ends with the test."""

    def __init__(self, on: Stage) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.standbys = Standbys(on.making, "factory", b"", self._spawn, _nothing)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.tasks.append(asyncio.create_task(work, name=name))

    async def close(self) -> None:
        """End it all."""
        await self.standbys.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def _nothing(actor: Actor, beat: Beat) -> None:
    """Signs of life are not what this is about."""


async def until(fits: Any) -> None:
    """Let the loop run until it is so."""
    turned = asyncio.Event()
    while not fits():
        asyncio.get_running_loop().call_soon(turned.set)
        await turned.wait()
        turned.clear()


def test_none_is_made_before_somebody_asks_and_then_one_is_kept_ahead(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        pool = Pool(on)
        first = await pool.standbys.take()
        assert first.alive
        assert len(on.puppets) == 1
        pool.standbys.keep_ahead(1)
        await until(lambda: len(pool.standbys.ready) == 1)
        second = await pool.standbys.take()
        assert second is not first
        await until(lambda: len(pool.standbys.ready) == 1)
        assert len(on.puppets) == 3
        await pool.close()

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_one_that_dies_while_it_waits_is_replaced(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        pool = Pool(on)
        pool.standbys.keep_ahead(1)
        await until(lambda: len(pool.standbys.ready) == 1)
        on.puppets[0].kill()
        await until(lambda: len(on.puppets) == 2 and bool(pool.standbys.ready))
        assert (await pool.standbys.take()).pid == on.puppets[1].pid
        await pool.close()

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_making_is_tried_again_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    async def dies(making: Making, name: str, factory: str, config: bytes) -> Actor:
        tries.append(name)
        raise NotMade("it ended while it was made")

    async def scenario(on: Stage) -> None:
        monkeypatch.setattr(module, "made", dies)
        pool = Pool(on)
        with pytest.raises(NoStandby, match="ended while it was made"):
            await pool.standbys.take()
        assert len(set(tries)) == FAILURES_MAX
        await pool.close()

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_a_refusal_is_final_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(making: Making, name: str, factory: str, config: bytes) -> Actor:
        raise CallRefused(Refused("AK1001", "no such module"))

    async def scenario(on: Stage) -> None:
        monkeypatch.setattr(module, "made", refuses)
        pool = Pool(on)
        with pytest.raises(NoStandby, match="no such module") as refused:
            await pool.standbys.take()
        assert refused.value.number == "AK1001"
        await pool.close()

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_what_was_given_back_is_taken_next(tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        pool = Pool(on)
        pool.standbys.keep_ahead(1)
        taken = await pool.standbys.take()
        await until(lambda: len(pool.standbys.ready) == 1)
        pool.standbys.put_first(taken)
        assert await pool.standbys.take() is taken
        await pool.close()
        assert all(p.process.wait() == -9 for p in on.puppets if p.pid != taken.pid)

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))
