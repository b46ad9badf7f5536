"""A workflow of whose steps each goes wrong in a way of its own."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any, cast

from actorkalix import (
    Effect,
    StepEffect,
    ValueEntity,
    Workflow,
    command,
    failover_to,
    max_retries,
    query,
    step,
)

SECOND = timedelta(seconds=1)


class Stop(BaseException):
    """What no code should raise."""


class Note(ValueEntity[int], id="note"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self, n: int) -> Effect[int]:
        return self.effects.update_state(self.state + n).then_reply(lambda n: n)

    @command
    def refuse(self) -> Effect[None]:
        return self.effects.error("no", code="failed_precondition")

    @query
    def get(self) -> int:
        return self.state


class Odd(Workflow[str], id="odd"):
    """Every step goes wrong in a way of its own."""

    @command
    def start(self, name: str, input: str = "") -> Effect[str]:
        target: Any = getattr(self, name)
        given = (input,) if input else ()
        return self.effects.update_state(name).transition_to(target, *given).then_reply("off")

    @query
    def get(self) -> str:
        return str(self.state)

    @step(recover=failover_to("failed"))
    async def garbage(self) -> StepEffect:
        wrong: Any = 42
        return cast("StepEffect", wrong)

    @step(recover=failover_to("failed"))
    async def half(self) -> StepEffect:
        wrong: Any = self.effects.update_state("x")
        return cast("StepEffect", wrong)

    @step(recover=failover_to("failed"))
    async def replies(self) -> StepEffect:
        wrong: Any = self.effects.end().then_reply("x")
        return cast("StepEffect", wrong)

    @step(recover=failover_to("failed"))
    async def base(self) -> StepEffect:
        raise Stop("now")

    @step(recover=failover_to("failed"))
    async def exits(self) -> StepEffect:
        raise SystemExit(3)

    @step(recover=failover_to("failed"))
    async def interrupted(self) -> StepEffect:
        raise KeyboardInterrupt

    @step(recover=failover_to("failed"))
    async def leaves(self) -> StepEffect:
        raise GeneratorExit

    @step(recover=failover_to("failed"))
    async def leaves_late(self) -> StepEffect:
        await asyncio.sleep(0)
        raise GeneratorExit

    @step(recover=failover_to("failed"))
    async def cancels_itself(self) -> StepEffect:
        raise asyncio.CancelledError

    @step(timeout=2 * SECOND, recover=failover_to("failed"))
    async def endless(self) -> StepEffect:
        await asyncio.Event().wait()
        return self.effects.end()

    @step(recover=failover_to("failed"))
    async def huge(self) -> StepEffect:
        return self.effects.update_state("x" * 11_000_000).end()

    @step(recover=failover_to("failed"))
    async def wrong_state(self) -> StepEffect:
        return self.effects.update_state(cast("Any", 3)).end()

    @step(recover=failover_to("failed"))
    async def wrong_input(self) -> StepEffect:
        return self.effects.transition_to(self.takes, cast("Any", "five"))

    @step(recover=failover_to("failed"))
    async def calls_itself(self) -> StepEffect:
        await self.client.workflow(Odd, self.entity_id).start("garbage")
        return self.effects.end()

    @step(recover=failover_to("failed"))
    async def reads_itself(self) -> StepEffect:
        seen = await self.client.workflow(Odd, self.entity_id).get()
        return self.effects.end(f"saw {seen}")

    @step(recover=failover_to("failed"))
    async def refused(self) -> StepEffect:
        await self.client.entity(Note, "n").refuse()
        return self.effects.end()

    @step(recover=failover_to("failed"))
    def blocks(self) -> StepEffect:
        added = self.client.entity(Note, "n").add(3).result()
        main = threading.current_thread() is threading.main_thread()
        return self.effects.end(f"{added} on the main thread: {main}")

    @step(recover=max_retries(1).failover_to("failed"))
    async def counts(self) -> StepEffect:
        await self.client.entity(Note, "n").add(1)
        await self.client.entity(Note, "n").add(1)
        if self.context.attempt == 1:
            raise ValueError("not yet")
        return self.effects.end(f"attempt {self.context.attempt}")

    @step
    async def takes(self, n: int) -> StepEffect:
        return self.effects.end(str(n))

    @step
    async def failed(self) -> StepEffect:
        return self.effects.update_state("failed").end("failed over")

    @step
    async def sets_fields(self) -> StepEffect:
        cast("Any", self).total = 3
        return self.effects.end()
