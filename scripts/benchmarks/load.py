"""A load generator: keep-alive connections, one request in flight on each, as cheap as Python gets.

It shares the machine's cores with the server, as the figures say; what counts are ratios taken in
one run. An answer that is not 200 ends the benchmark: a rate of failures is no figure.
"""

from __future__ import annotations

import asyncio
import math
import random
import statistics
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import cast

import msgspec
import uvloop


class Load(msgspec.Struct, frozen=True):
    """What came of it: rate a second, latencies in milliseconds."""

    connections: int
    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


def load_of(connections: int, latencies_s: list[float], elapsed_s: float) -> Load:
    """What so many requests in so many seconds come to."""
    latencies_s = sorted(latencies_s)
    return Load(
        connections,
        len(latencies_s),
        len(latencies_s) / elapsed_s,
        statistics.median(latencies_s) * 1000,
        latencies_s[int(len(latencies_s) * 0.99)] * 1000,
    )


class _Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next until there is none or time is over."""

    def __init__(self, make: Callable[[], bytes], until: float, done: asyncio.Future[None]) -> None:
        self._make, self._until, self._done = make, until, done
        self._buffer = b""
        self.latencies: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one but in name
        self._send()

    def _send(self) -> None:
        request = self._make()
        if not request:
            self._transport.close()
            return
        self._sent = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        if at < 0:
            raise RuntimeError(f"an answer without a length: {self._buffer[:200]!r}")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        now = perf_counter()
        if not head.startswith(b"http/1.1 200"):
            self._give_up(f"an answer that is not 200: {self._buffer[:500]!r}")
            return
        self._buffer = b""
        self.latencies.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def _give_up(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(why))
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            if exc is None:
                self._done.set_result(None)
            else:
                self._done.set_exception(exc)


async def _run(port: int, connections: int, seconds: float, make: Callable[[], bytes]) -> Load:
    loop = asyncio.get_running_loop()
    started = perf_counter()
    protocols: list[_Connection] = []
    ends: list[asyncio.Future[None]] = []
    for _ in range(connections):
        end: asyncio.Future[None] = loop.create_future()
        protocol = _Connection(make, started + seconds, end)
        protocols.append(protocol)
        ends.append(end)
        await loop.create_connection(lambda p=protocol: p, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    elapsed = perf_counter() - started
    latencies = [latency for protocol in protocols for latency in protocol.latencies]
    return load_of(connections, latencies, elapsed)


def post(path: str, body: bytes) -> bytes:
    """Bytes of a POST request."""
    return (
        b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)
    )


def get(path: str) -> bytes:
    """Bytes of a GET request."""
    return b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode()


def drawn(requests: list[bytes], seed: int = 1) -> Callable[[], bytes]:
    """Requests of the list at random."""
    choose = random.Random(seed).choice
    return lambda: choose(requests)


def load(port: int, connections: int, seconds: float, make: Callable[[], bytes]) -> Load:
    """Send what is made for some seconds."""
    return uvloop.run(_run(port, connections, seconds, make))


def each_once(port: int, connections: int, requests: Iterable[bytes]) -> Load:
    """Send every request once, in order."""
    left = iter(requests)
    return uvloop.run(_run(port, connections, math.inf, lambda: next(left, b"")))
