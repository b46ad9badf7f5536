"""Processes that do as a test says, behind handles that look like Ray's: real ids, real ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorkalix_cluster.rayhost import actors, fleet, members, standbys
from actorkalix_cluster.rayhost.actors import Actor, Making
from actorkalix_cluster.rayhost.contract import (
    STANDBY,
    Answer,
    Answered,
    Assignment,
    Beat,
    HostState,
    Refused,
    Roll,
)
from actorkalix_cluster.rayhost.members import Member
from actorkalix_cluster.rayhost.sockets import Peer


class Ref:
    """An answer to come, awaited on the loop or taken as a future of threads."""

    def __init__(self, work: Awaitable[bytes]) -> None:
        self._task = asyncio.ensure_future(work)

    def __await__(self) -> Generator[Any, None, bytes]:
        return self._task.__await__()

    def future(self) -> concurrent.futures.Future[bytes]:
        """As Ray gives it."""
        future: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()

        def done(task: asyncio.Task[bytes]) -> None:
            if task.cancelled():
                return  # the loop ends: nobody waits any more
            if error := task.exception():
                future.set_exception(error)
            else:
                future.set_result(task.result())

        assert isinstance(self._task, asyncio.Task)
        self._task.add_done_callback(done)
        return future


class Remote:
    """A method of an actor."""

    def __init__(self, method: Callable[..., Awaitable[bytes]]) -> None:
        self._method = method

    def options(self, **_: object) -> Remote:
        """Groups make no difference here."""
        return self

    def remote(self, *arguments: Any) -> Ref:
        """Call it."""
        return Ref(self._method(*arguments))


class Puppet:
    """A process and what it answers.

    Attributes:
        starts: what `start` waits for, and what it answers.
        still: it gives no sign of life and answers nothing.
        calls: methods that were called.
        rolls: that it was told.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        self.pid = self.process.pid
        self.state: HostState = "standby"
        self.assignment = Assignment(STANDBY, 0, b"")
        self.refusal: Refused | None = None
        self.still = False
        self.held = ""
        self.node = ""
        self.held_ms = 0
        self.blocked: dict[str, str] = {}
        self.calls: list[str] = []
        self.rolls: list[Roll] = []
        self.handles: list[set[int]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.beat = Remote(self._beat)
        self.call = Remote(self._call)
        self.enroll = Remote(self._enroll)
        self._forever: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def actor(self) -> Actor:
        """From the outside."""
        return Actor(self.name, self, Peer(self.pid, os.pidfd_open(self.pid)))

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()

    def close(self) -> None:
        """End it for good."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def _beat(self) -> bytes:
        if self.still or self.process.poll() is not None:
            return await asyncio.shield(self._forever)
        return msgspec.msgpack.encode(
            Beat(
                self.pid, self.state, self.assignment.store, self.assignment.incarnation,
                time.time_ns() // 1_000_000, held_ms=self.held_ms,
                held_by=self.held, blocked=self.blocked, node=self.node,
            )
        )  # fmt: skip

    async def _call(self, method: str, arguments: bytes) -> bytes:
        self.calls.append(method)
        if self.still or self.process.poll() is not None:
            return await asyncio.shield(self._forever)
        if method in self.gates:
            await self.gates[method].wait()
        answer: Answer = Answered(b"")
        if method == "start":
            self.assignment = msgspec.msgpack.decode(arguments, type=Assignment)
            self.state = "serving"
            answer = self.refusal or Answered(b"facts")
        return msgspec.msgpack.encode(answer)

    async def _enroll(self, roll: bytes, handles: dict[int, Any]) -> bytes:
        self.rolls.append(msgspec.msgpack.decode(roll, type=Roll))
        self.handles.append(set(handles))
        return msgspec.msgpack.encode(Answered(b""))


class Stage:
    """Where puppets are made in place of processes of Ray's."""

    def __init__(self, scratch: Path, patch: pytest.MonkeyPatch) -> None:
        self.scratch = scratch
        self.patch = patch
        self.making = Making("shop/", "test", str(scratch), "", b"")
        self.puppets: list[Puppet] = []
        self.prepare: Callable[[Puppet], object] = _as_it_is
        self._numbers = itertools.count(1)
        patch.setattr(standbys, "made", self._made)
        patch.setattr(fleet, "found", self._found)
        self.present: list[Member] = []
        patch.setattr(members, "present", self._present)
        for name in ("actor_error", "ray_error"):
            patch.setattr(actors, name, lambda: ConnectionError)

    def _present(self, scratch: Path) -> list[Member]:
        return self.present

    async def _made(self, making: Making, name: str, factory: str, config: bytes) -> Actor:
        puppet = Puppet(f"{making.prefix}{name}")
        self.puppets.append(puppet)
        self.prepare(puppet)
        return puppet.actor()

    async def _found(self, making: Making, name: str, peer: Peer) -> Actor | None:
        found = next(puppet for puppet in self.puppets if puppet.name == name)
        os.close(peer.pidfd)
        actor = found.actor()
        actor.heard(await found.beat.remote())
        return actor

    def of_store(self, store: int) -> Puppet:
        """The one that has a store, newest first."""
        return next(p for p in reversed(self.puppets) if p.assignment.store == store)

    def close(self) -> None:
        """End all."""
        for puppet in self.puppets:
            puppet.close()


@contextlib.contextmanager
def stage(scratch: Path) -> Generator[Stage]:
    """A stage for the time of the block, with short patience."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actors, "BEAT_EVERY_S", 0.01)
        patch.setattr(actors, "SILENT_S_MAX", 0.2)
        made = Stage(scratch, patch)
        try:
            yield made
        finally:
            made.close()


def _as_it_is(puppet: Puppet) -> None:
    """Nothing is special about it."""
