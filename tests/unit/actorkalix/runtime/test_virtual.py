"""Virtual time."""

from __future__ import annotations

import asyncio

from actorkalix.runtime.virtual import VirtualClock, settle


def test_calls_come_in_order_each_at_its_time() -> None:
    async def case() -> None:
        clock = VirtualClock(1_000)
        seen: list[tuple[str, int]] = []

        def note(name: str) -> None:
            seen.append((name, clock.now_ms()))

        clock.call_later(20, lambda: note("late"))
        clock.call_later(10, lambda: note("first"))
        clock.call_later(10, lambda: note("second"))
        clock.call_later(10, lambda: note("cancelled")).cancel()
        clock.call_later(-5, lambda: note("now"))
        await clock.advance(19)
        assert seen == [("now", 1_000), ("first", 1_010), ("second", 1_010)]
        assert clock.now_ms() == 1_019
        await clock.advance(1)
        assert seen[-1] == ("late", 1_020)

    asyncio.run(case())


def test_what_a_call_sets_off_happens_before_the_next_one() -> None:
    async def case() -> None:
        clock = VirtualClock(0)
        seen: list[tuple[str, int]] = []

        async def chain() -> None:
            for _ in range(10):
                await asyncio.sleep(0)
            seen.append(("chain", clock.now_ms()))
            clock.call_later(5, lambda: seen.append(("follows", clock.now_ms())))

        tasks: list[asyncio.Task[None]] = []
        clock.call_later(10, lambda: tasks.append(asyncio.create_task(chain())))
        clock.call_later(20, lambda: seen.append(("next", clock.now_ms())))
        await clock.advance(100)
        assert seen == [("chain", 10), ("follows", 15), ("next", 20)]
        await settle()

    asyncio.run(case())
