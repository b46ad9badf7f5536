"""Sockets and the HTTP server: uvicorn inside a loop that is not its own.

uvicorn speaks HTTP (`connection`). Around that, this file adds what a service needs: a start that
returns when connections are taken, and a stop that loses no request. Signals are none of its
business.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from actorkalix.errors import PortTaken
from actorkalix.gateway.connection import Connection
from actorkalix.gateway.http import STOPPED, Endpoint
from actorkalix_cluster.shardhost.messages import Reply

BACKLOG = 2_048
KEEP_ALIVE_S = 75  # longer than the 60 s of common load balancers, so that they close first


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
        self._endpoint = app if isinstance(app, Endpoint) else None
        self._underway = self._endpoint.underway if self._endpoint is not None else None
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
        state, underway = self._uvicorn.server_state, self._underway
        if self._endpoint is not None:
            self._endpoint.ends.set()
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                # Pipelined requests start when the ones before are answered.
                while state.tasks or underway:
                    if state.tasks:
                        await asyncio.wait(state.tasks)
                    if underway is not None:
                        await underway.empty()
        if underway is not None:
            underway.stop(Reply(failure=STOPPED))
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
