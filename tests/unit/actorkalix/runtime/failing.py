"""A service whose actions fail on demand, and an inspection of it while a `TestService` runs it."""

from __future__ import annotations

from datetime import timedelta

from actorkalix import (
    Action,
    CommandError,
    Effect,
    EventSourcedEntity,
    Service,
    ValueEntity,
    command,
    query,
    subscribe,
)
from actorkalix.runtime.consuming import acting_methods
from actorkalix.runtime.fanout import ClusterInspection, LocalCalls, inspect_methods
from actorkalix.runtime.inspection import StoreInspection
from actorkalix.testkit import TestService
from actorkalix_storage.api import HomeTable

LONG = timedelta(minutes=10)
SOON = timedelta(seconds=2)


class Paid(ValueEntity[int], id="paid"):
    def empty_state(self) -> int:
        return 0

    @command
    def add(self, cents: int) -> Effect[int]:
        return self.effects.update_state(self.state + cents).then_reply(lambda total: total)

    @query
    def total(self) -> int:
        return self.state


class Orders(EventSourcedEntity[int, int], id="order"):
    def empty_state(self) -> int:
        return 0

    @command
    def pay(self, cents: int) -> Effect[int]:
        return self.effects.persist(cents).then_reply(lambda total: total)

    def apply_event(self, state: int, event: int) -> int:
        return state + event


class Bill(Action, id="bill", runs="inline"):
    """Gives up what it fails on."""

    broken: set[int] = set()
    late: set[int] = set()  # it fails on these when it has done its work

    @subscribe(Orders, on_failure="dead_letter")
    async def on_paid(self, cents: int) -> None:
        if cents in self.broken:
            raise CommandError("the printer is out of paper")
        await self.client.entity(Paid, "all").add(cents)
        if cents in self.late:
            raise CommandError("the paper is jammed")


class Mail(Action, id="mail", runs="inline"):
    """Tries again without end."""

    broken: set[str] = set()
    seen: list[tuple[str, int]] = []

    @subscribe(Orders)
    async def on_paid(self, cents: int) -> None:
        if self.context.subject in self.broken:
            raise CommandError("no such address")
        self.seen.append((self.context.subject, cents))


service = Service("billing", components=[Paid, Orders, Bill, Mail])


def mend() -> None:
    """Nothing fails, nothing was seen."""
    Bill.broken, Bill.late = set(), set()
    Mail.broken, Mail.seen = set(), []


def inspection_of(running: TestService) -> ClusterInspection:
    """Looks at a service that runs, and acts on it."""
    host, store = running._host, running._store
    assert host is not None
    descriptor = running.service.descriptor
    methods = {**inspect_methods(StoreInspection(store, descriptor)), **acting_methods(host)}
    homes = HomeTable(1, ((0,),) * store.identity.shards)
    return ClusterInspection(LocalCalls({0: methods}), lambda: homes, descriptor)
