"""What a host runs, without the Ray around it: real stores, real sockets, real HTTP, real links."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import httpx
import msgspec
import pytest

from actorkalix.errors import ForeignFolder, UnknownRoute
from actorkalix.runtime import stores
from actorkalix.runtime.config import Moving
from actorkalix.runtime.loading import resolve
from actorkalix.runtime.on_ray import ServiceHost, hosted
from actorkalix.runtime.orders import HostConfig, HostFacts, StoreConfig
from actorkalix_cluster.placement import shard_of
from actorkalix_cluster.rayhost.contract import Assignment, Roll, Transport
from actorkalix_cluster.rayhost.sockets import Taken
from actorkalix_storage.lmdbstore import holder

SERVICE = """
from actorkalix import Effect, Service, ValueEntity, command, query

class Note(ValueEntity[str], id="note"):
    def empty_state(self) -> str:
        return ""

    @command
    def write(self, text: str) -> Effect[None]:
        return self.effects.update_state(text).then_reply(None)

    @query
    def read(self) -> str:
        return self.state

service = Service("notes", components=[Note])
"""


def never(reason: str) -> NoReturn:
    """Where nothing is fatal."""
    pytest.fail(f"fatal: {reason}")


def silent(moving: Moving) -> None:
    """How moving goes on is told elsewhere."""


class Way:
    """From one host to another in the same process, by the loop."""

    def __init__(self, to: ServiceHost) -> None:
        self._to = to

    def send(self, batch: bytes, done: Callable[[Exception | None], object]) -> None:
        """Take it there."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._to.take, batch)
        loop.call_soon(done, None)


class Notes:
    """Hosts of the notes, one a store, all behind one socket as on a node."""

    def __init__(self, folder: Path, module: str, hosts: int = 1) -> None:
        self.file = folder / f"{module}.py"
        self.file.write_text(SERVICE)
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True)
        self.prepared = stores.prepare(self.data, "notes", hosts=hosts, report=silent)
        self._http = socket.create_server(("127.0.0.1", 0))
        self._http.setblocking(False)
        self.url = f"http://127.0.0.1:{self._http.getsockname()[1]}"
        self.hosts = {number: self.standby() for number in self.prepared.stores}
        self._rolls = 0
        self._open: dict[int, int] = {}

    def standby(self) -> ServiceHost:
        admin = socket.create_server(("127.0.0.1", 0))
        listening = (os.dup(self._http.fileno()), admin.detach())
        config = HostConfig(resolve(f"{self.file}:service"))
        return hosted(msgspec.msgpack.encode(config), Taken(-1, 2, listening), never)

    async def start(self, number: int) -> HostFacts:
        """Give a store to its host."""
        prepared = self.prepared
        config = StoreConfig(
            prepared.stores[number], prepared.cluster, prepared.shards, prepared.homes
        )
        self._open[number] = max(self._open.values(), default=9) + 1
        assignment = Assignment(number, self._open[number], msgspec.msgpack.encode(config))
        facts = await self.hosts[number].call("start", msgspec.msgpack.encode(assignment))
        return msgspec.msgpack.decode(facts, type=HostFacts)

    def enroll(self, *present: int) -> None:
        """Tell those that are there of each other."""
        self._rolls += 1
        homes = msgspec.msgpack.encode(self.prepared.homes)
        roll = Roll(self._rolls, {n: self._open[n] for n in present}, {}, homes)
        for number in present:
            ways: dict[int, Transport] = {n: Way(self.hosts[n]) for n in present if n != number}
            self.hosts[number].enroll(roll, ways)

    async def stop(self, *numbers: int) -> None:
        """Let hosts stop."""
        for number in numbers:
            await self.hosts[number].call("stop", msgspec.msgpack.encode(1.0))

    def close(self) -> None:
        """The socket is the node's."""
        self._http.close()

    def note_of(self, store: int) -> str:
        """A note whose home is this store."""
        homes = self.prepared.homes.homes
        names = (f"note-{number}" for number in range(10_000))
        return next(n for n in names if homes[shard_of("note", n, len(homes))] == (store,))


def test_a_host_serves_and_leaves_the_store_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        for round_ in range(2):
            notes = Notes(tmp_path, "notes_served")
            host = notes.hosts[0]
            assert host.beat().state == "standby"
            with pytest.raises(UnknownRoute, match="a host that is standby has no method"):
                await host.call("inspect.status", b"")
            assert await notes.start(0) == HostFacts(1024, {})
            beat = host.beat()
            assert (beat.state, beat.store, beat.incarnation) == ("serving", 0, 10)
            assert holder(notes.data / "store-0") is not None
            async with httpx.AsyncClient(base_url=notes.url) as client:
                if round_ == 0:
                    written = await client.post("/note/n1/write", json={"text": "hello"})
                    assert written.status_code == 200, written.text
                read = await client.get("/note/n1/read")
                assert read.json() == "hello"
            await notes.stop(0)
            assert host.beat().state == "draining"
            assert holder(notes.data / "store-0") is None
            notes.close()

    asyncio.run(scenario())


def test_two_hosts_answer_for_each_other_and_wait_for_who_is_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        notes = Notes(tmp_path, "notes_of_two", hosts=2)
        assert (await notes.start(0)).shards + (await notes.start(1)).shards == 1024
        notes.enroll(0, 1)
        names = [notes.note_of(0), notes.note_of(1)]
        limits = httpx.Limits(max_keepalive_connections=0)  # a new one may reach either host
        async with httpx.AsyncClient(base_url=notes.url, limits=limits) as client:
            for text in "abcdef":
                for name in names:
                    written = await client.post(f"/note/{name}/write", json={"text": text})
                    assert written.status_code == 200, written.text
                    assert (await client.get(f"/note/{name}/read")).json() == text
            await notes.hosts[1].call("retire", msgspec.msgpack.encode(1.0))
            await notes.stop(1)
            waiting = asyncio.create_task(client.get(f"/note/{names[1]}/read"))
            assert (await client.get(f"/note/{names[0]}/read")).json() == "f"
            assert not waiting.done(), "it waits for the next host of store 1"
            notes.enroll(0)
            notes.hosts[1] = notes.standby()
            await notes.start(1)
            notes.enroll(0, 1)
            assert (await waiting).json() == "f"
        await notes.stop(0, 1)
        notes.close()

    asyncio.run(scenario())


def test_why_a_store_cannot_be_opened_has_a_page(tmp_path: Path) -> None:
    async def scenario() -> None:
        notes = Notes(tmp_path, "notes_refused")
        notes.prepared = msgspec.structs.replace(notes.prepared, cluster="f" * 32)
        with pytest.raises(ForeignFolder):
            await notes.start(0)
        assert holder(notes.data / "store-0") is None, "a start that failed closes what it opened"
        notes.hosts[0]._http_socket.close()
        notes.close()

    asyncio.run(scenario())
