"""A connection of the HTTP port: what comes goes straight to the endpoint where it may.

Theory of operation. uvicorn parses (httptools) and frames. A request that came whole, on a
connection that has nothing else to do, goes straight to the endpoint, and its answer straight to
the socket (`prompt`); of those, one whose head has come before is not even parsed (`repeated`). Any
other gets uvicorn's task and its cycle of events. Around that stand bounds for the head of a
request in bytes and time, and for what is read of a body that nobody wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import uvicorn
from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from actorkalix.gateway.headers import Head, Headers
from actorkalix.gateway.http import Endpoint
from actorkalix.gateway.prompt import Prompt
from actorkalix.gateway.repeated import VERBS, Repeated, Whole
from actorkalix.gateway.streaming import OVERRUN

HEAD_BYTES_MAX = 65_536  # request line and headers (nginx: 4 x 8 KiB, Node: 16 KiB, Akka: 64 KiB)
OVERRUN_S = 30.0  # to take the rest of a stream that was ended, for it was not read
HEAD_TIMEOUT_S = 10.0  # a connection that says nothing, or its head by drops
UNWANTED_BYTES_MAX = 16_777_216  # read of a body after its refusal, so that the caller sees why

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\n"
    b"content-length: 0\r\n\r\n"
)


class Connection(HttpToolsProtocol):
    """A connection of uvicorn's, with bounds for heads and for bodies that nobody wants."""

    retiring = False
    _between = True  # the parser has nothing of a request
    _fresh = b""  # what it reads now, where that begins with a request
    _answered_s = 0.0  # when the last request that came whole was answered, by the loop's clock
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
        self._repeated = self._endpoint.repeated if self._endpoint is not None else Repeated()

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
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle

    # ---- the parser's calls ---------------------------------------------------------------------
    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._between = True, False
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
        self._in_body, self._between = False, True
        held, self._held = self._held, None
        if held is None:
            super().on_message_complete()
            return
        assert self._endpoint is not None, "only its requests are held"
        parser = self._parser()
        keep_alive = not self.retiring and parser.should_keep_alive()
        head, verb = Head(self._lines), VERBS[parser.get_method()]
        fresh, self._fresh = self._fresh, b""
        if fresh and keep_alive:
            self._repeated.learn(fresh, self._lines, head)
        self._begin(Whole(verb, self._target, head, b"".join(held)), keep_alive)

    def _begin(self, request: Whole, keep_alive: bool) -> None:
        assert self._endpoint is not None, "only its requests are begun so"
        prompt = Prompt(self, keep_alive)
        self.cycle = cast("RequestResponseCycle", prompt)  # which has what uvicorn asks of one
        self._endpoint.begin(prompt, *request)

    def _may_begin(self) -> bool:
        """Nothing is before it on its connection that is not answered, read or written."""
        before = self._current()
        return (
            self._endpoint is not None
            and (before is None or before.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
        )

    def _began_known(self, data: bytes) -> bool:
        """Begin a request whose head is known; False where the parser is to look at it."""
        if not self._may_begin() or self.transport.is_closing():
            return False
        request, endpoint = self._repeated.find(data), self._endpoint
        if request is None or endpoint is None or not endpoint.takes(request.verb, request.target):
            return False
        if self._head_timer is not None:
            self._stop_head_timer()
        self._in_head = self._began_in_head = False
        self._begin(request, not self.retiring)
        return True

    def _parser(self) -> HttpRequestParser:
        parser: HttpRequestParser | None = self.parser
        assert parser is not None, "a connection that is lost parses nothing"
        return parser

    def _may_be_prompt(self) -> bool:
        parser, target = self._parser(), self._target
        return (
            self._may_begin()
            and self._endpoint is not None
            and parser.get_method() in VERBS
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and target[:1] == b"/"
            and target[1:2] != b"/"
            and target.isascii()
            and b"#" not in target
            and self._endpoint.takes(VERBS[parser.get_method()], target)
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
        self._fresh = b""
        if self._between:
            if self._began_known(data):
                return
            self._fresh = data
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
        if self.pipeline or self.flow.read_paused or not prompt.keep_alive:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self._answered_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._close_after(self.timeout_keep_alive)

    def _close_after(self, idle_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(idle_s, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Closes an idle connection. One timer stands for all requests that came whole."""
        self.timeout_keep_alive_task = None
        cycle = self._current()
        if cycle is not None and not cycle.response_complete:
            return  # its answer sets the timer anew
        rest_s = self._answered_s + self.timeout_keep_alive - self.loop.time()
        if rest_s > 0:
            self._close_after(rest_s)
        else:
            super().timeout_keep_alive_handler()

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
            self._close_after(self.timeout_keep_alive)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
