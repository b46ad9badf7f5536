"""Sockets travel to who has the ticket, once, and to nobody else."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from actorkalix_cluster.rayhost.sockets import TICKET_BYTES, Handover, Taken, take


@asynccontextmanager
async def serving(scratch: Path, files: list[int]) -> AsyncGenerator[Handover]:
    """A handover that serves."""
    with closing(Handover(scratch, files)) as handover:
        task = asyncio.create_task(handover.serve())
        yield handover
        task.cancel()


def close(taken: Taken) -> None:
    """Close what was taken."""
    for descriptor in (*taken.files, taken.run.pidfd):
        os.close(descriptor)


def test_the_ticket_opens_and_both_know_the_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            async with serving(tmp_path, [2, listening.fileno()]) as handover:
                ticket = handover.ticket()
                taken = await asyncio.to_thread(take, tmp_path, ticket)
                assert taken.run.pid == os.getpid()
                with socket.socket(fileno=os.dup(taken.files[1])) as received:
                    assert received.getsockname() == listening.getsockname()
                peer = handover.settle(ticket)
                assert peer is not None
                assert peer.pid == os.getpid()
                os.close(peer.pidfd)
                close(taken)

    asyncio.run(scenario())


def test_a_ticket_is_good_once_and_a_guess_never(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, [2]) as handover:
            ticket = handover.ticket()
            close(await asyncio.to_thread(take, tmp_path, ticket))
            for wrong in (ticket, secrets.token_bytes(TICKET_BYTES)):
                with pytest.raises(OSError, match="ticket"):
                    await asyncio.to_thread(take, tmp_path, wrong)
            peer = handover.settle(ticket)
            assert peer is not None
            os.close(peer.pidfd)
            assert handover.settle(handover.ticket()) is None

    asyncio.run(scenario())


def test_the_name_is_ours_alone_and_goes_with_us(tmp_path: Path) -> None:
    with closing(Handover(tmp_path, [2])):
        (name,) = tmp_path.iterdir()
        assert name.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        take(tmp_path, b"")


def test_a_name_that_a_killed_run_left_is_taken_over(tmp_path: Path) -> None:
    first = Handover(tmp_path, [])
    with closing(Handover(tmp_path, [])):
        assert len(list(tmp_path.iterdir())) == 1
    first.close()
