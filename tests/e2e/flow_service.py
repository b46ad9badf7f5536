"""A flow: what happens to an origin goes over a topic to its mirror, and is counted beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from actorkalix import (
    Action,
    Effect,
    EventSourcedEntity,
    Service,
    ValueEntity,
    command,
    handler,
    publish,
    query,
    subscribe,
    topic,
)
from actorkalix.brokers import Broker, Kafka, Nats


@dataclass(frozen=True)
class Numbered:
    """The next number."""

    number: int


class Tally(ValueEntity[int], id="tally"):
    """Counts."""

    def empty_state(self) -> int:
        return 0

    @command
    def add(self) -> Effect[None]:
        return self.effects.update_state(self.state + 1).then_reply(None)

    @query
    def get(self) -> int:
        return self.state


class Origin(EventSourcedEntity[int, Numbered], id="origin"):
    """Numbers itself from 1."""

    def empty_state(self) -> int:
        return 0

    @command
    def number(self) -> Effect[int]:
        counted = self.client.entity(Tally, self.entity_id).add()
        return (
            self.effects.persist(Numbered(self.state + 1))
            .side_effect(counted)
            .then_reply(lambda number: number)
        )

    @query
    def get(self) -> int:
        return self.state

    def apply_event(self, state: int, event: Numbered) -> int:
        return event.number


class Mirror(EventSourcedEntity[tuple[int, ...], Numbered], id="mirror"):
    """Keeps the numbers in the order in which they came, each time that they came."""

    def empty_state(self) -> tuple[int, ...]:
        return ()

    @command
    def take(self, number: int) -> Effect[None]:
        return self.effects.persist(Numbered(number)).then_reply(None)

    @query
    def get(self) -> list[int]:
        return list(self.state)

    def apply_event(self, state: tuple[int, ...], event: Numbered) -> tuple[int, ...]:
        return (*state, event.number)


class Follower(Action, id="follower", runs="inline"):
    """Publishes what happens to origins."""

    @subscribe(Origin)
    @publish(topic("numbers"))
    async def on_number(self, event: Numbered) -> Numbered:
        return event


RUNS: Literal["inline", "task"] = "task" if os.environ.get("FLOW_RUNS") == "task" else "inline"


class Reader(Action, id="reader", runs=RUNS):
    """Tells the mirror of each origin what was published."""

    @handler
    async def pid(self) -> int:
        return os.getpid()

    @subscribe(topic("numbers", Numbered))
    async def on_number(self, event: Numbered) -> None:
        await self.client.entity(Mirror, self.context.subject).take(event.number)


def _brokers() -> dict[str, Broker]:
    """Where the topic is: within, or where the test says it."""
    kind, _, servers = os.environ.get("FLOW_BROKER", "").partition(" ")
    if not servers:
        return {}
    return {"numbers": Kafka(servers) if kind == "kafka" else Nats(servers)}


service = Service("flow", components=[Tally, Origin, Mirror, Follower, Reader], brokers=_brokers())
