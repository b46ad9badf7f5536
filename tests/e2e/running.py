"""A service as users start it: `actorkalix run` in its own process, watched by its event lines."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

SERVICE = f"{Path(__file__).parent / 'tokens_service.py'}:service"
WAIT_S = 60


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """One `actorkalix run`; `with Running(data) as running:` waits for it, in the end drains it."""

    def __init__(
        self,
        data: Path,
        service: str = SERVICE,
        *options: str,
        port: int = 0,
        admin_port: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.port = port or free_port()
        self.admin_port = admin_port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin = f"http://127.0.0.1:{self.admin_port}"
        self._command = [
            *(sys.executable, "-m", "actorkalix", "run", service, "--json", "--data", str(data)),
            *("--port", str(self.port), "--admin-port", str(self.admin_port)),
            *options,
        ]
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()

    def start(self) -> dict[str, Any]:
        """Start it and wait until it serves; gives the `serving` event."""
        self.process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        self._events = queue.Queue()  # what the process before said is over
        threading.Thread(target=_read, args=(self.process, self._events), daemon=True).start()
        return self.wait_for("serving")

    def wait_for(self, *names: str) -> dict[str, Any]:
        """The next event of one of these names; what comes before it is dropped.

        Raises:
            AssertionError: the process ended, or said nothing of it for a minute.
        """
        while True:
            try:
                event = self._events.get(timeout=WAIT_S)
            except queue.Empty:
                raise AssertionError(f"none of {names} within {WAIT_S} s") from None
            if event.get("event") in names:
                return event
            if "error" in event:
                raise AssertionError(f"{event['error']} before {names}")
            if event["event"] == "end":
                code = self.process.wait(WAIT_S)
                raise AssertionError(f"the process ended with {code} before {names}")

    def refused(self) -> tuple[int, str, str]:
        """Start it in vain; gives exit code, number and message of the error."""
        ended = subprocess.run(
            self._command,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
            timeout=WAIT_S,
            check=False,
        )
        last = json.loads(ended.stdout.splitlines()[-1])
        assert "error" in last, last
        return ended.returncode, last["error"]["number"], last["error"]["message"]

    def status(self) -> dict[str, Any]:
        """What the admin port says of the service."""
        answer = httpx.get(f"{self.admin}/admin/status", timeout=WAIT_S)
        answer.raise_for_status()
        status: dict[str, Any] = answer.json()
        return status

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and give its exit code."""
        self.process.send_signal(how)
        return self.process.wait(WAIT_S)

    def __enter__(self) -> Running:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.stop()


def _read(process: subprocess.Popen[str], events: queue.Queue[dict[str, Any]]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            events.put(json.loads(line))
    events.put({"event": "end"})
