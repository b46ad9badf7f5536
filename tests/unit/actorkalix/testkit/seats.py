"""A service with a race between its clients: shows whose seats are sold twice."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix import Client, Effect, EventSourcedEntity, Service, ValueEntity, command, query
from actorkalix.testkit import Chance, Outcome, invariant

SEATS = 2


@dataclass(frozen=True)
class House:
    sold: int = 0


@dataclass(frozen=True)
class Sold:
    count: int


class Show(EventSourcedEntity[House, Sold], id="show", snapshot_every=3):
    def empty_state(self) -> House:
        return House()

    @command
    def sell(self, count: int = 1) -> Effect[int]:
        """Two events: between them is what nobody ever sees."""
        events = Sold(count + 100), Sold(-100)
        return self.effects.persist(*events).then_reply(lambda house: house.sold)

    @command
    def close(self) -> Effect[None]:
        return self.effects.persist(Sold(0)).delete_entity().then_reply(None)

    @query
    def left(self) -> int:
        return SEATS - self.state.sold

    def apply_event(self, state: House, event: Sold) -> House:
        return House(state.sold + event.count)


@dataclass(frozen=True)
class Money:
    cents: int = 0


class Till(ValueEntity[Money], id="till"):
    def empty_state(self) -> Money:
        return Money()

    @command
    def take(self, cents: int) -> Effect[int]:
        now = Money(self.state.cents + cents)
        return self.effects.update_state(now).then_reply(lambda money: money.cents)

    @query
    def count(self) -> int:
        return self.state.cents


service = Service("theatre", components=[Show, Till])


async def careful(client: Client, chance: Chance) -> None:
    """Sells without looking, and one seat at a time: no check is wrong."""
    await client.entity(Till, "e0").take(chance.integer(1, 3))


async def buy(client: Client, chance: Chance) -> None:
    """Looks first, then buys: two at once may both see the last seat."""
    show = client.entity(Show, "e0")
    if await show.left() > 0:
        await show.sell()


@invariant
def never_oversold(state: House) -> None:
    """What the race breaks."""
    assert state.sold <= SEATS, f"{state.sold} seats are sold of {SEATS}"


@invariant
def money_is_counted(after: Outcome) -> None:
    """Holds, whatever happens."""
    asked = [o.arguments["cents"] for o in after.history.operations if o.method == "take"]
    assert sum(money.cents for money in after.states(Till).values()) <= sum(asked)
