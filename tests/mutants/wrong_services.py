"""Services and programs with the bugs that their authors make, each beside one without."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from actorkalix import (
    Client,
    Effect,
    EventSourcedEntity,
    Service,
    ValueEntity,
    command,
    query,
)
from actorkalix.errors import OutcomeUnknown
from actorkalix.testkit.invariants import Outcome, invariant
from actorkalix.testkit.simulation.chance import Chance


# ---- a lost update -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Stock:
    """How many there are of something."""

    count: int = 0


class Shelf(ValueEntity[Stock], id="shelf"):
    """Counts what lies on it."""

    def empty_state(self) -> Stock:
        return Stock()

    @command
    def add(self, by: int) -> Effect[int]:
        count = self.state.count + by
        return self.effects.update_state(Stock(count)).then_reply(lambda _: count)

    @command
    def set(self, count: int) -> Effect[int]:
        return self.effects.update_state(Stock(count)).then_reply(lambda _: count)

    @query
    def count(self) -> int:
        return self.state.count


async def read_and_write(client: Client, chance: Chance) -> None:
    """Two calls, and whatever others do between them is lost."""
    shelf = client.entity(Shelf, "s")
    await shelf.set(await shelf.count() + 1)


async def add_one(client: Client, chance: Chance) -> None:
    """One call."""
    await client.entity(Shelf, "s").add(1)


@invariant
def each_is_counted(outcome: Outcome) -> None:
    """What was acknowledged is on the shelf."""
    changes = [o for o in outcome.history.operations if o.kind == "command"]
    acknowledged = sum(change.outcome == "ok" for change in changes)
    assert outcome.state(Shelf, "s").count >= acknowledged


shelves = Service("shelves", components=[Shelf])


# ---- check, then act -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Duty:
    """Whether somebody is on call."""

    on: bool = True


class Doctor(ValueEntity[Duty], id="doctor"):
    """One of two, of whom one has to be on call."""

    def empty_state(self) -> Duty:
        return Duty()

    @command
    def leave(self) -> Effect[None]:
        return self.effects.update_state(Duty(on=False)).then_reply(None)

    @command
    def come(self) -> Effect[None]:
        return self.effects.update_state(Duty(on=True)).then_reply(None)

    @query
    def on_call(self) -> bool:
        return self.state.on


@dataclass(frozen=True)
class Rota:
    """Who is on call."""

    on: frozenset[str] = frozenset(("a", "b"))


class Ward(ValueEntity[Rota], id="ward"):
    """Both doctors in one entity, which sees both at once."""

    def empty_state(self) -> Rota:
        return Rota()

    @command
    def leave(self, name: str) -> Effect[None]:
        left = self.state.on - {name}
        if not left:
            return self.effects.error("somebody has to stay", code="failed_precondition")
        return self.effects.update_state(Rota(left)).then_reply(None)

    @command
    def come(self, name: str) -> Effect[None]:
        return self.effects.update_state(Rota(self.state.on | {name})).then_reply(None)


async def look_and_leave(client: Client, chance: Chance) -> None:
    """The other one is looked at, and leaves the moment after."""
    me, other = chance.choice((("a", "b"), ("b", "a")))
    if await client.entity(Doctor, other).on_call():
        await client.entity(Doctor, me).leave()


async def ask_to_leave(client: Client, chance: Chance) -> None:
    """One entity decides."""
    await client.entity(Ward, "w").leave(chance.choice("ab"))


@invariant
def somebody_is_on_call(outcome: Outcome) -> None:
    """Not both have left."""
    assert outcome.state(Doctor, "a").on or outcome.state(Doctor, "b").on


@invariant
def the_ward_is_not_empty(rota: Rota) -> None:
    """Not both have left."""
    assert rota.on


hospital = Service("hospital", components=[Doctor])
wards = Service("wards", components=[Ward])


# ---- sent again, undone --------------------------------------------------------------------------
@dataclass(frozen=True)
class Purse:
    """What somebody has, and what was paid in."""

    coins: int = 10
    paid: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moved:
    """Coins came or went."""

    coins: int
    order: str


class Wallet(EventSourcedEntity[Purse, Moved], id="wallet"):
    """Trusts that nobody asks twice."""

    def empty_state(self) -> Purse:
        return Purse()

    @command
    def move(self, coins: int, order: str) -> Effect[int]:
        return self.effects.persist(Moved(coins, order)).then_reply(lambda purse: purse.coins)

    def apply_event(self, state: Purse, event: Moved) -> Purse:
        return Purse(state.coins + event.coins, (*state.paid, event.order))


async def pay_again(client: Client, chance: Chance) -> None:
    """Whatever failed is sent a second time, without a key."""
    order, wallet = f"{chance.bits(32):x}", client.entity(Wallet, "w")
    try:
        await wallet.move(1, order)
    except OutcomeUnknown:
        await wallet.move(1, order)


async def pay_with_key(client: Client, chance: Chance) -> None:
    """The same under a key."""
    order, wallet = f"{chance.bits(32):x}", client.entity(Wallet, "w")
    try:
        await wallet.move(1, order).with_idempotency_key(order)
    except OutcomeUnknown:
        await wallet.move(1, order).with_idempotency_key(order)


@invariant
def each_order_is_paid_once(purse: Purse) -> None:
    """No order was paid twice."""
    assert len(set(purse.paid)) == len(purse.paid)


async def give_back_what_is_unknown(client: Client, chance: Chance) -> None:
    """A transfer that undoes what may not have happened."""
    giver, taker = client.entity(Wallet, "g"), client.entity(Wallet, "t")
    order = f"{chance.bits(32):x}"
    try:
        await giver.move(-1, order)
    except OutcomeUnknown:
        await giver.move(1, f"undo {order}")
        return
    await taker.move(1, order)


async def give_once(client: Client, chance: Chance) -> None:
    """A transfer that asks again under a key, and undoes nothing."""
    giver, taker = client.entity(Wallet, "g"), client.entity(Wallet, "t")
    order = f"{chance.bits(32):x}"
    await giver.move(-1, order).with_idempotency_key(order)
    await taker.move(1, order).with_idempotency_key(order)


@invariant
def no_coin_is_made(outcome: Outcome) -> None:
    """Nobody has more than there was."""
    wallets = (outcome.state(Wallet, "g"), outcome.state(Wallet, "t"))
    assert sum(purse.coins for purse in wallets) <= 20


wallets = Service("wallets", components=[Wallet])


# ---- states --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Tags:
    """Numbers that somebody has noted."""

    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tagged:
    """A number was noted."""

    number: int


class Tagger(EventSourcedEntity[Tags, Tagged], id="tagger", snapshot_every=2):
    """Without a bug; the others are made of it."""

    def empty_state(self) -> Tags:
        return Tags()

    @command
    def tag(self, number: int) -> Effect[list[int]]:
        return self.effects.persist(Tagged(number)).then_reply(lambda tags: list(tags.numbers))

    @query
    def tags(self) -> list[int]:
        return list(self.state.numbers)

    def apply_event(self, state: Tags, event: Tagged) -> Tags:
        return replace(state, numbers=(*state.numbers, event.number))


class ClockedTagger(Tagger, id="tagger", snapshot_every=2):
    """Folds events differently each time."""

    def apply_event(self, state: Tags, event: Tagged) -> Tags:
        return Tags((*state.numbers, event.number, time.perf_counter_ns()))


_tags: dict[str, tuple[int, ...]] = {}


class CachedTagger(Tagger, id="tagger", snapshot_every=2):
    """Answers queries from a variable of its module."""

    @command
    def tag(self, number: int) -> Effect[list[int]]:
        _tags[self.entity_id] = (*self.state.numbers, number)
        return self.effects.persist(Tagged(number)).then_reply(lambda tags: list(tags.numbers))

    @query
    def tags(self) -> list[int]:
        return list(_tags.get(self.entity_id, self.state.numbers))


@dataclass
class Heap:
    """Tags in a list."""

    numbers: list[int] = field(default_factory=list[int])


class HeapingTagger(ValueEntity[Heap], id="tagger"):
    """Changes the state that it was given."""

    def empty_state(self) -> Heap:
        return Heap()

    @command
    def tag(self, number: int) -> Effect[list[int]]:
        self.state.numbers.append(number)
        return self.effects.update_state(self.state).then_reply(lambda heap: heap.numbers)

    @query
    def tags(self) -> list[int]:
        return self.state.numbers


@dataclass(frozen=True)
class Bag:
    """Tags in a set."""

    numbers: frozenset[int] = frozenset()


class BaggingTagger(EventSourcedEntity[Bag, Tagged], id="tagger", snapshot_every=2):
    """Answers with a set's order, which depends on how the set came to be."""

    def empty_state(self) -> Bag:
        return Bag()

    @command
    def tag(self, number: int) -> Effect[list[int]]:
        return self.effects.persist(Tagged(number)).then_reply(lambda bag: list(bag.numbers))

    @query
    def tags(self) -> list[int]:
        return list(self.state.numbers)

    def apply_event(self, state: Bag, event: Tagged) -> Bag:
        return Bag(state.numbers | {event.number * 8})


tagger = Service("taggers", components=[Tagger])
clocked = Service("taggers", components=[ClockedTagger])
cached = Service("taggers", components=[CachedTagger])
heaping = Service("taggers", components=[HeapingTagger])
bagging = Service("taggers", components=[BaggingTagger])
