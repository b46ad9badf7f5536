"""What may be in the way of a start: said by number and exit code, in a line, nothing touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from actorkalix_storage.lmdbstore.environment import Environment
from actorkalix_storage.lmdbstore.opening import IDENTITY
from tests.e2e.running import SERVICE, Running

ELSEWHERE = f"{Path(__file__).parent / 'ledger_service.py'}:service"
DEAD_PORT = 1024  # nobody listens there
DEAD = f"127.0.0.1:{DEAD_PORT}"
SOCKET_NAME_MAX = 107  # bytes, unix(7)
AT_ONCE_S = 30  # a start that is refused has not begun; imports of a busy machine


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a bag in it and a long name, of a service that was stopped."""
    data = tmp_path_factory.mktemp("d" * 100) / "data"
    with Running(data) as running:
        answer = httpx.post(f"{running.url}/bag/a/take", json={"token": "one"}, timeout=20)
        assert answer.json() == 1
    return data


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


def _contents(*folders: Path) -> dict[Path, str]:
    """Digests of the data files of stores."""
    return {
        file: hashlib.blake2b(file.read_bytes()).hexdigest()
        for folder in folders
        for file in folder.rglob("data.mdb")
    }


def _said(*options: str) -> tuple[int, str, str]:
    """Exit code and what a person reads of a run that ends by itself."""
    ended = subprocess.run(
        [sys.executable, "-m", "actorkalix", "run", *options],
        capture_output=True,
        text=True,
        timeout=AT_ONCE_S,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def _make_newer(data: Path) -> None:
    """Let the store say that a later version has written it."""
    environment = Environment(data / "store-0")
    with environment.write() as rows:
        rows.put(IDENTITY, msgspec.msgpack.encode({"format": 99, "service": "tokens"}))
    environment.close()


@pytest.mark.timeout(120)
def test_what_is_in_the_way_is_said_in_a_line_and_nothing_is_touched(
    data: Path, tmp_path: Path, taken: int
) -> None:
    shutil.copytree(data, tmp_path / "copy")
    shutil.copytree(data, tmp_path / "newer")
    _make_newer(tmp_path / "newer")
    (tmp_path / "file").touch()
    cases: list[tuple[Path, str, tuple[str, ...], int, str, str]] = [
        (data, ELSEWHERE, (), 3, "AK4003", "of the service 'tokens', not 'ledgers'"),
        (tmp_path / "copy", SERVICE, (), 3, "AK4003", "copy"),
        (tmp_path / "newer", SERVICE, (), 3, "AK4005", "written in format 99"),
        (data / "store-0", SERVICE, (), 3, "AK4003", "one store of the data folder"),
        (tmp_path / "file", SERVICE, (), 3, "AK4006", "is not a folder"),
        (data, SERVICE, ("--port", str(taken)), 3, "AK5001", f"port {taken} "),
        (data, SERVICE, ("--admin-port", str(taken)), 3, "AK5001", "--admin-port"),
        (data, SERVICE, ("--hosts", "0"), 2, "AK5003", "'0' is not a number of hosts"),
        (data, SERVICE, ("--hosts", "65"), 2, "AK5003", "'65' is not a number of hosts"),
        (data, SERVICE, ("--address", DEAD), 4, "AK5005", "Connection refused"),
        (data, SERVICE, ("--address", f"ray://{DEAD}"), 4, "AK5005", "address of Ray Client"),
    ]
    before = _contents(data, tmp_path)
    for folder, service, options, code, number, what in cases:
        place = ("--data", str(folder), "--port", "0", "--admin-port", "0")
        ended, printed, said = _said(service, *place, *options)
        assert ended == code, (number, what, ended, said)
        problem, advice = said.splitlines()
        assert problem.startswith(f"{number} ") and what in problem, said
        assert advice.startswith("What to do: ")
        assert "Traceback" not in printed
        assert _contents(data, tmp_path) == before, (number, what)
    with Running(data) as running:
        for service, number in ((SERVICE, "AK4004"), (ELSEWHERE, "AK4003")):
            place = ("--data", str(data), "--port", "0", "--admin-port", "0")
            code, _, said = _said(service, *place)
            assert (code, said.count("\n"), said[:6]) == (3, 2, number), said
            assert (str(running.process.pid) in said) is (service == SERVICE), said
        assert httpx.get(f"{running.url}/bags/a").json() == {"count": 1, "last": "one"}


@pytest.mark.timeout(90)
def test_notes_of_a_ray_that_is_gone_and_long_paths_mislead_nobody(
    data: Path, tmp_path: Path
) -> None:
    """A Ray of others writes its address into its folder, and leaves it there when it is killed."""
    temporary = tmp_path / ("t" * 100)
    assert len(os.fsencode(temporary)) > SOCKET_NAME_MAX
    note = temporary / "ray" / "ray_current_cluster"
    note.parent.mkdir(parents=True)
    note.write_text(DEAD)
    environment = {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP", "RAY_TMPDIR")}
    running = Running(data, SERVICE, "--address", "auto", environment=environment)
    code, number, said = running.refused()
    assert (code, number) == (4, "AK5005")
    assert f":{DEAD_PORT}, where `auto` leads: Connection refused" in said and "\n" not in said
    assert len(os.fsencode(data)) > SOCKET_NAME_MAX
    with Running(data, environment=environment) as running:
        assert httpx.get(f"{running.url}/bags/a").json()["count"] == 1
    assert note.read_text() == DEAD
