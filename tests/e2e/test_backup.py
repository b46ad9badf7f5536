"""A service of several hosts, backed up under load, lost, restored, and served again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import Running

pytestmark = pytest.mark.timeout(300)  # three starts of a service

BAGS = [f"bag-{n}" for n in range(40)]
HOSTS = 2


class Several(Running):
    """A service of two hosts."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._command += ["--hosts", str(HOSTS)]


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "actorkalix", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.stdout.splitlines()]


def take(running: Running, bag: str, token: str) -> None:
    answer = httpx.post(f"{running.url}/bag/{bag}/take", json={"token": token}, timeout=10)
    assert answer.is_success, answer.text


def counts(running: Running) -> dict[str, int]:
    """How many tokens are in each bag."""
    found: dict[str, int] = {}
    for bag in BAGS:
        answer = httpx.get(f"{running.admin}/admin/state/bag/{bag}", timeout=10)
        found[bag] = answer.json()["state"]["count"]
    return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Several]:
    """Two hosts, and bags with a token in each."""
    running = Several(tmp_path / "data")
    with running:
        for bag in BAGS:
            take(running, bag, "one")
        yield running


def test_a_backup_under_load_is_restored_and_served(running: Several, tmp_path: Path) -> None:
    backup, data = tmp_path / "backup", tmp_path / "restored"
    acknowledged: list[str] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            for bag in BAGS:
                take(running, bag, f"more-{len(acknowledged)}")
                acknowledged.append(bag)

    loading = threading.Thread(target=load)
    loading.start()
    try:
        ran = cli("backup", str(backup), "--data", str(running.data), "--json")
        before = len(acknowledged)
        take(running, BAGS[0], "after the backup")
    finally:
        done.set()
        loading.join()
    assert ran.returncode == 0, ran
    assert ran.stderr == f"asking the running service at {running.admin}\n"
    assert (lines(ran)[-1]["event"], lines(ran)[-1]["stores"]) == ("backed_up", HOSTS)
    full = counts(running)
    assert sum(full.values()) == len(BAGS) + len(acknowledged) + 1, "no command was lost of it"
    running.stop()

    assert cli("restore", str(backup), "--data", str(data), "--dry-run").returncode == 0
    assert not data.exists()
    assert cli("restore", str(backup), "--data", str(data)).returncode == 0
    with Several(data) as restored:
        found = counts(restored)
        assert all(1 <= found[bag] <= full[bag] for bag in BAGS)
        assert sum(found.values()) <= len(BAGS) + before + 1, "one may have been in flight"
        for bag in BAGS:
            take(restored, bag, "restored")
        assert counts(restored) == {bag: count + 1 for bag, count in found.items()}
        status = httpx.get(f"{restored.admin}/admin/status").json()
        assert status["lineage"] != json.loads((backup / "backup.json").read_text())["lineage"]
    assert cli("verify", str(data)).returncode == 0


def test_a_folder_at_rest_and_one_in_use(running: Several, tmp_path: Path) -> None:
    inside = cli("backup", str(running.data / "backup"), "--data", str(running.data), "--json")
    assert (inside.returncode, lines(inside)[-1]["error"]["number"]) == (3, "AK4007")
    running.stop()
    ran = cli("backup", str(tmp_path / "backup"), "--data", str(running.data))
    assert ran.returncode == 0, ran
    assert ran.stderr == f"copying the folder {running.data} at rest\n"
    again = cli("backup", str(tmp_path / "backup"), "--data", str(running.data), "--json")
    assert (again.returncode, lines(again)[-1]["error"]["number"]) == (3, "AK4007")


def test_a_backup_is_never_served_by_mistake(running: Several, tmp_path: Path) -> None:
    """Two folders of one lineage must not both serve; a copied file alone is refused."""
    assert cli("backup", str(tmp_path / "backup"), "--data", str(running.data)).returncode == 0
    running.stop()
    shutil.copytree(tmp_path / "backup", tmp_path / "copied")
    code, number, _ = Several(tmp_path / "copied").refused()
    assert (code, number) == (3, "AK4003")
