"""A batch is a call; what becomes of the call is told on the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest

from actorkalix_cluster.rayhost import transport
from actorkalix_cluster.rayhost.transport import RayTransport
from actorkalix_cluster.shardhost.links import PeerEnded


class Died(Exception):
    """What Ray raises for an actor that has ended."""


class Exceptions:
    """In place of `ray.exceptions`."""

    ActorDiedError = Died


class Handle:
    """An actor whose `take` ends as it is told, on another thread."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self.batches: list[bytes] = []
        self.take = self

    def options(self, *, concurrency_group: str) -> Handle:
        """Batches have threads of their own."""
        assert concurrency_group == "links"
        return self

    def remote(self, batch: bytes) -> Handle:
        """Call it."""
        self.batches.append(batch)
        return self

    def future(self) -> concurrent.futures.Future[bytes]:
        """Its answer."""
        future: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        if self._error is None:
            threading.Thread(target=future.set_result, args=(b"",)).start()
        else:
            threading.Thread(target=future.set_exception, args=(self._error,)).start()
        return future


@pytest.mark.parametrize(
    "error, told",
    [
        (None, type(None)),
        (Died("the actor died\nand more"), PeerEnded),
        (ConnectionError("unavailable"), ConnectionError),
    ],
)
def test_what_became_of_a_batch(
    error: Exception | None, told: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exceptions(name: str) -> type[Exceptions]:
        return Exceptions

    monkeypatch.setattr(transport, "module", exceptions)

    async def scenario() -> None:
        handle = Handle(error)
        done: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        RayTransport(handle, asyncio.get_running_loop()).send(b"batch", done.set_result)
        outcome = await done
        assert type(outcome) is told
        assert handle.batches == [b"batch"]
        if told is PeerEnded:
            assert str(outcome) == "the actor died"

    asyncio.run(scenario())
