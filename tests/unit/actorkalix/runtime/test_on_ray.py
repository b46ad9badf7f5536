"""What a host runs, without the Ray around it: real store, real sockets, real HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import NoReturn

import httpx
import msgspec
import pytest

from actorkalix.errors import ForeignFolder
from actorkalix.runtime.config import HostConfig, HostFacts
from actorkalix.runtime.loading import resolve
from actorkalix.runtime.on_ray import ServiceHost, hosted
from actorkalix_storage.lmdbstore import holder, open_store

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


class Notes:
    """A host of the notes, and where it listens."""

    def __init__(self, folder: Path, module: str) -> None:
        file = folder / f"{module}.py"
        file.write_text(SERVICE)
        self.data = folder / "data"
        listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        ports = [each.getsockname()[1] for each in listening]
        self.url, self.admin = (f"http://127.0.0.1:{port}" for port in ports)
        config = HostConfig(resolve(f"{file}:service"), str(self.data))
        self.host: ServiceHost = hosted(msgspec.msgpack.encode(config), listening, never)


def test_it_serves_both_ports_and_leaves_the_store_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        for round_ in range(2):
            notes = Notes(tmp_path, "notes_served")
            assert json.loads(await notes.host.health()) == ["starting"]
            facts = msgspec.msgpack.decode(await notes.host.start(), type=HostFacts)
            assert facts == HostFacts(1024, {})
            assert json.loads(await notes.host.health()) == []
            assert holder(notes.data) is not None
            async with httpx.AsyncClient() as client:
                if round_ == 0:
                    body = {"text": "hello"}
                    written = await client.post(f"{notes.url}/note/n1/write", json=body)
                    assert written.status_code == 200, written.text
                read = await client.get(f"{notes.url}/note/n1/read")
                assert read.json() == "hello"
                assert (await client.get(f"{notes.admin}/health/ready")).status_code == 200
                assert "actorkalix_commands" in (await client.get(f"{notes.admin}/metrics")).text
                shown = (await client.get(f"{notes.admin}/admin/state/note/n1")).json()
                assert shown["state"] == "hello"
                checked = (await client.post(f"{notes.admin}/admin/verify", timeout=30)).json()
                assert checked["ok"] is True
            await notes.host.stop(1.0)
            assert holder(notes.data) is None

    asyncio.run(scenario())


def test_why_a_store_cannot_be_opened_has_a_page(tmp_path: Path) -> None:
    async def scenario() -> None:
        notes = Notes(tmp_path, "notes_refused")
        open_store(notes.data, service="others").close()
        with pytest.raises(ForeignFolder):
            await notes.host.start()
        assert holder(notes.data) is None, "a start that failed has closed what it opened"
        for each in notes.host._sockets:
            each.close()

    asyncio.run(scenario())
