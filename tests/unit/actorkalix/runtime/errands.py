"""A service whose actions call, forward, stream and wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from actorkalix import (
    Action,
    Client,
    CommandError,
    Effect,
    Service,
    ValueEntity,
    command,
    handler,
    http,
    query,
)


@dataclass(frozen=True)
class Sum:
    total: int


class Tally(ValueEntity[Sum], id="tally"):
    def empty_state(self) -> Sum:
        return Sum(0)

    @command
    def add(self, n: int) -> Effect[Sum]:
        if n < 0:
            return self.effects.error("only up", code="out_of_range")
        changed = Sum(self.state.total + n)
        return self.effects.update_state(changed).then_reply(lambda state: state)

    @query
    def get(self) -> Sum:
        return self.state

    @command
    def add_here_and_there(self, n: int, there: str) -> Effect[Sum]:
        call = self.client.entity(Tally, there).add(n)
        return self.effects.update_state(Sum(self.state.total + 1)).then_forward(call)

    @command
    def round_and_round(self) -> Effect[Sum]:
        return self.effects.forward(self.client.entity(Tally, "a").round_and_round())

    @command
    def through_an_action(self, n: int) -> Effect[Sum]:
        return self.effects.forward(self.client.action(Errands).add(self.entity_id, n))

    @query
    def looks_elsewhere(self, there: str) -> Effect[Sum]:
        return self.effects.forward(self.client.entity(Tally, there).get())


class Errands(Action, id="errands", timeout=timedelta(minutes=10)):
    @http.post("/errands/{tally}/{n}")
    async def add(self, tally: str, n: int) -> Sum:
        return await self.client.entity(Tally, tally).add(n)

    @handler
    def add_plainly(self, tally: str, n: int) -> Sum:
        return self.client.entity(Tally, tally).add(n).result()

    @handler
    async def add_twice(self, tally: str, n: int) -> int:
        await self.client.entity(Tally, tally).add(n)
        return (await self.client.entity(Tally, tally).add(n)).total

    @handler
    async def pass_on(self, tally: str, n: int) -> Effect[Sum]:
        return self.effects.forward(self.client.entity(Tally, tally).add(n))

    @handler
    async def again(self, depth: int) -> int:
        return await self.client.action(Errands).again(depth + 1)

    @handler
    def again_plainly(self, deeper: int) -> int:
        if deeper == 0:
            return 0
        return 1 + self.client.action(Errands).again_plainly(deeper - 1).result()

    @handler
    async def tenant(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.context.metadata.pairs)

    @handler
    async def what_is_told(self) -> str:
        return await self.client.action(Errands).tenant().with_metadata({"own": "1"})

    @handler
    async def never(self) -> None:
        try:
            BEGUN.append("never")
            await asyncio.Event().wait()
        finally:
            ENDED.append("never")

    @handler
    async def cancels_itself(self) -> None:
        raise asyncio.CancelledError

    @handler
    async def wares(self) -> str:
        return str(self.resources)

    @http.get("/numbers")
    async def numbers(self, to: int, then: str = "") -> AsyncIterator[Sum]:
        try:
            for n in range(to):
                yield Sum(n)
            if then == "refuse":
                raise CommandError("enough", code="out_of_range")
            if then == "wait":
                await asyncio.Event().wait()
        finally:
            ENDED.append("numbers")


class Intake(Action, id="intake", runs="inline"):
    @handler
    async def total(self, sums: AsyncIterator[Sum], least: int = 0) -> int:
        try:
            BEGUN.append("total")
            return sum([each.total async for each in sums if each.total >= least])
        finally:
            ENDED.append("total")

    @http.post("/intake/{times}")
    async def echo(self, times: int, sums: AsyncIterator[Sum]) -> AsyncIterator[Sum]:
        async for each in sums:
            yield Sum(times * each.total)


BEGUN: list[str] = []
ENDED: list[str] = []
STARTED: list[int] = []


class Wares:
    def __init__(self) -> None:
        self.closed = False

    def __str__(self) -> str:
        return "wares"

    async def aclose(self) -> None:
        ENDED.append("wares")


async def on_startup(client: Client) -> None:
    STARTED.append((await client.entity(Tally, "starts").add(1)).total)


service = Service(
    "errands",
    components=[Tally, Errands, Intake],
    resources=Wares,
    on_startup=on_startup,
)
