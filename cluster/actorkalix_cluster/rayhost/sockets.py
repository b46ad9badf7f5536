"""A node's listening sockets, and their way from the run process to its other processes.

The run process has bound them before anything else started and keeps them open all its life: while
a killed host is replaced, connections wait in the backlog instead of being refused. It hands them
to the controller, and the controller to standbys: so a fleet goes on while the run process stands
still.

A process fetches them, the run's standard error and a pidfd of the run process over a unix socket
in the run's scratch folder (mode 0700) with SCM_RIGHTS, for a ticket of 32 random bytes.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import struct
from pathlib import Path

import msgspec

TICKET_BYTES = 32
FILES_MAX = 16
HANDOVER_S_MAX = 10.0


class Peer(msgspec.Struct, frozen=True):
    """Another process.

    Attributes:
        pid: its id.
        pidfd: readable when it has ended, also when the id was given to another process.
    """

    pid: int
    pidfd: int


class Taken(msgspec.Struct, frozen=True):
    """What a process was handed.

    Attributes:
        run: pidfd of the run process.
        log: its standard error.
        listening: its sockets, in its order.
    """

    run: int
    log: int
    listening: tuple[int, ...]

    def sockets(self) -> list[socket.socket]:
        """The listening sockets as objects, which own their files."""
        return [socket.socket(fileno=file) for file in self.listening]


class Handover:
    """The giving side. One task of its event loop serves it; used from that loop alone.

    Args:
        path: name of the unix socket; one that was left there is replaced.
        taken: what to hand out; its files stay open here.

    Attributes:
        ticket: who shows it gets the files.
    """

    def __init__(self, path: Path, taken: Taken) -> None:
        self._files = [taken.run, taken.log, *taken.listening]
        assert len(self._files) <= FILES_MAX, self._files
        self._path = path
        self.ticket = secrets.token_bytes(TICKET_BYTES)
        self._path.unlink(missing_ok=True)  # one who was killed leaves his there
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen(8)
        self._listener.setblocking(False)

    async def serve(self) -> None:
        """Hand out until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                peer, _ = await loop.sock_accept(self._listener)
                group.create_task(self._hand_out(peer))

    async def _hand_out(self, peer: socket.socket) -> None:
        with peer:
            try:
                async with asyncio.timeout(HANDOVER_S_MAX):
                    ticket = await _receive(peer, TICKET_BYTES)
                if hmac.compare_digest(ticket, self.ticket) and _uid(peer) == os.geteuid():
                    socket.send_fds(peer, [b"1"], self._files)
            except (OSError, TimeoutError):
                return  # it hung up, or never said a word

    def close(self) -> None:
        """Close the socket and remove its name."""
        self._listener.close()
        self._path.unlink(missing_ok=True)


def take(path: Path, ticket: bytes) -> Taken:
    """Fetch the files.

    Raises:
        OSError: nobody is there, or does not know the ticket.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as giver:
        giver.settimeout(HANDOVER_S_MAX)
        giver.connect(str(path))
        giver.sendall(ticket)
        answer, files, _, _ = socket.recv_fds(giver, 1, FILES_MAX)
        if answer != b"1":
            raise ConnectionRefusedError(f"{path} does not know this ticket")
        run, log, *listening = files
        return Taken(run, log, tuple(listening))


async def _receive(peer: socket.socket, count: int) -> bytes:
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    received = b""
    while len(received) < count:
        piece = await loop.sock_recv(peer, count - len(received))
        if not piece:
            raise ConnectionResetError("the peer hung up")
        received += piece
    return received


def _uid(peer: socket.socket) -> int:
    """User id of the other end (unix(7), SO_PEERCRED)."""
    form = struct.Struct("3i")
    _, uid, _ = form.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size))
    return int(uid)
