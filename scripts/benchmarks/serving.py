"""The servers under the benchmarks, each a process: the service, and an empty handler."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

from .load import each_once, get, post

HERE = Path(__file__).parent
BODY = b'{"amount":1}'


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def empty_server() -> Generator[int]:
    """The empty handler on the service's server stack; gives its port."""
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


class _Kept:
    """The service that was asked for last, still running, and where its like have their data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        self._asked = (0, "")
        self._served = (0, 0)
        self._running = contextlib.ExitStack()

    def served(self, hosts: int, file: str) -> tuple[int, int]:
        """Port and host's process of a service; it is started unless it is the one that runs."""
        if self._asked != (hosts, file):
            self.end()
            self._started += 1
            data = self._folder / f"kept-{self._started}"
            self._served = self._running.enter_context(_fresh(data, hosts, file))
            self._asked = (hosts, file)
        return self._served

    def end(self) -> None:
        self._asked = (0, "")
        self._running.close()


_keeping: list[_Kept] = []


@contextlib.contextmanager
def kept(folder: Path) -> Generator[None]:
    """Within it, a service runs on until another one is asked for, and whoever asks again gets it.

    For whoever wants to see that all of it works; figures are taken of services that are fresh.

    Args:
        folder: that there is, for their data, which stays.
    """
    keeping = _Kept(folder)
    _keeping.append(keeping)
    try:
        yield
    finally:
        _keeping.remove(keeping)
        keeping.end()


@contextlib.contextmanager
def service(data: Path | None = None, hosts: int = 1, file: str = "service.py") -> Generator[int]:
    """The counter service as `actorkalix run` starts it; gives its port when it answers.

    See `served`.
    """
    with served(data, hosts, file) as (port, _):
        yield port


@contextlib.contextmanager
def served(
    data: Path | None = None, hosts: int = 1, file: str = "service.py"
) -> Generator[tuple[int, int]]:
    """The same; gives its port, and the process of its host, 0 where there are several.

    Args:
        data: its data folder; a fresh one that goes away with it when not given.
        hosts: how many.
        file: of the service, which has the counter.

    Raises:
        RuntimeError: it ended before it served.
    """
    with contextlib.ExitStack() as stack:
        if data is None and _keeping:
            yield _keeping[-1].served(hosts, file)
        else:
            for each in _keeping:  # two at once are more than what runs otherwise
                each.end()
            folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            yield stack.enter_context(_fresh(folder, hosts, file))


@contextlib.contextmanager
def _fresh(folder: Path, hosts: int, file: str) -> Generator[tuple[int, int]]:
    port, admin = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        what = (sys.executable, "-P", "-m", "actorkalix", "run", f"{HERE / file}:service")
        where = ("--port", str(port), "--admin-port", str(admin), "--data", str(folder))
        command = [*what, *where, "--hosts", str(hosts), "--json"]
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said = json.loads(line)
                if said.get("event") == "serving":
                    break
            else:
                raise RuntimeError("the service ended before it served")
            each_once(port, 1, [query(0)])
            yield port, int(said.get("pids", {}).get("host", 0))
        finally:
            process.terminate()
            process.communicate()  # what it says while it drains is not to stop it


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return
    raise RuntimeError("the server ended before it listened")


def command(number: int) -> bytes:
    """One `add` for an entity."""
    return post(f"/counter/k{number}/add", BODY)


def query(number: int) -> bytes:
    """One `total` of an entity."""
    return get(f"/counter/k{number}/total")


def commands(keys: int) -> list[bytes]:
    """One `add` for each of so many entities."""
    return [command(number) for number in range(keys)]


def queries(keys: int) -> list[bytes]:
    """One `total` of each of so many entities."""
    return [query(number) for number in range(keys)]
