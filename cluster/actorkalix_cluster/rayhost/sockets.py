"""A node's listening sockets, and their way from the run process to its hosts.

The run process has bound them before anything else started and keeps them open all its life: while
a killed host is replaced, connections wait in the backlog instead of being refused.

A host fetches them, and the run's standard error, over a unix socket in the run's scratch folder
(mode 0700) with SCM_RIGHTS. It shows a ticket of 32 random bytes, good for one host; both sides
open a pidfd of the other while the other is certain to live, so a process id that is used again can
confuse nobody.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
from pathlib import Path

import msgspec

TICKET_BYTES = 32
FILES_MAX = 16
HANDOVER_S_MAX = 10.0
_NAME = "handover"


class Peer(msgspec.Struct, frozen=True):
    """The process at the other end.

    Attributes:
        pid: its id.
        pidfd: readable when it has ended, also when the id was given to another process.
    """

    pid: int
    pidfd: int


_SPENT = Peer(0, -1)


class Taken(msgspec.Struct, frozen=True):
    """What a host was handed: file descriptors in the run's order, and the run process itself."""

    files: tuple[int, ...]
    run: Peer


class Handover:
    """The run's side. One task of the run's event loop serves it; used from that loop alone.

    Args:
        scratch: the run's scratch folder.
        files: file descriptors to hand out, at most 16; they stay open here.
    """

    def __init__(self, scratch: Path, files: list[int]) -> None:
        assert len(files) <= FILES_MAX, files
        self._path = scratch / _NAME
        self._files = files
        self._shown: dict[bytes, Peer | None] = {}
        self._path.unlink(missing_ok=True)  # a killed run leaves its own there
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen(8)
        self._listener.setblocking(False)

    def ticket(self) -> bytes:
        """A new ticket, good for one host."""
        ticket = secrets.token_bytes(TICKET_BYTES)
        self._shown[ticket] = None
        return ticket

    def settle(self, ticket: bytes) -> Peer | None:
        """End a ticket: who has shown it, if anybody has. The caller owns the pidfd."""
        return self._shown.pop(ticket)

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
                pid, uid = _credentials(peer)
                if self._shown.get(ticket, _SPENT) is not None or uid != os.geteuid():
                    return
                # The host waits for our answer, so it lives and the pidfd is its own.
                self._shown[ticket] = Peer(pid, os.pidfd_open(pid))
                socket.send_fds(peer, [b"1"], self._files)
            except (OSError, TimeoutError):
                return  # it hung up, or never said a word

    def close(self) -> None:
        """Close the socket and remove its name."""
        self._listener.close()
        self._path.unlink(missing_ok=True)


def take(scratch: Path, ticket: bytes) -> Taken:
    """Fetch the files, from the host's side.

    Raises:
        OSError: the run process is gone, or does not know the ticket.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as run:
        run.settimeout(HANDOVER_S_MAX)
        run.connect(str(scratch / _NAME))
        run.sendall(ticket)
        # Opened before the answer is read: the answer says that the process was alive then.
        pid, _ = _credentials(run)
        peer = Peer(pid, os.pidfd_open(pid))
        answer, files, _, _ = socket.recv_fds(run, 1, FILES_MAX)
        if answer != b"1":
            os.close(peer.pidfd)
            raise ConnectionRefusedError("the run process does not know this host's ticket")
        return Taken(tuple(files), peer)


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


def _credentials(peer: socket.socket) -> tuple[int, int]:
    """Process and user id of the other end (unix(7), SO_PEERCRED)."""
    form = struct.Struct("3i")
    pid, uid, _ = form.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size))
    return pid, uid
