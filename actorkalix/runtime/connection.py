"""How a client sends: again where that is safe, and from threads that have no event loop.

A connection belongs to the event loop that sends over it or, entered by `with`, to a thread of its
own. The model knows neither asyncio nor threads; it finds this module by name.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from actorkalix.errors import ActorkalixError, NotInThisVersion, OutcomeUnknown
from actorkalix.model.calls import positive
from actorkalix.model.transport import Reply, Request, StreamTransport, Transport

R = TypeVar("R")
Sleep = Callable[[float], Awaitable[object]]

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 10.0


async def send_with_retries(
    transport: Transport,
    request: Request,
    *,
    sleep: Sleep = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> Reply[Any]:
    """Send a request up to `request.attempts_max` times.

    It is sent again only after errors of the service's state (AK3xxx): those that did not execute
    it, and those of unknown outcome if it has an idempotency key, for then the second is answered
    like the first.

    Args:
        transport: makes one attempt.
        request: what to send.
        sleep: waits a number of seconds between two attempts.
        jitter: a number from 0 to 1 that scales half of each wait, so that clients do not come
            in waves.

    Raises:
        CommandError, ActorkalixError: of the last attempt.
    """
    backoff_s = BACKOFF_FIRST_S
    for _ in range(request.attempts_max - 1):
        try:
            return await transport.send(request)
        except ActorkalixError as error:
            if not may_send_again(error, request):
                raise
            wait_s = max(backoff_s * (1 + jitter()) / 2, error.retry_after_ms / 1000)
        await sleep(wait_s)
        backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)
    return await transport.send(request)


def may_send_again(error: ActorkalixError, request: Request) -> bool:
    """Whether sending the request again cannot execute it twice, and may help."""
    passing = error.number.startswith("AK3")
    return passing and (error.outcome == "not_executed" or request.idempotency_key is not None)


def on_event_loop() -> bool:
    """Whether this thread runs an event loop now, so that blocking would stop it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def wait_on(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, R], timeout_s: float | None
) -> R:
    """Run it on a loop of another thread and block until it is done.

    Raises:
        OutcomeUnknown: it took longer than `timeout_s`; it has been cancelled.
    """
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(timeout_s)
    except FutureTimeout:
        if future.done():  # its own TimeoutError, not ours
            raise
        raise OutcomeUnknown(f"no reply within {timeout_s:g} s") from None
    finally:
        future.cancel()


class LoopThread:
    """An event loop in a thread of its own, for callers that have none."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="actorkalix-client", daemon=True)
        self._thread.start()
        self._started.wait()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(self._started.set)
            self._loop.run_forever()

    def wait(self, work: Coroutine[Any, Any, R], timeout_s: float | None = None) -> R:
        """Run it on the loop and block until it is done.

        Raises:
            OutcomeUnknown: it took longer than `timeout_s`; it has been cancelled.
        """
        return wait_on(self._loop, work, timeout_s)

    def stop(self) -> None:
        """Cancel what runs there and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Wait(Protocol):
    """Blocks until work on a loop of another thread is done."""

    def __call__(self, work: Coroutine[Any, Any, R], timeout_s: float | None, /) -> R: ...


_OVER: Any = object()


async def _next_of(elements: AsyncGenerator[Any]) -> Any:
    return await anext(elements, _OVER)


class Connection:
    """A client's way to its service: a transport, and for scripts a thread that sends.

    Args:
        connect: makes the transport, at the first call.
        sleep: waits a number of seconds between two attempts.
        jitter: see `send_with_retries`.
        loop: on which it sends whatever thread asks; for the clients of handlers.
        prepare: makes of each request what is sent, as often as it is sent.
    """

    def __init__(
        self,
        connect: Callable[[], Transport],
        *,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        loop: asyncio.AbstractEventLoop | None = None,
        prepare: Callable[[Request], Request] | None = None,
    ) -> None:
        self._connect = connect
        self._loop = loop
        self._prepare = prepare
        self._sleep = sleep
        self._jitter = jitter
        self._transport: Transport | None = None
        self._thread: LoopThread | None = None
        self._closed = False

    async def send(self, request: Request, /) -> Reply[Any]:
        """Send on the caller's event loop."""
        if self._thread is not None:
            raise RuntimeError(
                "this client was entered by `with`: write `.result()`, or `async with` and `await`"
            )
        return await self._send(request)

    def send_and_wait(self, request: Request, timeout: timedelta | None, /) -> Reply[Any]:
        """Send on the client's own thread and block."""
        timeout_s = None if timeout is None else positive(timeout, "a timeout").total_seconds()
        return self._waiting()(self._send(request), timeout_s)

    async def stream(self, request: Request, /) -> AsyncGenerator[Any]:
        """Send on the caller's event loop; the elements of the answer."""
        if self._thread is not None:
            raise RuntimeError("this client was entered by `with`: write `for`, without `async`")
        async with aclosing(self._stream(request)) as elements:
            async for element in elements:
                yield element

    def stream_and_wait(self, request: Request, /) -> Generator[Any]:
        """Send on the client's own thread and block for each element."""
        wait = self._waiting()
        elements = self._stream(request)
        try:
            while (element := wait(_next_of(elements), None)) is not _OVER:
                yield element
        finally:
            wait(elements.aclose(), None)

    def _stream(self, request: Request) -> AsyncGenerator[Any]:
        transport = self._transport_now()
        if not isinstance(transport, StreamTransport):
            raise NotInThisVersion(f"{request.method}: this client carries no streams")
        return transport.stream(self._prepared(request))

    async def _send(self, request: Request) -> Reply[Any]:
        transport, request = self._transport_now(), self._prepared(request)
        return await send_with_retries(transport, request, sleep=self._sleep, jitter=self._jitter)

    def _transport_now(self) -> Transport:
        self._refuse_when_closed()
        if self._transport is None:
            self._transport = self._connect()
        return self._transport

    def _prepared(self, request: Request) -> Request:
        return request if self._prepare is None else self._prepare(request)

    def _waiting(self) -> Wait:
        """What blocks this thread until work on the loop is done."""
        if on_event_loop():
            raise RuntimeError("`.result()` would block this thread's event loop: write `await`")
        self._refuse_when_closed()
        if self._loop is not None:
            return partial(wait_on, self._loop)
        if self._thread is None:
            raise RuntimeError(
                "`.result()` needs a client entered by `with Client(...) as client:`"
            )
        return self._thread.wait

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise RuntimeError("this client is closed")

    def start_thread(self) -> None:
        """Be a client of scripts from now on."""
        self._refuse_when_closed()
        if self._thread is not None:
            raise RuntimeError("this client was entered already")
        self._thread = LoopThread()

    async def aclose(self) -> None:
        """Close the transport; nothing is sent after it."""
        self._closed = True
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def close(self) -> None:
        """Close the transport on the client's thread, and end the thread."""
        thread, self._thread = self._thread, None
        assert thread is not None, "close() without start_thread()"
        try:
            thread.wait(self.aclose())
        finally:
            thread.stop()
