"""Durable commands over HTTP, beside an empty handler on the same server stack in the same run."""

from __future__ import annotations

import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import msgspec

from .load import Load, get, load, post

HERE = Path(__file__).parent


class Row(msgspec.Struct, frozen=True):
    """One line of the table: medians over the rounds."""

    what: str
    connections: int
    rate: float
    p50_ms: float
    p99_ms: float
    ratio: float
    failed: int


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def empty_server() -> Generator[int]:
    """The empty handler in a process of its own; gives its port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.empty_server", str(port)], cwd=HERE.parent
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def service() -> Generator[int]:
    """The counter service as `actorkalix run` starts it, in a fresh folder; gives its port."""
    port, admin = free_port(), free_port()
    with tempfile.TemporaryDirectory() as data:
        command = (
            sys.executable,
            "-P",
            "-m",
            "actorkalix",
            "run",
            f"{HERE / 'service.py'}:service",
        )
        where = ("--port", str(port), "--admin-port", str(admin), "--data", data)
        with subprocess.Popen(
            [*command, *where, "--json"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if json.loads(line).get("event") == "serving":
                        break
                else:
                    raise RuntimeError("the service ended before it served")
                yield port
            finally:
                process.terminate()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return
    raise RuntimeError("the server ended before it listened")


def commands(keys: int) -> list[bytes]:
    """One `add` for each of so many entities."""
    return [post(f"/counter/k{key}/add", b'{"amount":1}') for key in range(keys)]


def queries(keys: int) -> list[bytes]:
    """One `total` for each of so many entities."""
    return [get(f"/counter/k{key}/total") for key in range(keys)]


def bench_http(
    connections: tuple[int, ...] = (1, 32, 128),
    seconds: float = 3.0,
    rounds: int = 5,
    keys: int = 1000,
) -> list[Row]:
    """Rates and latencies of the empty handler, commands, one hot key, and queries, round by round
    in turn.
    """
    kinds = {
        "empty handler": commands(keys),
        "durable command": commands(keys),
        "durable command, one hot key": commands(1),
        "query of a live entity": queries(keys),
    }
    taken: dict[tuple[str, int], list[Load]] = {}
    with empty_server() as empty, service() as served:
        for requests in kinds.values():
            load(served, 32, min(seconds, 1.0), requests)  # warm: entities live, code compiled
        load(empty, 32, min(seconds, 1.0), kinds["empty handler"])
        for _ in range(rounds):
            for count in connections:
                for what, requests in kinds.items():
                    port = empty if what == "empty handler" else served
                    taken.setdefault((what, count), []).append(load(port, count, seconds, requests))
    return [
        _row(what, count, loads, taken["empty handler", count])
        for (what, count), loads in taken.items()
    ]


def _row(what: str, connections: int, loads: list[Load], empty: list[Load]) -> Row:
    ratios = [mine.rate / other.rate for mine, other in zip(loads, empty, strict=True)]
    return Row(
        what,
        connections,
        statistics.median(one.rate for one in loads),
        statistics.median(one.p50_ms for one in loads),
        statistics.median(one.p99_ms for one in loads),
        statistics.median(ratios),
        sum(one.failed for one in loads),
    )
