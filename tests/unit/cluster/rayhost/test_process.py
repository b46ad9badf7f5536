"""The host actor without Ray: it runs what a factory makes on a loop of its own."""

from __future__ import annotations

import asyncio
import builtins
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from actorkalix_cluster.rayhost.contract import Fatal, HostSpec, NotStarted, Started, StartReply
from actorkalix_cluster.rayhost.host_actor import EXIT_FATAL, HostActor, last_words
from actorkalix_cluster.rayhost.sockets import Handover

FACTORY = "actorkalix_test_factory"


class Numbered(Exception):
    """An error with a page."""

    number = "AK4003"


class Probe:
    """Hosted: says where it runs, fails as its config says."""

    def __init__(self, config: bytes, sockets: list[socket.socket], fatal: Fatal) -> None:
        self.config = config
        self.sockets = sockets

    async def start(self) -> bytes:
        """Name of the thread, number of sockets."""
        if self.config == b"foreign":
            raise Numbered("another service's")
        if self.config == b"broken":
            raise ValueError("broken")
        return f"{threading.current_thread().name} {len(self.sockets)}".encode()

    async def health(self) -> bytes:
        """Fine."""
        return b"fine"

    async def stop(self, grace_s: float) -> None:
        """Closes its sockets."""
        for each in self.sockets:
            each.close()


@contextmanager
def unharmed() -> Generator[None]:
    """Keeps streams and import path of this process from the host, which makes them its own."""
    with pytest.MonkeyPatch.context() as ours:
        for name in ("stdout", "stderr"):
            ours.setattr(sys, name, io.StringIO())
        ours.setattr(sys, "path", [*sys.path, "/nowhere"])
        ours.setattr(builtins, FACTORY, Probe, raising=False)
        yield
        sys.stdout.close()


async def prepared(scratch: Path, config: bytes) -> tuple[HostActor, StartReply]:
    """A host that has fetched a socket."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        closing(Handover(scratch, [2, listening.fileno()])) as handover,
    ):
        serving = asyncio.create_task(handover.serve())
        ticket = handover.ticket()
        spec = HostSpec(f"builtins:{FACTORY}", config, str(scratch), ticket, ("/nowhere",))
        actor = HostActor(msgspec.msgpack.encode(spec))
        answer = await asyncio.to_thread(actor.prepare)
        peer = handover.settle(ticket)
        assert peer is not None
        os.close(peer.pidfd)
        serving.cancel()
    return actor, msgspec.msgpack.decode(answer, type=StartReply)


@unharmed()
def test_it_serves_on_a_thread_of_its_own_and_stops(tmp_path: Path) -> None:
    actor, reply = asyncio.run(prepared(tmp_path, b""))
    assert reply == Started(b"")
    assert "/nowhere" not in sys.path
    assert msgspec.msgpack.decode(actor.start(), type=StartReply) == Started(b"host 1")
    assert actor.health() == b"fine"
    actor.stop(1.0)


@pytest.mark.parametrize(
    "config, told",
    [
        (b"foreign", NotStarted("AK4003", "another service's")),
        (b"broken", NotStarted("", "ValueError: broken")),
    ],
)
@unharmed()
def test_why_it_cannot_start_is_told(tmp_path: Path, config: bytes, told: NotStarted) -> None:
    actor, _ = asyncio.run(prepared(tmp_path, config))
    assert msgspec.msgpack.decode(actor.start(), type=StartReply) == told
    actor.stop(1.0)


def test_a_fatal_end_leaves_its_reason(tmp_path: Path) -> None:
    code = (
        "import msgspec\n"
        "from actorkalix_cluster.rayhost.contract import HostSpec\n"
        "from actorkalix_cluster.rayhost.host_actor import HostActor\n"
        f"spec = HostSpec('', b'', {str(tmp_path)!r}, b'')\n"
        "HostActor(msgspec.msgpack.encode(spec))._fatal('the disk is gone')\n"
    )
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.wait() == EXIT_FATAL
    assert last_words(tmp_path, process.pid).read_text() == "the disk is gone"
