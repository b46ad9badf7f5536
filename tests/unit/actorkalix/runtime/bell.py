"""Entities for timers to call: they count, and refuse when told to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from actorkalix import Effect, Service, ValueEntity, command, query


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


service = Service("bells", components=[Bell])
