"""A service whose entities have others do something, and whose actions follow entities.

`source` asks `target` by side effects; two actions follow `source`: one counts at targets what it
is handed, change by change, the other takes what is put down in lists. A third one starts timers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from actorkalix import (
    Action,
    Effect,
    EventSourcedEntity,
    Service,
    ValueEntity,
    command,
    query,
    subscribe,
)


@dataclass(frozen=True)
class Sent:
    """Something goes to a target."""

    number: int
    target: int


@dataclass(frozen=True)
class Set:
    """A timer is set to ring in so many milliseconds."""

    number: int
    ms: int


@dataclass(frozen=True)
class Log:
    """What a source has done."""

    count: int = 0
    last: int = 0


class Target(EventSourcedEntity[Log, Sent], id="target", snapshot_every=4):
    """Keeps the order of what it was told."""

    def empty_state(self) -> Log:
        return Log()

    @command
    def take(self, number: int) -> Effect[int]:
        return self.effects.persist(Sent(number, 0)).then_reply(lambda log: log.count)

    @command
    def refuse(self, number: int) -> Effect[int]:
        return self.effects.error(f"{number} is not wanted")

    @query
    def get(self) -> Log:
        return self.state

    def apply_event(self, state: Log, event: Sent) -> Log:
        return replace(state, count=state.count + 1, last=event.number)


class Source(EventSourcedEntity[Log, Sent | Set], id="source", snapshot_every=3):
    """Every change of it causes something elsewhere."""

    def empty_state(self) -> Log:
        return Log()

    @command
    def send(self, target: int) -> Effect[int]:
        number = self.state.count + 1
        one = self.client.entity(Target, f"t{target}").take(number)
        other = self.client.entity(Target, f"t{target + 1}").take(number)
        effect = self.effects.persist(Sent(number, target)).side_effect(one).side_effect(other)
        return effect.then_reply(lambda log: log.count)

    @command
    def ask_in_vain(self, target: int) -> Effect[int]:
        call = self.client.entity(Target, f"t{target}").refuse(self.state.count)
        return self.effects.reply(self.state.count).side_effect(call)

    @command
    def set(self, ms: int) -> Effect[int]:
        number = self.state.count + 1
        return self.effects.persist(Set(number, ms)).then_reply(lambda log: log.count)

    @query
    def get(self) -> Log:
        return self.state

    def apply_event(self, state: Log, event: Sent | Set) -> Log:
        return replace(state, count=state.count + 1, last=event.number)


class Counter(ValueEntity[int], id="counter"):
    """Counts what a follower tells it."""

    def empty_state(self) -> int:
        return 0

    @command
    def add(self, amount: int) -> Effect[int]:
        return self.effects.update_state(self.state + amount).then_reply(lambda total: total)

    @query
    def get(self) -> int:
        return self.state


class Bell(EventSourcedEntity[int, Set], id="bell"):
    """Is rung by timers, each for the number of the change that set it."""

    def empty_state(self) -> int:
        return 0

    @command
    def ring(self, number: int, ms: int) -> Effect[int]:
        return self.effects.persist(Set(number, ms)).then_reply(lambda rung: rung)

    @query
    def get(self) -> int:
        return self.state

    def apply_event(self, state: int, event: Set) -> int:
        return state + 1


class Follower(Action, id="follower", runs="inline"):
    """Takes changes one by one, and asks two entities for each."""

    @subscribe(Source, only=Sent)
    async def on_sent(self, event: Sent) -> None:
        await self.client.entity(Counter, f"c{event.target}").add(event.number)
        await self.client.entity(Target, f"t{event.target}").take(-event.number)


class Heaper(Action, id="heaper", runs="inline"):
    """Takes changes of targets in lists."""

    @subscribe(Target, batch_max=3)
    async def on_taken(self, events: list[Sent]) -> None:
        await self.client.entity(Counter, "heaps").add(len(events))


class Ringer(Action, id="ringer", runs="inline"):
    """Has a timer for each source, which is replaced when another one is set."""

    @subscribe(Source, only=Set)
    async def on_set(self, event: Set) -> None:
        name = self.context.subject
        assert name is not None
        call = self.client.entity(Bell, name).ring(event.number, event.ms)
        after = timedelta(milliseconds=event.ms)
        await self.timers.start_single(name, after=after, call=call)


service = Service("followers", components=[Source, Target, Counter, Follower, Heaper])
ringing = Service("ringing", components=[Source, Target, Bell, Ringer])
