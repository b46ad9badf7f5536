"""Timers of a running service: two hosts, one of which is killed while they wait."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running import Running

SERVICE = f"{Path(__file__).parent / 'timers_service.py'}:service"
BELLS = [f"b{n}" for n in range(8)]  # on both hosts, and so are their timers
WAIT_S = 60.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service on two hosts."""
    data = tmp_path_factory.mktemp("timers") / "data"
    with Running(data, SERVICE, "--hosts", "2") as running:
        yield running


def post(running: Running, path: str, **body: object) -> None:
    """Ask the action for something; what a dead host was asked is asked again."""

    def asked() -> bool:
        answer = httpx.post(f"{running.url}/ringer/{path}", json=body, timeout=20)
        return answer.is_success

    until(asked)


def until(true: Callable[[], bool]) -> None:
    """Look again and again until it is so."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            if true():
                return
        except httpx.HTTPError:
            assert time.monotonic() < end
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def rung(running: Running, bell: str) -> int:
    """How often it was rung."""
    return int(httpx.get(f"{running.url}/bell/{bell}/rung", timeout=20).json())


def cli(running: Running, *words: str) -> Any:
    """What a command prints, as JSON."""
    ran = subprocess.run(
        [sys.executable, "-m", "actorkalix", *words, "--admin", running.admin, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)


def kill_a_host(running: Running) -> None:
    """SIGKILL, and wait until another serves."""
    hosts = httpx.get(f"{running.admin}/admin/status").json()["hosts"]
    pid = hosts[0]["pid"]
    os.kill(pid, signal.SIGKILL)

    def replaced() -> bool:
        now = httpx.get(f"{running.admin}/admin/status").json()["hosts"]
        return all(host["state"] == "serving" and host["pid"] != pid for host in now)

    until(replaced)


@pytest.mark.timeout(240)
def test_ti_03_timers_fire_on_all_hosts_and_after_a_kill(running: Running) -> None:
    for bell in BELLS:
        post(running, "later", bell=bell, ms=4_000)
        post(running, "often", bell=f"o{bell}", ms=500)
    names = {timer["name"] for timer in cli(running, "timers")["timers"]}
    assert {f"often-o{bell}" for bell in BELLS} <= names
    kill_a_host(running)
    until(lambda: all(rung(running, bell) == 1 for bell in BELLS))
    before = {bell: rung(running, f"o{bell}") for bell in BELLS}
    until(lambda: all(rung(running, f"o{bell}") > before[bell] for bell in BELLS))
    for bell in BELLS:
        assert cli(running, "timers", "cancel", f"often-o{bell}")["cancelled"]
    until(lambda: cli(running, "timers")["timers"] == [])
    assert all(rung(running, bell) == 1 for bell in BELLS), "on entities a call happens once"


@pytest.mark.timeout(120)
def test_a_call_that_fails_is_shown(running: Running) -> None:
    post(running, "in-vain", bell="x")

    def is_shown() -> bool:
        shown = [t for t in cli(running, "timers")["timers"] if t["name"] == "vain-x"]
        return bool(shown) and shown[0]["failure"] == "AK2001 never"

    until(is_shown)
    metrics = httpx.get(f"{running.admin}/metrics").text
    assert 'actorkalix_timer_calls_total{result="failed"' in metrics
    assert cli(running, "timers", "cancel", "vain-x")["cancelled"]
