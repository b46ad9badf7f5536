"""A process of a run on another node than the run's: watched and ended through Ray alone.

There is no pidfd of it, no member file and no socket. Its end is seen when Ray says so, its silence
as that of any other. The other way round it lives on a lease: when nobody has asked it for a sign
of life for a while, the run is gone or cannot reach it, and it ends (`lease`).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from actorkalix_cluster.rayhost.actors import Actor, aside
from actorkalix_cluster.rayhost.contract import Beat
from actorkalix_cluster.rayhost.launch import module
from actorkalix_cluster.rayhost.nodes import Node
from actorkalix_cluster.rayhost.sockets import Peer

KILL_S_MAX = 5.0
LIST_S_MAX = 5.0  # gcs answers in milliseconds, or not at all


class FarActor(Actor):
    """See the module. Made by `actors`, on the event loop.

    Args:
        name: of the actor.
        handle: the actor.
        beat: its first sign of life.
    """

    def __init__(self, name: str, handle: Any, beat: Beat) -> None:
        super().__init__(name, handle, Peer(beat.pid, -1))
        self.last = beat

    def _ask_for_beat(self) -> asyncio.Future[bytes]:
        answer = super()._ask_for_beat()
        answer.add_done_callback(self._look)
        return answer

    def _look(self, answer: asyncio.Future[bytes]) -> None:
        died = module("ray.exceptions").ActorDiedError
        if not answer.cancelled() and isinstance(answer.exception(), died):
            self.ended.set()

    async def kill(self) -> None:
        """Have Ray end it, and forget its name."""
        with contextlib.suppress(TimeoutError, ValueError):
            async with asyncio.timeout(KILL_S_MAX):
                await aside(lambda: module("ray").kill(self.handle))
        self.ended.set()


def kill_left(namespace: str, scratch: str) -> None:
    """End what a run has left on other nodes; blocks.

    Args:
        namespace: of its actors.
        scratch: name of its scratch folder, which stands in their names.
    """
    ray, util = module("ray"), module("ray.util")
    for actor in util.list_named_actors(all_namespaces=True):
        if actor["namespace"] == namespace and f"-{scratch}/" in actor["name"]:
            with contextlib.suppress(ValueError):  # it has ended by now
                ray.kill(ray.get_actor(actor["name"], namespace=namespace))


async def nodes_there() -> list[Node]:
    """The nodes that are alive, as far as Ray knows.

    Raises:
        TimeoutError: Ray does not say.
    """
    async with asyncio.timeout(LIST_S_MAX):
        found: list[dict[str, Any]] = await aside(module("ray").nodes)
    return [
        Node(str(one["NodeID"]), _name_of(one), frozenset(one.get("Resources") or ()))
        for one in found
        if one["Alive"]
    ]


def _name_of(node: dict[str, Any]) -> str:
    return str(node.get("NodeName") or node.get("NodeManagerHostname") or node["NodeID"])
