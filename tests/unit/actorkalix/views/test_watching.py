"""Whoever waits for a change is told of it; nobody looks when nobody waits."""

from __future__ import annotations

import asyncio

from actorkalix.errors import ViewIncomplete
from actorkalix.views.watching import Watcher


class Numbers:
    """A file's number, and time that passes when it is let."""

    def __init__(self) -> None:
        self.number: int | None = 1
        self.looks = 0
        self.turn = asyncio.Event()

    def version(self) -> int:
        """The number, or no file."""
        self.looks += 1
        if self.number is None:
            raise ViewIncomplete("no file")
        return self.number

    async def sleep(self, _: float) -> None:
        """Until the next turn."""
        self.turn.clear()
        await self.turn.wait()

    async def turns(self) -> None:
        """Let one look happen."""
        self.turn.set()
        for _ in range(5):
            await asyncio.sleep(0)


def test_a_change_ends_the_wait() -> None:
    async def scenario() -> None:
        numbers = Numbers()
        watcher = Watcher(numbers.version, sleep=numbers.sleep)
        waiting = asyncio.create_task(watcher.beyond(watcher.look()))
        await numbers.turns()
        assert not waiting.done()
        numbers.number = None  # it is another file in a moment
        await numbers.turns()
        assert not waiting.done()
        numbers.number = 2
        await numbers.turns()
        await waiting
        looks = numbers.looks
        await numbers.turns()
        assert numbers.looks == looks, "nobody waits"
        await watcher.aclose()

    asyncio.run(scenario())


def test_what_changed_before_the_wait_is_not_missed() -> None:
    async def scenario() -> None:
        numbers = Numbers()
        watcher = Watcher(numbers.version, sleep=numbers.sleep)
        seen = watcher.look()
        numbers.number = 5
        watcher.look()
        await watcher.beyond(seen)

    asyncio.run(scenario())


def test_a_writer_of_the_same_process_tells_by_itself() -> None:
    async def scenario() -> None:
        numbers = Numbers()
        watcher = Watcher(numbers.version, look_every_s=0)
        waiting = asyncio.create_task(watcher.beyond(watcher.look()))
        await asyncio.sleep(0)
        watcher.poke()
        await waiting
        assert numbers.looks == 1

    asyncio.run(scenario())


def test_many_wait_and_one_looks() -> None:
    async def scenario() -> None:
        numbers = Numbers()
        watcher = Watcher(numbers.version, sleep=numbers.sleep)
        seen = watcher.look()
        waiting = [asyncio.create_task(watcher.beyond(seen)) for _ in range(50)]
        await numbers.turns()
        waiting.pop().cancel()
        numbers.number, before = 2, numbers.looks
        await numbers.turns()
        await asyncio.gather(*waiting)
        assert numbers.looks == before + 1
        await watcher.aclose()

    asyncio.run(scenario())
