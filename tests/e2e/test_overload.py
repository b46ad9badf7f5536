"""More than a host takes: what is accepted is stored once, the rest is refused and never stored."""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
import os
from pathlib import Path
from typing import Any

import httpx

from scripts.benchmarks import overload as flood
from scripts.benchmarks.load import drawn, load
from scripts.benchmarks.serving import commands
from tests.e2e.load import stored_tokens
from tests.e2e.running import Running

SERVICE = f"{Path(__file__).parent / 'overload_service.py'}:service"
COUNTER = f"{Path(flood.__file__).parent / 'service.py'}:service"
SECONDS = float(os.environ.get("ACTORKALIX_OVERLOAD_SECONDS", "5"))
CONNECTIONS = 64
REFUSED_MIN = 500
ACCEPTED_MIN = 500
GROWTH_BYTES_MAX = 200_000_000
ENTITIES = [f"bag-{number}" for number in range(20)]


class Flood:
    """Connections that send commands all at once, over and over, until enough were refused.

    Each waits until all have their answers, so that so many come at a time however slow this is.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = itertools.count()
        self.tokens: dict[int, set[tuple[str, str]]] = collections.defaultdict(set)

    async def run(self) -> None:
        streams = [
            await asyncio.open_connection("127.0.0.1", self._port) for _ in range(CONNECTIONS)
        ]
        while len(self.tokens[503]) < REFUSED_MIN or len(self.tokens[200]) < ACCEPTED_MIN:
            sent: list[tuple[str, str]] = []
            for _, writer in streams:
                number = next(self._numbers)
                sent.append((ENTITIES[number % len(ENTITIES)], f"t{number}"))
                writer.write(_request(*sent[-1]))
            for (reader, _), place in zip(streams, sent, strict=True):
                status, head, body = await _answer(reader)
                _judge(status, head, body)
                self.tokens[status].add(place)
        for _, writer in streams:
            writer.close()
            await writer.wait_closed()


def _request(entity: str, token: str) -> bytes:
    body = json.dumps({"token": token}).encode()
    return (
        b"POST /bag/%b/take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (entity.encode(), len(body), body)
    )


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.split(":", 1) for line in lines[1:] if line)
    head = {name.lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(head["content-length"]))
    return int(lines[0].split()[1]), head, body


def _judge(status: int, head: dict[str, str], body: bytes) -> None:
    if status == 200:
        return
    problem: dict[str, Any] = json.loads(body)
    if status == 503:
        assert problem["outcome"] == "not_executed", problem
        assert int(head["retry-after"]) >= 1
    else:
        assert (status, problem["outcome"]) == (504, "unknown"), problem


def _own_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no RssAnon of {pid}")


async def _stored(running: Running) -> list[tuple[str, str]]:
    return [
        (entity, token)
        for entity in ENTITIES
        for token in await stored_tokens(running.admin, entity)
    ]


def test_what_is_too_much_is_refused_and_nothing_else_suffers(tmp_path: Path) -> None:
    running = Running(tmp_path / "data", SERVICE)
    serving = running.start()
    try:
        pid = serving["pids"]["host"]
        before = _own_bytes(pid)
        flood = Flood(running.port)
        asyncio.run(flood.run())
        assert _own_bytes(pid) - before < GROWTH_BYTES_MAX
        for number in range(20):
            answer = httpx.post(f"{running.url}/bag/after/take", json={"token": f"a{number}"})
            assert answer.status_code == 200, answer.text
        stored = asyncio.run(_stored(running))
        known = set(stored)
        assert len(stored) == len(known), "stored twice"
        assert flood.tokens[200] <= known, "acknowledged and not stored"
        assert not flood.tokens[503] & known, "refused and stored"
        assert known <= flood.tokens[200] | flood.tokens[504]
        assert running.process.poll() is None
        assert _own_bytes(pid) > 0, "no other host had to take its place"
    finally:
        assert running.stop() == 0


def test_four_times_as_much_as_it_takes_is_refused_in_time_and_soon_forgotten(
    tmp_path: Path,
) -> None:
    requests = commands(100)
    running = Running(tmp_path / "data", COUNTER)
    pid = running.start()["pids"]["host"]
    try:
        load(running.port, 64, 2.0, drawn(requests))
        taken = load(running.port, 64, 2.0, drawn(requests))
        before = _own_bytes(pid)
        found = flood.flood(running.port, taken.rate, SECONDS, drawn(requests))
        assert _own_bytes(pid) - before < GROWTH_BYTES_MAX
        assert found.statuses.keys() <= {200, 503, 504}
        assert found.mute == 0, "a 503 without Retry-After, or of unknown outcome"
        assert found.statuses[200] > 0
        assert found.statuses[503] > 0  # how many, how late and how soon it is over: benchmarks
        for number in range(20):
            answer = httpx.post(f"{running.url}/counter/after-{number}/add", json={"amount": 1})
            assert answer.status_code == 200, answer.text
        assert running.process.poll() is None
    finally:
        assert running.stop() == 0
