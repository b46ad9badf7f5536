"""A process that a service has once: made by whoever keeps it, found by all, made anew."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix_cluster.rayhost import companion as module
from actorkalix_cluster.rayhost.actors import Actor, Making
from actorkalix_cluster.rayhost.companion import Companion, CompanionAway, Where
from actorkalix_cluster.rayhost.contract import Beat
from actorkalix_cluster.rayhost.members import Member
from actorkalix_cluster.rayhost.sockets import Peer
from tests.unit.cluster.rayhost.puppets import Puppet, Stage, stage


class Directory:
    """In place of Ray's: actors by name."""

    def __init__(self, on: Stage) -> None:
        self._on = on

    def get_actor(self, name: str, namespace: str) -> Any:
        """The newest one of this name that lives."""
        for puppet in reversed(self._on.puppets):
            if puppet.name == name and puppet.process.poll() is None:
                return puppet
        raise ValueError(name)


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with stage(tmp_path) as on:
        in_place: dict[str, Any] = {
            "made": on._made,
            "found": on._found,
            "named": _nobody,
            "actor_error": lambda: ConnectionError,
            "module": lambda _: Directory(on),
        }
        for name, value in in_place.items():
            monkeypatch.setattr(module, name, value)
        yield on


async def until(fits: Callable[[], object]) -> None:
    """Let the loop run until it is so."""
    async with asyncio.timeout(20):
        turned = asyncio.Event()
        while not fits():
            asyncio.get_running_loop().call_soon(turned.set)
            await turned.wait()
            turned.clear()


def companion(on: Stage, came: Callable[[], object] = lambda: None) -> Companion:
    return Companion(on.making, "view-carts", "factory", b"", came, _no_time)


async def _nobody(*_: object) -> None:
    """There is no such actor."""


async def _no_time(_: float) -> None:
    """Pauses take none here, but others have their turn."""
    await asyncio.sleep(0)


def test_who_keeps_it_makes_it_and_others_find_it_by_its_name(on: Stage) -> None:
    async def scenario() -> None:
        keeper, other = companion(on), companion(on)
        with pytest.raises(CompanionAway):
            await other.call("apply")
        keeper.keep(True)
        await until(lambda: keeper.pid)
        await other.call("apply")
        await keeper.call("apply")
        assert [puppet.name for puppet in on.puppets] == ["shop/view-carts"]
        assert on.puppets[0].calls == ["open", "apply", "apply"]
        await keeper.aclose()
        await other.aclose()
        assert on.puppets[0].process.poll() is None, "it lives on for the next keeper"

    asyncio.run(scenario())


def test_one_that_is_killed_is_made_anew_and_found_again(on: Stage) -> None:
    async def scenario() -> None:
        told: list[int] = []
        keeper = companion(on, lambda: told.append(1))
        keeper.keep(True)
        await until(lambda: keeper.pid)
        on.puppets[0].kill()
        await until(lambda: len(on.puppets) == 2 and keeper.pid == on.puppets[1].pid)
        await keeper.call("apply")
        assert on.puppets[1].calls[-1] == "apply"
        assert keeper.deaths == 1
        assert len(told) == 2
        await keeper.aclose()

    asyncio.run(scenario())


def test_one_that_is_silent_is_killed(on: Stage) -> None:
    async def scenario() -> None:
        keeper = companion(on)
        keeper.keep(True)
        await until(lambda: keeper.pid)
        on.puppets[0].still = True
        await until(lambda: len(on.puppets) == 2 and keeper.pid)
        assert on.puppets[0].process.wait() != 0
        await keeper.aclose()

    asyncio.run(scenario())


def test_one_that_hangs_while_it_opens_is_killed(on: Stage) -> None:
    async def scenario() -> None:
        on.prepare = _first_hangs
        keeper = companion(on)
        keeper.keep(True)
        await until(lambda: len(on.puppets) == 2 and keeper.pid == on.puppets[1].pid)
        await keeper.aclose()

    asyncio.run(scenario())


