"""A process on another node: its end is what Ray says, and it is ended by Ray."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actorkalix_cluster.rayhost import actors, far
from actorkalix_cluster.rayhost.actors import wait_first
from actorkalix_cluster.rayhost.contract import Beat
from actorkalix_cluster.rayhost.far import FarActor, kill_left, nodes_there
from actorkalix_cluster.rayhost.nodes import Node
from tests.unit.cluster.rayhost.puppets import Puppet, Remote, Stage, stage


class Died(ConnectionError):
    """As Ray says it."""


class Played:
    """Ray, as far as it is asked."""

    def __init__(self) -> None:
        self.killed: list[Any] = []
        self.nodes_: list[dict[str, Any]] = []
        self.named: list[dict[str, str]] = []

    def module(self, _: str) -> Any:
        """Any of Ray's."""
        return SimpleNamespace(
            kill=self.killed.append,
            nodes=lambda: self.nodes_,
            ActorDiedError=Died,
            list_named_actors=lambda all_namespaces: self.named,
            get_actor=lambda name, namespace: (namespace, name),
        )


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Played:
    played = Played()
    monkeypatch.setattr(far, "module", played.module)
    return played


def test_its_end_is_what_ray_says_and_killing_has_ray_forget_it(
    ray: Played, tmp_path: Path
) -> None:
    async def scenario(on: Stage) -> None:
        puppet = Puppet("shop/view-carts")
        on.puppets.append(puppet)
        actor = FarActor(puppet.name, puppet, Beat(puppet.pid, node="attic"))
        assert (actor.pid, actor.last.node, actor.alive) == (puppet.pid, "attic", True)
        seen = asyncio.Event()

        def heard(_: object, beat: Beat) -> None:
            assert beat.pid == puppet.pid
            seen.set()

        watching = asyncio.create_task(actor.watch(heard))
        await seen.wait()

        async def died() -> bytes:
            raise Died("the node is gone")

        actor._beat = Remote(died)
        assert await wait_first(actor.ended, timeout_s=20)
        await watching
        assert not actor.silent.is_set()
        await actor.kill()
        assert ray.killed == [puppet]

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def test_one_that_says_nothing_is_silent_and_is_killed(ray: Played, tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        puppet = Puppet("shop/view-carts")
        on.puppets.append(puppet)
        puppet.still = True
        actor = FarActor(puppet.name, puppet, Beat(puppet.pid, node="attic"))
        await actor.watch(_never)
        assert actor.silent.is_set() and actor.alive
        await actor.kill()
        assert actor.ended.is_set()
        assert puppet.process.poll() is None, "a process id of another machine is nobody's here"

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))


def _never(_: object, beat: Beat) -> None:
    raise AssertionError(beat)


def test_nodes_that_are_there(ray: Played) -> None:
    ray.nodes_ = [
        {"NodeID": "a", "Alive": True, "NodeName": "attic", "Resources": {"views": 1.0}},
        {"NodeID": "b", "Alive": False, "NodeName": "gone", "Resources": {}},
        {"NodeID": "c", "Alive": True, "NodeManagerHostname": "host"},
    ]
    assert asyncio.run(nodes_there()) == [
        Node("a", "attic", frozenset(("views",))),
        Node("c", "host"),
    ]


def test_what_a_run_has_left_is_ended_and_nothing_else(ray: Played) -> None:
    ray.named = [
        {"namespace": "actorkalix", "name": "shop-ak-1/view-carts"},
        {"namespace": "actorkalix", "name": "shop-ak-2/view-carts"},
        {"namespace": "theirs", "name": "shop-ak-1/view-carts"},
    ]
    kill_left("actorkalix", "ak-1")
    assert ray.killed == [("actorkalix", "shop-ak-1/view-carts")]


def test_it_is_known_by_its_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def scenario(on: Stage) -> None:
        puppet = Puppet("shop/view-carts")
        on.puppets.append(puppet)
        making = actors.Making("shop/", "test", "", "", b"", node="own")
        for node, kind in (("attic", FarActor), ("own", actors.Actor), ("", actors.Actor)):
            beat = Beat(puppet.pid, node=node)
            found = await actors._confirmed(making, puppet.name, puppet, beat)
            assert type(found) is kind

    with stage(tmp_path) as on:
        asyncio.run(scenario(on))
