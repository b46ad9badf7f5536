"""`scripts/run --once`: 6,919 real purchases over HTTP into a service on local Ray, twice over."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest


def free_ports(number: int) -> list[str]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def replay(data: Path) -> str:
    """Runs the example to its end; what it printed."""
    port, admin_port = free_ports(2)
    options = ["--once", "--port", port, "--admin-port", admin_port, "--data", str(data)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "examples.loyalty", *options],
        cwd=data.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(640)
def test_replay_agrees_with_the_log_and_counts_nothing_twice(tmp_path: Path) -> None:
    for _ in range(2):
        said = replay(tmp_path / "data")
        assert "6,919" in said
        assert "2,357" in said
        assert "$244,091.94" in said
        assert "every customer agrees with the log" in said
        assert "sales by month agree with the log" in said
