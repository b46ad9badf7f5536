"""More than the service takes: four times as many commands as it can answer in time.

First a closed load finds its capacity. Then so many connections that, all waiting at once, they
would wait four times as long as they have; each sends a command every so often, whatever became of
the last one, so that what is refused does not come sooner. Then the first load again.
"""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import cast

import msgspec
import uvloop

from .load import Load, drawn, load, load_of
from .rows import Row, Setting, at_least, at_most
from .serving import BODY, commands, served

TIMES = 4
CONNECTIONS_MAX = 4_000
DEADLINE_MS_MIN, DEADLINE_MS_MAX = 200, 1_000
RECOVERY_S = 2.0
GROWTH_BYTES_MAX = 200_000_000
CONNECTED_AT_ONCE = 100


class Flood(msgspec.Struct, frozen=True):
    """What became of it: answers by status, refusals that say too little, what was accepted."""

    statuses: dict[int, int]
    mute: int
    accepted: Load
    deadline_ms: int


def overload(setting: Setting) -> list[Row]:
    """Accepted commands, their latency, memory and what is left of the rate afterwards."""
    requests = commands(setting.keys)
    rates: list[Load] = []
    floods: list[Flood] = []
    after: list[Load] = []
    grown: list[int] = []
    for _ in range(min(setting.rounds, setting.floods)):
        with served() as (port, pid):
            load(port, setting.connections, min(setting.seconds, RECOVERY_S), drawn(requests))
            rates.append(load(port, setting.connections, setting.seconds, drawn(requests)))
            before = own_bytes_of(pid)
            floods.append(flood(port, rates[-1].rate, setting.flood_s, drawn(requests)))
            grown.append(own_bytes_of(pid) - before)
            load(port, setting.connections, min(setting.seconds, RECOVERY_S), drawn(requests))
            after.append(load(port, setting.connections, setting.seconds, drawn(requests)))
    return _rows(rates, floods, after, grown)


def _rows(rates: list[Load], floods: list[Flood], after: list[Load], grown: list[int]) -> list[Row]:
    rate = statistics.median(each.rate for each in rates)
    all_answers = sum(sum(each.statuses.values()) for each in floods)
    wrong = sum(
        each.mute + sum(n for status, n in each.statuses.items() if status not in (200, 503))
        for each in floods
    )
    p99_ms = statistics.median(each.accepted.p99_ms for each in floods)
    accepted = statistics.median(each.accepted.rate for each in floods)
    later = statistics.median(each.rate for each in after)
    connections = floods[0].accepted.connections
    deadline_ms = statistics.median(each.deadline_ms for each in floods)
    return [
        Row(
            what=f"commands/s that are accepted at {TIMES} x as many as are taken",
            beside="taken",
            durable=True,
            payload_bytes=len(BODY),
            connections=connections,
            unit="commands/s",
            value=accepted,
            other=rate,
            ratio=accepted / rate,
        ),
        Row(
            what="latency of what is accepted then",
            beside="its deadline",
            durable=True,
            connections=connections,
            percentile="p99",
            unit="ms",
            value=p99_ms,
            other=deadline_ms,
            ratio=p99_ms / deadline_ms,
            targets=(at_most(1, "ratio"),),
        ),
        Row(
            what="answers then that are neither 200 nor 503 with Retry-After",
            connections=connections,
            unit="%",
            value=100 * wrong / max(all_answers, 1),
            targets=(at_most(1),),
        ),
        Row(
            what=f"rate {RECOVERY_S:g} s later",
            beside="before",
            durable=True,
            payload_bytes=len(BODY),
            connections=after[0].connections,
            unit="commands/s",
            value=later,
            other=rate,
            ratio=later / rate,
            targets=(at_least(0.9, "ratio"),),
        ),
        Row(
            what="memory that the host has grown by",
            unit="MB",
            value=statistics.median(grown) / 1e6,
            targets=(at_most(GROWTH_BYTES_MAX / 1e6),),
        ),
    ]


def flood(port: int, rate: float, seconds: float, make: Callable[[], bytes]) -> Flood:
    """Send `TIMES` times so many commands a second, on no more connections than there may be.

    The deadline is as long as these allow: one command waits on each.
    """
    fits_ms = round(1_000 * CONNECTIONS_MAX / (TIMES * rate))
    deadline_ms = max(DEADLINE_MS_MIN, min(fits_ms, DEADLINE_MS_MAX))
    connections = round(TIMES * rate * deadline_ms / 1000)
    count = max(1, min(connections, CONNECTIONS_MAX))
    return uvloop.run(_flood(port, count, deadline_ms, seconds, make))


async def _flood(
    port: int, count: int, deadline_ms: int, seconds: float, make: Callable[[], bytes]
) -> Flood:
    loop = asyncio.get_running_loop()
    paced = [_Paced(make, deadline_ms) for _ in range(count)]
    for begin in range(0, count, CONNECTED_AT_ONCE):
        some = paced[begin : begin + CONNECTED_AT_ONCE]
        await asyncio.gather(
            *(loop.create_connection(partial(_itself, each), "127.0.0.1", port) for each in some)
        )
    started = perf_counter()
    for at, each in enumerate(paced):
        each.begin(started + at * deadline_ms / 1000 / count, started + seconds)
    await asyncio.gather(*(each.over for each in paced))
    took_s = perf_counter() - started
    statuses = sum((each.statuses for each in paced), Counter[int]())
    latencies = [latency for each in paced for latency in each.latencies]
    mute = sum(each.mute for each in paced)
    return Flood(dict(statuses), mute, load_of(count, latencies or [0.0], took_s), deadline_ms)


class _Paced(asyncio.Protocol):
    """A connection that sends once a deadline, or when it has its answer, if that is later."""

    def __init__(self, make: Callable[[], bytes], deadline_ms: int) -> None:
        self._make, self._deadline_ms = make, deadline_ms
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.mute = 0

    def begin(self, at_s: float, until_s: float) -> None:
        """Send at a time, and from then on until another."""
        self._due, self._until = at_s, until_s
        self._loop.call_later(max(at_s - perf_counter(), 0), self._send)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one but in name

    def _send(self) -> None:
        self._sent = perf_counter()
        self._due = max(self._due + self._deadline_ms / 1000, self._sent)
        head, _, rest = self._make().partition(b"\r\n")
        self._transport.write(b"%b\r\nX-Timeout-Ms: %d\r\n%b" % (head, self._deadline_ms, rest))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, is_whole, body = self._buffer.partition(b"\r\n\r\n")
        said = head.lower()
        at = said.find(b"content-length:")
        if not is_whole or len(body) < int(said[at + 15 :].split(b"\r\n", 1)[0]):
            return
        now, status = perf_counter(), int(head.split(b" ", 2)[1])
        self._buffer = b""
        self.statuses[status] += 1
        if status == 200:
            self.latencies.append(now - self._sent)
        elif status == 503 and (b"\r\nretry-after:" not in said or b'"not_executed"' not in body):
            self.mute += 1
        if now < self._until:
            self._loop.call_later(max(self._due - now, 0), self._send)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            if exc is None and perf_counter() >= self._until:
                self.over.set_result(None)
            else:
                self.over.set_exception(exc or ConnectionError("the service closed a connection"))


def _itself(paced: _Paced) -> _Paced:
    return paced


def own_bytes_of(pid: int) -> int:
    """Memory that is a process's alone (proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no RssAnon of {pid}")
