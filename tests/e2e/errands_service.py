"""A service whose inline action calls, forwards, streams and waits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from actorkalix import Action, Client, Effect, Service, ValueEntity, command, handler, http, query


class Tally(ValueEntity[int], id="tally"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self, n: int) -> Effect[int]:
        if n < 0:
            return self.effects.error("only up", code="out_of_range", details={"least": 0})
        return self.effects.update_state(self.state + n).then_reply(lambda total: total)

    @command
    def count_and_add(self, n: int, there: str) -> Effect[int]:
        call = self.client.entity(Tally, there).add(n)
        return self.effects.update_state(self.state + 1).then_forward(call)

    @query
    def get(self) -> int:
        return self.state


class Errands(Action, id="errands", runs="inline"):
    @handler
    async def spread(self, n: int, over: int) -> int:
        adding = [self.client.entity(Tally, f"t{each}").add(n) for each in range(over)]
        return sum(await asyncio.gather(*adding))

    @handler
    async def pass_on(self, n: int, there: str) -> Effect[int]:
        return self.effects.forward(self.client.entity(Tally, there).add(n))

    @http.get("/count/{to}")
    async def count(self, to: int) -> AsyncIterator[int]:
        try:
            for n in range(to):
                yield n
            await self.client.entity(Tally, "counted").add(-1)
        finally:
            ended("count")

    @http.get("/wait")
    async def wait(self) -> AsyncIterator[str]:
        try:
            yield "waiting"
            await asyncio.Event().wait()
        finally:
            ended("wait")

    @handler
    async def crash(self) -> None:
        raise ZeroDivisionError("secret")

    @handler
    async def add_up(self, numbers: AsyncIterator[int]) -> int:
        return sum([n async for n in numbers])


def ended(what: str) -> None:
    """Tell a test outside of this process."""
    folder = os.environ.get("ERRANDS_ENDED")
    if folder:
        (Path(folder) / what).touch()


async def on_startup(client: Client) -> None:
    await client.entity(Tally, "starts").add(1)


service = Service("errands", components=[Tally, Errands], on_startup=on_startup)
