"""Time limits on virtual time: they end a block by TimeoutError, and nobody else's cancel."""

from __future__ import annotations

import asyncio

import pytest

from actorkalix.runtime.until import Until
from actorkalix.runtime.virtual import VirtualClock, settle


def test_a_block_ends_when_its_time_is_over() -> None:
    async def main() -> None:
        clock = VirtualClock()
        waiting = asyncio.create_task(_wait(clock, 1_000))
        await settle()
        await clock.advance(999)
        assert not waiting.done()
        await clock.advance(1)
        with pytest.raises(TimeoutError):
            await waiting
        assert waiting.cancelling() == 0

    asyncio.run(main())


@pytest.mark.parametrize("delay_ms", [1_000, None])
def test_a_cancel_from_elsewhere_stays_one(delay_ms: int | None) -> None:
    async def main() -> None:
        clock = VirtualClock()
        waiting = asyncio.create_task(_wait(clock, delay_ms))
        await settle()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await clock.advance(2_000)

    asyncio.run(main())


def test_what_is_done_in_time_is_left_alone() -> None:
    async def main() -> None:
        clock = VirtualClock()
        with Until(clock, 1_000) as until:
            assert not until.cancelled()
        await clock.advance(2_000)

    asyncio.run(main())


async def _wait(clock: VirtualClock, delay_ms: int | None) -> None:
    with Until(clock, delay_ms):
        await asyncio.Event().wait()
