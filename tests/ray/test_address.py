"""`run --address`: on a Ray of others, beside their actors, and gone from it without a trace.

Somebody else's cluster is started as its operator would, `ray start --head`, on loopback and with a
token in a home of its own; a job of theirs leaves a detached actor there, which must never notice.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from actorkalix_cluster.rayhost import launch
from tests.e2e.running import SERVICE, Running
from tests.ray.conftest import ends_within
from tests.ray.foreign import Foreign

pytestmark = pytest.mark.timeout(400)

GONE_S_MAX = 15.0
STARTS_MAX = 3  # of somebody else's Ray: it is not what is tested here


@pytest.fixture(scope="module")
def foreign() -> Iterator[Foreign]:
    """Somebody else's Ray with their actor in it; its folder's name is short, for its sockets."""
    for _ in range(STARTS_MAX):
        folder = Path(tempfile.mkdtemp(prefix="ak-f"))
        foreign = Foreign(folder)
        with foreign.started():
            serves = foreign.takes_jobs()
            if serves:
                yield foreign
        shutil.rmtree(folder)
        if serves:
            return
    raise AssertionError(f"in {STARTS_MAX} starts, `ray start` made no Ray that takes a job")


def _running(foreign: Foreign, data: Path, address: str) -> Running:
    options = ("--address", address, "--hosts", "2")
    return Running(data, SERVICE, *options, environment=foreign.environment)


def _take(running: Running, bag: str) -> int:
    answer = httpx.post(f"{running.url}/bag/{bag}/take", json={"token": "x"}, timeout=20)
    return int(answer.raise_for_status().json())


def _listens(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection((host, int(port))).close()
        return True
    return False


def test_it_serves_beside_the_actors_of_others_and_leaves_nothing(
    foreign: Foreign, tmp_path: Path
) -> None:
    count, ours = foreign.job()
    assert ours == []
    running = _running(foreign, tmp_path / "data", foreign.address)
    serving = running.start()
    assert sorted(serving["hosts"]) == ["0", "1"] and "gcs_server" not in serving["pids"]
    for bag in range(20):
        assert _take(running, f"bag-{bag}") == 1
    assert foreign.job()[0] == count + 1
    assert foreign.job()[1] != []

    scratch = launch.scratch_folder(tmp_path / "data")
    pids = [pid for what, pid in serving["pids"].items() if what != "raylet"]
    pids += [*serving["hosts"].values(), running.status()["standby_pid"]]
    running.process.kill()
    running.process.wait()
    again = _running(foreign, tmp_path / "data", "auto")
    again.start()  # the lock of the folder is free, and so are names in Ray
    assert ends_within(pids, GONE_S_MAX) == []
    assert not _listens(running.url) and not _listens(running.admin)
    for bag in range(20):
        assert _take(again, f"bag-{bag}") == 2
    assert foreign.job()[0] == count + 3
    assert again.stop() == 0
    assert foreign.job() == (count + 4, [])
    assert not scratch.exists()
