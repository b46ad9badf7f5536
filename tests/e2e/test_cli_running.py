"""The command line beside a running service: it asks the service, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.running import SERVICE, Running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The tokens service with a few bags in it."""
    with Running(tmp_path_factory.mktemp("running") / "data") as running:
        for bag in ("a", "b", "a/b ü"):
            for token in ("one", "two", "three"):
                url = f"{running.url}/bag/{quote(bag, safe='')}/take"
                assert httpx.post(url, json={"token": token}).is_success
        yield running


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "actorkalix", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_folders_service_is_found_and_asked(running: Running) -> None:
    ran = cli("entities", "bag", "--data", str(running.data), "--json")
    assert ran.stderr == f"reading the running service at {running.admin}\n"
    assert set(json.loads(ran.stdout)["ids"]) == {"a", "b", "a/b ü"}
    ran = cli("state", "bag", "a/b ü", "--admin", running.admin, "--json")
    assert json.loads(ran.stdout)["state"] == {"count": 3, "last": "three"}
    ran = cli("events", "bag", "a", "--data", str(running.data), "--with-state", "--json")
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [view["state"]["count"] for view in found] == [1, 2, 3]


def test_it_can_be_verified_while_it_runs(running: Running) -> None:
    ran = cli("verify", str(running.data), "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["running"]


def test_a_second_run_is_told_what_is_in_its_way(running: Running, tmp_path: Path) -> None:
    folder = cli("run", SERVICE, "--data", str(running.data), "--port", "0", "--admin-port", "0")
    assert folder.returncode == 3
    assert folder.stderr.startswith("AK4004 ")
    assert str(running.process.pid) in folder.stderr
    port = cli("run", SERVICE, "--data", str(tmp_path), "--port", str(running.port), "--json")
    assert port.returncode == 3
    assert json.loads(port.stdout.splitlines()[-1])["error"]["number"] == "AK5001"
