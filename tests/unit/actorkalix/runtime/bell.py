"""Entities for timers to call, which count and refuse when told to; an action that starts some."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from actorkalix import Action, Effect, Service, ValueEntity, command, handler, query


@dataclass(frozen=True)
class Rung:
    times: int = 0
    refusing: bool = False
    asked: tuple[str, ...] = ()


class Bell(ValueEntity[Rung], id="bell"):
    def empty_state(self) -> Rung:
        return Rung()

    @command
    def ring(self, by: int = 1) -> Effect[int]:
        if self.state.refusing:
            return self.effects.error("not now", code="failed_precondition")
        who = self.context.metadata.get("who", "")
        asked = (*self.state.asked, who) if who else self.state.asked
        changed = replace(self.state, times=self.state.times + by, asked=asked)
        return self.effects.update_state(changed).then_reply(lambda rung: rung.times)

    @command
    def refuse(self, refusing: bool) -> Effect[None]:
        return self.effects.update_state(replace(self.state, refusing=refusing)).then_reply(None)

    @command
    def crack(self) -> Effect[None]:
        raise ZeroDivisionError

    @query
    def rung(self) -> Rung:
        return self.state


class Gone(ValueEntity[int], id="gone"):
    def empty_state(self) -> int:
        return 0

    @command
    def call(self) -> Effect[None]:
        return self.effects.update_state(self.state + 1).then_reply(None)


class Ringer(Action, id="ringer", runs="inline"):
    """Rings bells, at once and later; `fails` are the runs that end badly after they have rung."""

    fails = 0

    @handler
    async def later(self, bell: str, seconds: int) -> None:
        after = timedelta(seconds=seconds)
        call = self.client.action(Ringer).ring(bell)
        await self.timers.start_single(f"ring-{bell}", after=after, call=call)

    @handler
    async def ring(self, bell: str) -> None:
        who = self.context.metadata.get("traceparent", "")
        await self.client.entity(Bell, bell).ring().with_metadata({"who": who})
        if Ringer.fails:
            Ringer.fails -= 1
            raise ZeroDivisionError

    @handler
    async def silence(self, bell: str) -> bool:
        there = await self.timers.get(f"ring-{bell}")
        await self.timers.cancel(f"ring-{bell}")
        return there is not None


service = Service("bells", components=[Bell, Ringer])
