"""A view whose disk is full: it waits and says so, queries and commands go on, nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import Running
from tests.e2e.test_views import SERVICE

DISK_BYTES = 8 * 2**20
WAIT_S = 90


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose views have a small file system of their own."""
    folder = tmp_path / "data" / "views"
    folder.mkdir(parents=True)
    options = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "actorkalix-test", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a file system can be mounted by root alone")
    mounted = subprocess.run(options, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder.parent
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def until(fits: Callable[[], Any]) -> Any:
    """What it gives when that is something."""
    end = time.monotonic() + WAIT_S
    while not (found := fits()):
        assert time.monotonic() < end, "it did not become so"
        time.sleep(0.1)
    return found


@pytest.mark.timeout(300)
def test_it_waits_says_so_and_goes_on_when_there_is_room(data: Path) -> None:
    with Running(data, SERVICE) as running, httpx.Client(timeout=30) as client:
        added = 0

        def add(count: int) -> None:
            nonlocal added
            for _ in range(count):
                name = f"{added % 200:03}{'x' * 200}"
                answer = client.post(f"{running.url}/counter/{name}/add", json={})
                assert answer.status_code == 200, answer.text
                added += 1

        def view() -> dict[str, Any]:
            [found] = client.get(f"{running.admin}/admin/views").json()
            return dict(found)

        def counted() -> int:
            answer = client.get(f"{running.url}/sum")
            return int(answer.json()["events"] or 0) if answer.is_success else -1

        add(50)
        until(lambda: counted() == added)
        ballast = data / "views" / "ballast"
        free = os.statvfs(ballast.parent)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)

        def full() -> bool:
            add(20)
            return "cannot be written" in view()["failure"]

        until(full)
        before = counted()
        assert 50 <= before < added, "what there is is answered meanwhile"
        add(20)
        assert counted() == before
        assert view()["behind"] > 0
        ballast.unlink()
        until(lambda: counted() == added)
        until(lambda: not view()["failure"])
        assert view()["parked"] == 0
