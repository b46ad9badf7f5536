"""A service whose action keeps calls for later: bells that are rung by timers."""

from __future__ import annotations

from datetime import timedelta

from actorkalix import Action, Effect, Service, ValueEntity, command, handler, query


class Bell(ValueEntity[int], id="bell"):
    def empty_state(self) -> int:
        return 0

    @command
    def ring(self) -> Effect[int]:
        return self.effects.update_state(self.state + 1).then_reply(lambda times: times)

    @command
    def refuse(self) -> Effect[None]:
        return self.effects.error("never")

    @query
    def rung(self) -> int:
        return self.state


class Ringer(Action, id="ringer", runs="inline"):
    @handler
    async def later(self, bell: str, ms: int) -> None:
        after = timedelta(milliseconds=ms)
        call = self.client.action(Ringer).ring(bell)
        await self.timers.start_single(f"ring-{bell}", after=after, call=call)

    @handler
    async def often(self, bell: str, ms: int) -> None:
        every = timedelta(milliseconds=ms)
        call = self.client.entity(Bell, bell).ring()
        await self.timers.start_periodic(f"often-{bell}", every=every, call=call)

    @handler
    async def in_vain(self, bell: str) -> None:
        after = timedelta(milliseconds=1)
        call = self.client.entity(Bell, bell).refuse()
        await self.timers.start_single(f"vain-{bell}", after=after, call=call)

    @handler
    async def ring(self, bell: str) -> None:
        await self.client.entity(Bell, bell).ring()


service = Service("bells", components=[Bell, Ringer])