def _first_hangs(puppet: Puppet) -> None:
    puppet.still = True
    _first_hangs.__dict__.setdefault("seen", []).append(puppet)
    if len(_first_hangs.__dict__["seen"]) > 1:
        puppet.still = False


def test_a_keeper_adopts_what_an_earlier_one_has_made(on: Stage) -> None:
    async def scenario() -> None:
        first = companion(on)
        first.keep(True)
        await until(lambda: first.pid)
        await first.aclose()
        pid = on.puppets[0].pid
        stranger, held = os.pipe()
        on.present = [
            Member("shop/process-1", Peer(os.getpid(), stranger)),
            Member("shop/view-carts", Peer(pid, os.pidfd_open(pid))),
        ]
        second = companion(on)
        second.keep(True)
        await until(lambda: second.pid == pid)
        assert len(on.puppets) == 1
        with pytest.raises(BrokenPipeError):  # its end was closed
            os.write(held, b"x")
        os.close(held)
        await second.aclose()

    asyncio.run(scenario())


def test_what_is_kept_by_another_one_from_now_on_is_left_alone(on: Stage) -> None:
    async def scenario() -> None:
        keeper = companion(on)
        keeper.keep(True)
        await until(lambda: keeper.pid)
        keeper.keep(False)
        on.puppets[0].kill()
        await until(lambda: on.puppets[0].process.poll() is not None)
        assert len(on.puppets) == 1
        await keeper.aclose()

    asyncio.run(scenario())


def test_one_that_its_maker_has_left_half_made_is_adopted(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    half: list[Puppet] = []

    async def taken(*_: object) -> Actor:
        raise ValueError("The name shop/view-carts is already taken.\nPlease use another one.")

    async def named(*_: object) -> Actor | None:
        return half[0].actor() if half else None

    async def scenario() -> None:
        keeper = companion(on)
        keeper.keep(True)
        await until(lambda: keeper.deaths > 2)
        half.append(Puppet("shop/view-carts"))
        on.puppets.append(half[0])
        await until(lambda: keeper.pid == half[0].pid)
        await keeper.aclose()

    monkeypatch.setattr(module, "made", taken)
    monkeypatch.setattr(module, "named", named)
    asyncio.run(scenario())


def test_one_that_may_be_elsewhere_is_made_where_it_is_said_and_asked_where_it_is(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def made(making: Making, name: str, factory: str, config: bytes, node: str = "") -> Actor:
        asked_for.append((node, config))
        actor = await on._made(making, name, factory, config)
        actor.heard(msgspec.msgpack.encode(Beat(actor.pid, node=node)))
        on.puppets[-1].node = node
        return actor

    async def where() -> Where:
        return places.pop()

    async def scenario() -> None:
        settled: list[str] = []
        making = msgspec.structs.replace(on.making, node="own")
        keeper, other = (
            Companion(
                *(making, "view-carts", "factory", b"", lambda: None, _no_time),
                where=where,
                settled=settled.append,
            )
            for _ in range(2)
        )
        assert not keeper.near, "it is not known where it is"
        keeper.keep(True)
        await until(lambda: keeper.pid)
        assert (keeper.node, keeper.near) == ("attic", False)
        await other.find()
        assert other.node == "attic"
        await other.call("apply", b"", "tasks")
        on.puppets[0].kill()
        await until(lambda: keeper.pid == on.puppets[-1].pid and len(on.puppets) == 2)
        assert (keeper.node, keeper.near) == ("own", True)
        assert asked_for == [("attic", b"far"), ("", b"here")]
        assert settled == ["attic", "own"]
        await keeper.aclose()
        await other.aclose()

    asked_for: list[tuple[str, bytes]] = []
    places = [Where("", b"here"), Where("attic", b"far")]
    monkeypatch.setattr(module, "made", made)
    monkeypatch.setattr(module, "ray_error", lambda: ConnectionError)
    asyncio.run(scenario())
