"""Unit tests that would wait, call out or start Ray fail at once, and say what to do instead."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time

import pytest


def test_sleeping_is_refused() -> None:
    with pytest.raises(pytest.fail.Exception, match="virtual time"):
        time.sleep(0.001)


def test_sleeping_on_the_loop_is_refused_and_yielding_is_not() -> None:
    asyncio.run(asyncio.sleep(0))
    with pytest.raises(pytest.fail.Exception, match="virtual time"):
        asyncio.run(asyncio.sleep(0.001))


def test_the_standard_library_may_wait() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True, timeout=30)


def test_calling_out_is_refused_and_loopback_is_not() -> None:
    with socket.socket() as sock, pytest.raises(pytest.fail.Exception, match="connects to"):
        sock.connect(("192.0.2.1", 80))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()[:2], timeout=5).close()
