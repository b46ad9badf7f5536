"""`run --address`: on a Ray of others, beside their actors, and gone from it without a trace.

Somebody else's cluster is started as its operator would, `ray start --head`, on loopback and with a
token in a home of its own; a job of theirs leaves a detached actor there, which must never notice.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest

from actorkalix_cluster.rayhost import launch, reaper
from tests.e2e.running import SERVICE, Running, free_port
from tests.ray.conftest import ends_within

pytestmark = pytest.mark.timeout(400)

GONE_S_MAX = 15.0
READY_S_MAX = 60.0
JOBS_S_MAX = 30.0
STARTS_MAX = 3  # of somebody else's Ray: it is not what is tested here
OBJECT_STORE_BYTES = 80 * 2**20  # Ray's least is 75 MB
THEIRS = """
import sys
import ray

@ray.remote(num_cpus=0)
class Theirs:
    def __init__(self):
        self.count = 0

    def add(self):
        self.count += 1
        return self.count

ray.init(address=sys.argv[1], namespace="theirs", logging_level="CRITICAL", log_to_driver=False)
options = dict(name="actor", lifetime="detached", get_if_exists=True)
print(ray.get(Theirs.options(**options).remote().add.remote()))
named = ray.util.list_named_actors(all_namespaces=True)
print(*(actor["name"] for actor in named if actor["namespace"] == "actorkalix"))
"""
"""A job of others: counts in its actor, and names the actors that are ours."""


class Foreign:
    """A Ray that somebody else has started.

    Attributes:
        address: of its GCS.
        environment: of those who may use it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # `ray start` fails where Python lies below a folder with a blank in its name.
        (folder / "venv").symlink_to(sys.prefix)
        self._python = str(folder / "venv" / "bin" / "python")
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {
            "HOME": str(folder),
            "RAY_TMPDIR": str(folder),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self._all = {
            **{name: value for name, value in os.environ.items() if name[:4] != "RAY_"},
            **self.environment,
            "RAY_AUTH_MODE": "token",
        }

    @contextlib.contextmanager
    def started(self) -> Generator[None]:
        """It runs, with a token; in the end nothing of it does."""
        ray = [self._python, "-m", "ray.scripts.scripts"]
        subprocess.run(
            [*ray, "get-auth-token", "--generate"],
            env=self._all,
            capture_output=True,
            check=True,
        )
        options = [
            *("--head", "--block", "--node-ip-address=127.0.0.1", "--num-cpus=2"),
            *(f"--port={self.address.rpartition(':')[2]}", "--include-dashboard=false"),
            f"--object-store-memory={OBJECT_STORE_BYTES}",
        ]
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*ray, "start", *options],
                env={**self._all, reaper.MARK: str(self.folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait(process)
            yield
        finally:
            reaper.sweep(self.folder)
            process.wait(READY_S_MAX)

    def takes_jobs(self) -> bool:
        """Whether it does what it said; a Ray that has said "started" may fail right after."""
        until = time.monotonic() + JOBS_S_MAX
        with contextlib.suppress(subprocess.TimeoutExpired):
            while time.monotonic() < until:
                if self._job(JOBS_S_MAX).returncode == 0:
                    return True
        return False

    def _job(self, timeout_s: float = READY_S_MAX) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._python, "-c", THEIRS, self.address],
            env=self._all,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def job(self) -> tuple[int, list[str]]:
        """Let their job count once more; gives the count, and our actors' names."""
        ended = self._job()
        assert ended.returncode == 0, ended.stderr
        count, names = ended.stdout.splitlines()
        return int(count), names.split()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + READY_S_MAX
        log = self.folder / "log"
        while "Ray runtime started" not in log.read_text():
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.1)


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
