"""Resources of a process: made once, whoever asks, tried again when that failed, closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from actorkalix import Client
from actorkalix.errors import HandlerFailed
from actorkalix.runtime.resources import Resources, start_up


class Pool:
    """Something to close."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


async def opened() -> Pool:
    return Pool()


@pytest.mark.parametrize("make", [Pool, opened, lambda: opened()])
def test_made_once_and_closed(make: Callable[[], Any]) -> None:
    async def main() -> None:
        resources = Resources("shop", make)
        one, other = await asyncio.gather(resources.get(), resources.get())
        assert isinstance(one, Pool)
        assert other is one
        await resources.aclose()
        assert one.closed == 1

    asyncio.run(main())


def test_a_service_without_has_none() -> None:
    async def main() -> None:
        resources = Resources("shop", None)
        assert await resources.get() is None
        await resources.aclose()

    asyncio.run(main())


def test_one_that_failed_is_tried_again() -> None:
    tries = iter([OSError("no way"), 7])

    def make() -> object:
        found = next(tries)
        if isinstance(found, Exception):
            raise found
        return found

    async def main() -> None:
        resources = Resources("shop", make)
        with pytest.raises(HandlerFailed, match=r"of service 'shop' could .*: OSError: no way"):
            await resources.get()
        assert await resources.get() == 7
        await resources.aclose()

    asyncio.run(main())


def test_one_that_cannot_be_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Bad:
        async def aclose(self) -> None:
            raise OSError("stuck")

    async def main() -> None:
        resources = Resources("shop", Bad)
        await resources.get()
        await resources.aclose()

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "the resources of service 'shop' could not be closed" in caplog.text


def test_one_that_is_being_made_at_the_end_is_given_up() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        resources = Resources("shop", forever)
        asking = asyncio.create_task(resources.get())
        await asyncio.sleep(0)
        await resources.aclose()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())


def test_a_hook_may_be_plain_or_a_coroutine() -> None:
    called: list[object] = []

    async def hook(client: Client) -> None:
        called.append(client)

    async def main() -> None:
        client = Client("http://localhost:1")
        await start_up(hook, client)
        await start_up(called.append, client)
        await start_up(lambda given: hook(given), client)
        assert called == [client] * 3

    asyncio.run(main())
