"""A run in a process of its own, watched through what it reports; no CLI between."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest

from actorkalix.runtime import config as said
from actorkalix.runtime.config import RunConfig, RunEvent
from actorkalix_cluster.rayhost import launch

ROOT = Path(__file__).parents[2]
EVENT_S_MAX = 60.0
PROGRAM = """
import sys
import msgspec
from actorkalix.errors import ActorkalixError
from actorkalix.runtime.config import RunConfig
from actorkalix.runtime.serve import run

def report(event):
    print(msgspec.json.encode(event).decode(), flush=True)

if __name__ == "__main__":
    try:
        sys.exit(run(msgspec.json.decode(sys.argv[1], type=RunConfig), report))
    except ActorkalixError as error:
        sys.exit(f"{error.number} {error}")
"""
SERVICE = """
from dataclasses import dataclass, replace
from actorkalix import Effect, Service, ValueEntity, command, query

@dataclass(frozen=True)
class Count:
    value: int = 0

class Counter(ValueEntity[Count], id="counter"):
    def empty_state(self) -> Count:
        return Count()

    @command
    def add(self, by: int) -> Effect[int]:
        changed = replace(self.state, value=self.state.value + by)
        return self.effects.update_state(changed).then_reply(lambda count: count.value)

    @query
    def value(self) -> int:
        return self.state.value

service = Service("counting", components=[Counter])
"""


E = TypeVar("E", bound=RunEvent)


class Run:
    """One run of the counting service."""

    def __init__(self, config: RunConfig, environment: dict[str, str], folder: Path) -> None:
        path = os.pathsep.join(str(ROOT / part) for part in (".", "cluster", "storage"))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, msgspec.json.encode(config).decode()],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors: list[str] = []
        self._events: queue.Queue[RunEvent | None] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read_events, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def wait_for(self, kind: type[E]) -> E:
        """The next event of a kind; those before it are passed over."""
        while True:
            event = self._events.get(timeout=EVENT_S_MAX)
            assert event is not None, f"ended before {kind.__name__}: {self.log}"
            if isinstance(event, kind):
                return event

    @property
    def log(self) -> str:
        """What it has written to standard error so far."""
        return "".join(self.errors)

    def ended(self) -> int:
        """Wait for its end; returns the exit code."""
        code = self.process.wait(EVENT_S_MAX)
        for reader in self._readers:
            reader.join(EVENT_S_MAX)
        return code

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self._events.put(msgspec.json.decode(line, type=RunEvent))
        self._events.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr:
            for line in self.process.stderr:
                self.errors.append(line)


class Place:
    """A folder with the service, as a user may have it, and the ports that it is served on."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.data = folder / ".actorkalix" / "counting"
        self.environment = environment
        self.ports = (_free_port(), _free_port())
        (folder / "counting.py").write_text(SERVICE)

    def run(self, **changes: object) -> Run:
        """Start a run."""
        port, admin_port = self.ports
        usual: dict[str, object] = {
            "service": "counting:service",
            "port": port,
            "admin_port": admin_port,
            "cpus": 2,
        }
        config = msgspec.convert({**usual, **changes}, RunConfig)
        return Run(config, self.environment, self.folder)

    @contextlib.contextmanager
    def serving(self) -> Generator[tuple[Run, said.Serving]]:
        """A run that serves; ended at the end of the block if it was not before."""
        run = self.run()
        try:
            yield run, run.wait_for(said.Serving)
        finally:
            if run.process.poll() is None:
                run.process.send_signal(signal.SIGKILL)
            run.ended()

    def add(self, entity: str, by: int) -> int:
        """Send a command."""
        return int(self._post(entity, "add", by).text)

    def value(self, entity: str) -> int:
        """Ask."""
        return int(self._post(entity, "value", None).text)

    def _post(self, entity: str, method: str, by: int | None) -> httpx.Response:
        url = f"http://127.0.0.1:{self.ports[0]}/counter/{entity}/{method}"
        body = {} if by is None else {"by": by}
        return httpx.post(url, json=body, timeout=10.0).raise_for_status()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def ends_within(pids: list[int], seconds: float) -> list[int]:
    """Wait for the ends of processes; returns those that still live."""
    until = time.monotonic() + seconds
    alive: list[int] = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            if not select.select([handle], [], [], max(0.0, until - time.monotonic()))[0]:
                alive.append(pid)
            os.close(handle)
    return alive


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    """A place with everything that may be in the way of a run.

    Its path is longer than a unix socket's may be, modules have names of ours, and the environment
    tells of a Ray cluster that is long gone.
    """
    folder = tmp_path_factory.mktemp("place") / "a-long-name-of-a-folder" / ("x" * 100) / ("y" * 50)
    folder.mkdir(parents=True)
    for name in ("storage", "cluster", "model", "lmdb", "starlette"):
        (folder / f"{name}.py").write_text("raise ImportError('nobody asked for this')\n")
    place = Place(folder, {"RAY_ADDRESS": "127.0.0.1:1", "RAY_AUTH_TOKEN": "not-ours"})
    yield place
    shutil.rmtree(launch.scratch_folder(place.data))
