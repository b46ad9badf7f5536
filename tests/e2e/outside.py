"""Brokers for tests: librdkafka's mock of a Kafka cluster, and a real nats-server, over TCP."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import httpx
import pytest

from tests.e2e.running import free_port

MOCK = """
import sys
from confluent_kafka import Producer
cluster = Producer({"bootstrap.servers": "-", "test.%s.num.brokers" % "mock": 3, "log_level": 0})
brokers = cluster.list_topics(timeout=30).brokers.values()
print(",".join(f"{one.host}:{one.port}" for one in brokers), flush=True)
sys.stdin.read()
"""
UP_S = 20


class MockKafka:
    """A process with three brokers in memory, which speak Kafka's protocol."""

    def __enter__(self) -> MockKafka:
        self._process = subprocess.Popen(
            [sys.executable, "-c", MOCK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.servers = _pipe(self._process.stdout).readline().strip()
        assert self.servers, "no mock of Kafka"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.back()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            _pipe(pipe).close()

    def away(self) -> None:
        """Answer nothing."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def back(self) -> None:
        """Answer again."""
        os.kill(self._process.pid, signal.SIGCONT)


class NatsServer:
    """A server with JetStream; its streams are on disk.

    Args:
        folder: for its streams.
        options: of its command line, for those that have to say who they are.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._port, self._monitor = free_port(), free_port()
        self.servers = f"nats://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = shutil.which("nats-server") or "/usr/sbin/nats-server"
        if not Path(program).exists():
            missing = "no nats-server: apt-get install nats-server"
            assert not os.environ.get("CI"), missing
            pytest.skip(missing)
        self._process = subprocess.Popen(
            [
                *(program, "--jetstream", "--store_dir", str(self._folder)),
                *("--addr", "127.0.0.1", "--port", str(self._port)),
                *("--http_port", str(self._monitor)),
                *self._options,
            ],
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + UP_S
        while not self._is_up():
            assert time.monotonic() < until, "nats-server does not answer"
            time.sleep(0.05)

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._monitor}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """End it as a kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> NatsServer:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
