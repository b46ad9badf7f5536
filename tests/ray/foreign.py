"""A Ray that somebody else has started, as its operator would: on loopback, with a token.

A home of its own holds the token; a job of theirs leaves a detached actor there.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

from actorkalix_cluster.rayhost import reaper
from tests.e2e.running import free_port

READY_S_MAX = 60.0
JOBS_S_MAX = 30.0
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

    Args:
        folder: with a short name, for its sockets.
        several: it may have several nodes.
    """

    def __init__(self, folder: Path, *, several: bool = False) -> None:
        self.folder = folder
        # `ray start` fails where Python lies below a folder with a blank in its name.
        (folder / "venv").symlink_to(sys.prefix)
        self._python = str(folder / "venv" / "bin" / "python")
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {
            "HOME": str(folder),
            "RAY_TMPDIR": str(folder),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1" if several else "0",  # or one node is all
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
        port = self.address.rpartition(":")[2]
        head = ("--head", f"--port={port}", "--num-cpus=2", "--include-dashboard=false")
        with self._node("log", *head) as process:
            self._wait(process)
            yield

    @contextlib.contextmanager
    def node(self, name: str, resource: str) -> Generator[None]:
        """One more node, on this machine too, with a resource of its own."""
        options = [
            *(f"--address={self.address}", f"--node-name={name}", "--num-cpus=1"),
            f'--resources={{"{resource}": 1}}',
        ]
        with self._node(f"log-{name}", *options) as process:
            until = time.monotonic() + READY_S_MAX
            while "Ray runtime started" not in (self.folder / f"log-{name}").read_text():
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.1)
            yield

    def kill_node(self, name: str) -> None:
        """All of its processes at once, as when its machine is gone."""
        reaper.sweep(self.folder / f"mark-log-{name}")

    @contextlib.contextmanager
    def _node(self, log: str, *options: str) -> Generator[subprocess.Popen[bytes]]:
        mark = self.folder / f"mark-{log}"
        mark.mkdir()
        with (self.folder / log).open("w") as file:
            process = subprocess.Popen(
                [
                    *(self._python, "-m", "ray.scripts.scripts", "start", "--block", *options),
                    "--node-ip-address=127.0.0.1",
                    f"--object-store-memory={OBJECT_STORE_BYTES}",
                ],
                env={**self._all, reaper.MARK: str(mark)},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            reaper.sweep(mark)
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
