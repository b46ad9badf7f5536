"""Sockets and the HTTP server: uvicorn inside a loop that is not its own.

uvicorn parses (httptools) and frames; this file adds what a service needs around it: bounds for the
head of a request in bytes and time, for what is read of a body that nobody wants, a start that
returns when connections are taken, and a stop that loses no request. Signals are none of its
business.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Mapping, Sequence
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from actorkalix.errors import PortTaken

BACKLOG = 2_048
HEAD_BYTES_MAX = 65_536  # request line and headers (nginx: 4 x 8 KiB, Node: 16 KiB, Akka: 64 KiB)
HEAD_TIMEOUT_S = 10.0  # a connection that says nothing, or its head by drops
KEEP_ALIVE_S = 75  # longer than the 60 s of common load balancers, so that they close first
UNWANTED_BYTES_MAX = 16_777_216  # read of a body after its refusal, so that the caller sees why

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\n"
    b"content-length: 0\r\n\r\n"
)


def bind(host: str, port: int, option: str = "--port") -> socket.socket:
    """A listening socket without SO_REUSEPORT: a port that is taken is an error.

    Args:
        host: address or name.
        port: 0 for any.
        option: of the command line that changes the port; for the message.

    Raises:
        PortTaken: somebody listens there, or the port may not be had.
    """
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise PortTaken(f"cannot listen on {where}: {error.strerror}") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"port {port} on {host} is taken: another service runs there, or this one already; "
                f"stop it or choose another port with {option}"
            ) from error
        raise PortTaken(f"cannot listen on {where}: {error.strerror}") from error
    listening.setblocking(False)
    return listening


class Server:
    """Serves an app on sockets that listen already; owns and closes them."""

    def __init__(self, app: ASGIApp, sockets: Sequence[socket.socket]) -> None:
        self._sockets = list(sockets)
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
        )
        self._ticks: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Takes connections when it returns."""
        server = self._uvicorn
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.on_tick(0)  # the first `Date`
        await server.startup(self._sockets)
        self._ticks = asyncio.create_task(server.main_loop(), name="http date")

    async def retire(self, timeout_s: float) -> None:
        """Takes no more connections, and ends each one with the answer to its next request.

        A client that keeps connections open learns that from the answer (`Connection: close`) and
        loses no request, where one that is closed while idle may just have sent one. Those that
        are idle at the end of the time are closed all the same.

        Args:
            timeout_s: until then.
        """
        self._close_listeners()
        for connection in self._connections():
            connection.retire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while connections := self._connections():
                    await connections[0].wait_closed()

    async def stop(self, grace_s: float) -> None:
        """Takes no more connections, lets running requests finish, closes all connections.

        Args:
            grace_s: what is not answered by then is told that its outcome is unknown.

        Cancellation: connections that are open stay so.
        """
        if self._ticks is None:
            return
        self._close_listeners()
        state = self._uvicorn.server_state
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while state.tasks:  # pipelined requests start when the ones before are answered
                    await asyncio.wait(state.tasks)
        for task in state.tasks:
            task.cancel()
        if state.tasks:
            await asyncio.wait(state.tasks)
        for connection in list(state.connections):
            connection.transport.close()
        self._ticks.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticks
        self._ticks = None

    def _close_listeners(self) -> None:
        for server in self._uvicorn.servers:
            server.close()
        for listening in self._sockets:
            listening.close()

    def _connections(self) -> list[Connection]:
        open_ = self._uvicorn.server_state.connections
        return [each for each in open_ if isinstance(each, Connection)]


class Connection(HttpToolsProtocol):
    """A connection of uvicorn's, with bounds for heads and for bodies that nobody wants."""

    retiring = False
    _began_in_head = True
    _head_bytes = 0
    _unwanted_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first head."""
        super().connection_made(transport)
        self._closed = asyncio.Event()
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the timer."""
        self._stop_head_timer()
        super().connection_lost(exc)
        self._closed.set()

    async def wait_closed(self) -> None:
        """Return when the connection is closed."""
        await self._closed.wait()

    def retire(self) -> None:
        """The next answer is the last one."""
        self.retiring = True
        cycle = self._current()
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False

    def _current(self) -> RequestResponseCycle | None:
        return cast("RequestResponseCycle | None", self.cycle)  # None before the first request

    def on_headers_complete(self) -> None:
        """Begins the work on a request."""
        before = self._current()
        super().on_headers_complete()
        if self.retiring:
            if before is not None and not before.response_complete:
                before.keep_alive = True  # another request is behind it already
            self.cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Parses; closes what goes beyond a bound."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        # uvicorn makes the scope when a head begins, and adds its method when the head is complete.
        scope = cast("Mapping[str, object] | None", self.scope)
        if scope is None or "method" not in scope:
            self._head_went_on(data)
            return
        self._began_in_head = False
        if self._head_timer is not None:
            self._stop_head_timer()
        if self.cycle.response_complete:
            self._refused_body_went_on(data)

    def _head_went_on(self, data: bytes) -> None:
        if not self._began_in_head:
            self._began_in_head = True
            self._head_bytes = 0  # most of `data` may belong to the request before
        else:
            self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self.transport.write(TOO_LARGE)
            self.transport.close()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _refused_body_went_on(self, data: bytes) -> None:
        self._unwanted_bytes += len(data)
        if self._unwanted_bytes > UNWANTED_BYTES_MAX:
            self.transport.close()
        elif self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
