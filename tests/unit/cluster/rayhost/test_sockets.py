"""Sockets travel to who has the ticket, and to nobody else."""

from __future__ import annotations

import asyncio
import os
import secrets
import select
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from actorkalix_cluster.rayhost.sockets import TICKET_BYTES, Handover, Taken, take


@asynccontextmanager
async def serving(path: Path, taken: Taken) -> AsyncGenerator[Handover]:
    """A handover that serves."""
    with closing(Handover(path, taken)) as handover:
        task = asyncio.create_task(handover.serve())
        yield handover
        task.cancel()


def close(taken: Taken) -> None:
    """Close what was taken."""
    for file in (taken.run, taken.log, *taken.listening):
        os.close(file)


def test_the_ticket_opens_more_than_once_and_a_guess_never(tmp_path: Path) -> None:
    path = tmp_path / "handover"

    async def scenario(run: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            async with serving(path, Taken(run, 2, (listening.fileno(),))) as handover:
                for _ in range(2):
                    taken = await asyncio.to_thread(take, path, handover.ticket)
                    (received,) = taken.sockets()
                    with received:
                        assert received.getsockname() == listening.getsockname()
                    os.close(taken.run)
                    os.close(taken.log)
                with pytest.raises(OSError, match="ticket"):
                    await asyncio.to_thread(take, path, secrets.token_bytes(TICKET_BYTES))

    run = os.pidfd_open(os.getpid())
    asyncio.run(scenario(run))
    os.close(run)


def test_the_run_process_travels_along_as_a_pidfd(tmp_path: Path) -> None:
    path = tmp_path / "handover"

    async def scenario(process: subprocess.Popen[bytes]) -> None:
        run = os.pidfd_open(process.pid)
        async with serving(path, Taken(run, 2, ())) as handover:
            taken = await asyncio.to_thread(take, path, handover.ticket)
        os.close(run)
        assert not select.select([taken.run], [], [], 0)[0]
        process.kill()
        assert select.select([taken.run], [], [], 10)[0]
        close(taken)

    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        asyncio.run(scenario(process))


def test_the_name_is_ours_alone_and_goes_with_us(tmp_path: Path) -> None:
    path = tmp_path / "handover"
    with closing(Handover(path, Taken(0, 2, ()))):
        assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        take(path, b"")


def test_a_name_that_a_killed_one_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "handover"
    first = Handover(path, Taken(0, 2, ()))
    with closing(Handover(path, Taken(0, 2, ()))):
        assert len(list(tmp_path.iterdir())) == 1
    first.close()
