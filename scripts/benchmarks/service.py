"""The service under the benchmarks: a counter, as small as an event sourced entity can be."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, Service, command, query


@dataclass(frozen=True)
class Added:
    amount: int


class Counter(EventSourcedEntity[int, Added], id="counter"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self, amount: int) -> Effect[int]:
        return self.effects.persist(Added(amount)).then_reply(lambda total: total)

    @query
    def total(self) -> int:
        return self.state

    def apply_event(self, state: int, event: Added) -> int:
        return state + event.amount


service = Service("bench", components=[Counter])
