"""Sockets and the HTTP server: uvicorn inside a loop that is not its own.

uvicorn parses (httptools) and frames. A request that came whole, on a connection that has nothing
else to do, goes straight to the endpoint, and its answer straight to the socket (`prompt`); any
other gets uvicorn's task and its cycle of events. Around that, this file adds what a service needs:
bounds for the head of a request in bytes and time, for what is read of a body that nobody wants, a
start that returns when connections are taken, and a stop that loses no request. Signals are none of
its business.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Sequence
from typing import Any, cast

import uvicorn
from httptools import HttpRequestParser
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from actorkalix.errors import PortTaken
from actorkalix.gateway.headers import Headers
from actorkalix.gateway.http import STOPPED, Endpoint
from actorkalix.gateway.prompt import Prompt
from actorkalix.gateway.streaming import OVERRUN
from actorkalix_cluster.shardhost.messages import Reply

BACKLOG = 2_048
HEAD_BYTES_MAX = 65_536  # request line and headers (nginx: 4 x 8 KiB, Node: 16 KiB, Akka: 64 KiB)
OVERRUN_S = 30.0  # to take the rest of a stream that was ended, for it was not read
HEAD_TIMEOUT_S = 10.0  # a connection that says nothing, or its head by drops
KEEP_ALIVE_S = 75  # longer than the 60 s of common load balancers, so that they close first
UNWANTED_BYTES_MAX = 16_777_216  # read of a body after its refusal, so that the caller sees why

PROMPT_VERBS = {verb.encode(): verb for verb in ("GET", "POST", "PUT", "PATCH", "DELETE")}

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


class Connection(HttpToolsProtocol):
    """A connection of uvicorn's, with bounds for heads and for bodies that nobody wants."""

    retiring = False
    _in_head = True
    _in_body = False
    _began_in_head = True
    _head_bytes = 0
    _unwanted_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _target = b""
    _lines: Headers
    _held: list[bytes] | None = None  # the body so far, of a request that may yet have come whole
    _defaults: Sequence[tuple[bytes, bytes]] = ()
    _default_lines = b""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        app: object = vars(config)["loaded_app"]  # typed as what pyright does not know
        self._endpoint = app if isinstance(app, Endpoint) else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first head."""
        super().connection_made(transport)
        self._closed = asyncio.Event()
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the timer."""
        self._stop_head_timer()
        super().connection_lost(exc)
        cycle: object = self.cycle
        if isinstance(cycle, Prompt) and self._endpoint is not None:
            self._endpoint.underway.gone(cycle)
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

    # ---- the parser's calls ---------------------------------------------------------------------
    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._target = b""
        self._lines = []

    def on_url(self, url: bytes) -> None:
        """A piece of a request's target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what comes as one behind a body (a trailer) is left out."""
        if self._in_head:
            self._lines.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Waits for the end of a request that may have come whole; begins the work on any other."""
        self._in_head, self._in_body = False, True
        if self._may_be_prompt():
            self._held = []
        else:
            self._begin_slowly()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """Begins the work on a request that came whole."""
        self._in_body = False
        held, self._held = self._held, None
        if held is None:
            super().on_message_complete()
            return
        assert self._endpoint is not None, "only its requests are held"
        parser = self._parser()
        keep_alive = not self.retiring and parser.should_keep_alive()
        prompt = Prompt(self, keep_alive=keep_alive)
        self.cycle = cast("RequestResponseCycle", prompt)  # which has what uvicorn asks of one
        verb = PROMPT_VERBS[parser.get_method()]
        self._endpoint.begin(prompt, verb, self._target, self._lines, b"".join(held))

    def _parser(self) -> HttpRequestParser:
        parser: HttpRequestParser | None = self.parser
        assert parser is not None, "a connection that is lost parses nothing"
        return parser

    def _may_be_prompt(self) -> bool:
        before, parser, target = self._current(), self._parser(), self._target
        return (
            self._endpoint is not None
            and (before is None or before.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and parser.get_method() in PROMPT_VERBS
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and target[:1] == b"/"
            and target[1:2] != b"/"
            and target.isascii()
            and b"#" not in target
            and self._endpoint.takes(PROMPT_VERBS[parser.get_method()], target)
            and not any(name == b"expect" for name, _ in self._lines)
        )

    def _begin_slowly(self) -> None:
        """Let uvicorn do it, with a task of its own."""
        super().on_message_begin()
        self.scope["extensions"] = {OVERRUN: {"call": self._overrun}}
        super().on_url(self._target)
        for name, value in self._lines:
            super().on_header(name, value)
        before = self._current()
        super().on_headers_complete()
        if self.retiring:
            if before is not None and not before.response_complete:
                before.keep_alive = True  # another request is behind it already
            self.cycle.keep_alive = False

    def _overrun(self) -> None:
        """A stream gives up its reader: what it says last waits for nobody, nor do we for long."""
        self.cycle.keep_alive = False
        self.flow.resume_writing()
        self.loop.call_later(OVERRUN_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Parses; closes what goes beyond a bound."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        held, self._held = self._held, None
        if held is not None:  # its body goes on
            self._begin_slowly()
            super().on_body(b"".join(held))
        if self._in_head:
            self._head_went_on(data)
            return
        self._began_in_head = False
        if self._head_timer is not None:
            self._stop_head_timer()
        if self._in_body and self.cycle.response_complete:
            self._refused_body_went_on(data)

    def answer(self, prompt: Prompt, status: int, headers: Headers, body: bytes, /) -> None:
        """Write the answer to a request that came whole."""
        if self.server_state.default_headers is not self._defaults:  # a new `Date`
            self._defaults = self.server_state.default_headers
            self._default_lines = b"".join(b"%b: %b\r\n" % each for each in self._defaults)
        prompt.response_complete = True
        parts = [STATUS_LINE[status], self._default_lines]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n" if prompt.keep_alive else b"connection: close\r\n\r\n")
        parts.append(body)
        self.transport.write(b"".join(parts))
        if not prompt.keep_alive:
            self.transport.close()
        self.on_response_complete()

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
