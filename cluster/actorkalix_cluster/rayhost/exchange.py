"""The host's side of what workers ask while they run a task; on the host's loop, without Ray.

A worker's call returns as soon as any of its questions is answered, or when it calls again: so one
call of each waits at most, with all its questions. Calls that wait hold a thread of Ray's each,
and those are `CALLS_WAITING_MAX`: beyond it the oldest returns with nothing, and its worker calls
again. Otherwise handlers could wait for each other's threads for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from actorkalix_cluster.rayhost.errands import Heard, Said
from actorkalix_cluster.rayhost.process import GROUPS, TASKS

CALLS_WAITING_MAX = GROUPS[TASKS] - 4  # the others are for those that do not wait


class Desk:
    """What one errand has asked."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.ready: list[tuple[int, bytes]] = []
        self.waiter: asyncio.Future[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Whoever waits returns with what there is."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Exchange:
    """See the module.

    Args:
        answer: answers a question; it raises nothing.
    """

    def __init__(self, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._answer = answer
        self._desks: dict[int, Desk] = {}
        self._waiting: dict[Desk, None] = {}  # in the order in which they came

    def open(self, batch: int) -> None:
        """An errand is sent."""
        self._desks[batch] = Desk()

    def close(self, batch: int) -> None:
        """It is over: what it has asked runs to its end, for nobody."""
        desk = self._desks.pop(batch, None)
        if desk is not None:
            desk.wake()

    async def hear(self, said: Said) -> Heard:
        """Take questions, and wait for answers where the worker does."""
        desk = self._desks.get(said.batch)
        if desk is None:
            return Heard()
        for question in said.questions:
            desk.open.add(question.id)
            task = asyncio.create_task(self._ask(desk, question.id, question.text))
            desk.tasks.add(task)
            task.add_done_callback(desk.tasks.discard)
        desk.wake()
        if said.waits and desk.open and not desk.ready:
            await self._wait(desk)
        answers, desk.ready = tuple(desk.ready), []
        return Heard(answers)

    async def _ask(self, desk: Desk, number: int, text: bytes) -> None:
        answer = await self._answer(text)
        desk.open.discard(number)
        desk.ready.append((number, answer))
        desk.wake()

    async def _wait(self, desk: Desk) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        desk.waiter = waiter
        self._waiting.pop(desk, None)
        self._waiting[desk] = None
        if len(self._waiting) > CALLS_WAITING_MAX:
            next(iter(self._waiting)).wake()
        try:
            await waiter
        finally:
            if desk.waiter is waiter:
                desk.waiter = None
                self._waiting.pop(desk, None)
