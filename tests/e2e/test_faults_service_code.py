"""Handlers that misbehave: each command fails alone, the host and its entities go on."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.running import Running

ODD = f"{Path(__file__).parent / 'odd_service.py'}:service"
FAILING = (
    *("leave", "cancel", "end", "leave-in-reply", "leave-in-event"),
    *("recurse", "remember-too-much", "leave-in-query"),
)


@pytest.mark.timeout(90)
def test_whatever_a_handler_raises_harms_its_command_alone(tmp_path: Path) -> None:
    running = Running(tmp_path / "data", ODD)
    host = running.start()["pids"]["host"]
    with httpx.Client(base_url=running.url, timeout=20) as http:
        assert http.post("/odd/a/grow").json() == 1
        for method in FAILING:
            answer = http.post(f"/odd/a/{method}")
            assert answer.status_code == 500, method
            assert answer.json()["number"] == "AK2010", method
            assert "program" not in answer.text
            assert answer.json()["correlation_id"]
        assert http.post("/unmade/a/put").json()["number"] == "AK2010"
        assert http.post("/odd/a/swell", json={"size": 1_100_000}).json()["number"] == "AK2014"
        assert http.get("/odd/a/count").json() == 1
        assert Path(f"/proc/{host}").exists(), "no handler ends the host by raising"

        with pytest.raises(httpx.TransportError):
            http.post("/odd/a/die")
        restarted = running.wait_for("restarted")
        assert restarted["pid"] != host
        assert http.get("/odd/a/count").json() == 1
        assert http.post("/odd/a/grow").json() == 2
    assert running.stop() == 0


@pytest.mark.timeout(90)
def test_a_handler_that_never_returns_is_cut_by_a_second_signal(tmp_path: Path) -> None:
    running = Running(tmp_path / "data", ODD)
    running.start()
    assert httpx.post(f"{running.url}/odd/a/grow", json={}).json() == 1
    hanging = threading.Thread(target=_ask_in_vain, args=(f"{running.url}/odd/a/hang",))
    hanging.start()
    _until_deaf(running.url)
    running.process.send_signal(signal.SIGINT)
    running.wait_for("draining")
    assert running.stop(signal.SIGINT) == 130
    hanging.join()
    running.start()
    assert httpx.get(f"{running.url}/odd/a/count").json() == 1
    assert running.stop() == 0


def _ask_in_vain(url: str) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.post(url, timeout=60)


def _until_deaf(url: str) -> None:
    """Return when the host's loop answers nobody any more."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            httpx.get(f"{url}/odd/b/count", timeout=0.5)
        except httpx.TimeoutException:
            return
    raise AssertionError("the loop goes on")
