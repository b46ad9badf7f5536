"""What a simulated service must not touch: the calls of an event loop that reach the real world.

Threads, sockets, processes and signals have times and orders of their own, which no seed repeats.
So each such call raises, by name, when it is made.
"""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn


class RealWorld(RuntimeError):
    """A simulated service reached for what is outside of the simulation."""

    def __init__(self, call: str) -> None:
        super().__init__(
            f"loop.{call} reaches the real world, which no seed repeats; in a simulation, whoever "
            "calls it is to be replaced by a simulated part"
        )
        self.call = call


def _refused(call: str) -> Any:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RealWorld(call)

    return refuse


class SealedLoop(asyncio.AbstractEventLoop):
    """An event loop without a way out; it lacks only what needs none."""

    # Threads.
    run_in_executor = _refused("run_in_executor")
    set_default_executor = _refused("set_default_executor")
    # Names, connections, servers.
    getaddrinfo = _refused("getaddrinfo")
    getnameinfo = _refused("getnameinfo")
    create_connection = _refused("create_connection")
    create_server = _refused("create_server")
    create_unix_connection = _refused("create_unix_connection")
    create_unix_server = _refused("create_unix_server")
    create_datagram_endpoint = _refused("create_datagram_endpoint")
    connect_accepted_socket = _refused("connect_accepted_socket")
    start_tls = _refused("start_tls")
    sendfile = _refused("sendfile")
    # Sockets and files.
    sock_accept = _refused("sock_accept")
    sock_connect = _refused("sock_connect")
    sock_recv = _refused("sock_recv")
    sock_recv_into = _refused("sock_recv_into")
    sock_recvfrom = _refused("sock_recvfrom")
    sock_recvfrom_into = _refused("sock_recvfrom_into")
    sock_sendall = _refused("sock_sendall")
    sock_sendfile = _refused("sock_sendfile")
    sock_sendto = _refused("sock_sendto")
    add_reader = _refused("add_reader")
    add_writer = _refused("add_writer")
    remove_reader = _refused("remove_reader")
    remove_writer = _refused("remove_writer")
    # Processes and signals.
    connect_read_pipe = _refused("connect_read_pipe")
    connect_write_pipe = _refused("connect_write_pipe")
    subprocess_exec = _refused("subprocess_exec")
    subprocess_shell = _refused("subprocess_shell")
    add_signal_handler = _refused("add_signal_handler")
    remove_signal_handler = _refused("remove_signal_handler")
    # Tasks that somebody else makes: the simulation has to know of each.
    set_task_factory = _refused("set_task_factory")

    def get_task_factory(self) -> None:
        """None: the loop makes all tasks."""

    async def shutdown_default_executor(self) -> None:
        """There is none."""

    def get_debug(self) -> bool:
        """Off, whatever the interpreter was started with: debug mode reads the machine's clock."""
        return False

    def set_debug(self, enabled: bool) -> None:
        """It stays off."""
