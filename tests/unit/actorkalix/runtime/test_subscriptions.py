"""A service whose actions follow entities, and entities that have others do something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import (
    Action,
    CommandError,
    Effect,
    EventSourcedEntity,
    Service,
    StepEffect,
    ValueEntity,
    Workflow,
    command,
    handler,
    query,
    step,
    subscribe,
)
from actorkalix.testkit import TestService


@dataclass(frozen=True)
class Order:
    order_id: str
    items: int = 0
    paid: bool = False


@dataclass(frozen=True)
class Added:
    items: int


@dataclass(frozen=True)
class Paid:
    cents: int


class Tally(ValueEntity[int], id="tally"):
    """Counts, and may refuse."""

    def empty_state(self) -> int:
        return 0

    @command
    def add(self, amount: int) -> Effect[int]:
        if amount > 1_000:
            return self.effects.error("too much")
        return self.effects.update_state(self.state + amount).then_reply(lambda total: total)

    @command
    def close(self) -> Effect[None]:
        return self.effects.delete_entity().then_reply(None)

    @query
    def total(self) -> int:
        return self.state


class Orders(EventSourcedEntity[Order, Added | Paid], id="order"):
    def empty_state(self) -> Order:
        return Order(self.entity_id)

    @command
    def add(self, items: int) -> Effect[Order]:
        call = self.client.entity(Tally, "items").add(items)
        return self.effects.persist(Added(items)).side_effect(call).then_reply(lambda order: order)

    @command
    def pay(self, cents: int) -> Effect[Order]:
        return (
            self.effects.persist(Paid(cents))
            .with_metadata({"shop": "north"})
            .then_reply(lambda order: order)
        )

    @command
    def greet(self) -> Effect[str]:
        return self.effects.reply("hello").side_effect(self.client.entity(Tally, "greets").add(1))

    @query
    def get(self) -> Order:
        return self.state

    def apply_event(self, state: Order, event: Added | Paid) -> Order:
        match event:
            case Added(items):
                return replace(state, items=state.items + items)
            case Paid():
                return replace(state, paid=True)


class Follower(Action, id="follower", runs="inline"):
    seen: list[tuple[str, int, object]] = []
    contexts: list[Any] = []
    broken: set[str] = set()

    @subscribe(Orders)
    async def on_order(self, event: Added | Paid) -> None:
        if self.context.subject in self.broken:
            raise CommandError("not now")
        self.seen.append((self.context.subject, self.context.sequence_number, event))
        self.contexts.append(self.context)
        if isinstance(event, Paid):
            await self.client.entity(Tally, "paid").add(1)


class Cashier(Action, id="cashier", runs="inline"):
    seen: list[object] = []

    @subscribe(Orders, only=Paid)
    async def on_paid(self, event: Paid) -> None:
        self.seen.append(event.cents)

    @subscribe(Tally)
    async def on_tally(self, state: int) -> None:
        self.seen.append(f"tally {state}")

    @subscribe(Tally, deletes=True)
    async def on_closed(self) -> None:
        self.seen.append(f"closed {self.context.subject}")


class Batches(Action, id="batches", runs="inline"):
    seen: list[list[int]] = []

    @subscribe(Orders, only=Added, batch_max=3)
    async def on_added(self, events: list[Added]) -> None:
        assert len(self.context.batch) == len(events)
        self.seen.append([event.items for event in events])


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Follower.seen, Follower.contexts, Follower.broken = [], [], set()
    Cashier.seen, Batches.seen = [], []


def run(case: Callable[[TestService], Coroutine[Any, Any, None]], *more: type[Any]) -> None:
    async def whole() -> None:
        async with TestService(Service("shop", components=[Orders, Tally, *more])) as running:
            await case(running)

    asyncio.run(whole())


SOON = timedelta(seconds=1)


def test_side_effects_are_made_once_the_change_is_durable() -> None:
    async def case(running: TestService) -> None:
        order = running.client.entity(Orders, "o1")
        await order.add(3)
        await order.add(4)
        await running.advance(SOON)
        assert await running.client.entity(Tally, "items").total() == 7
        assert await order.greet() == "hello"
        await running.advance(SOON)
        assert await running.client.entity(Tally, "greets").total() == 1

    run(case)


def test_a_side_effect_that_is_refused_changes_nothing_for_who_made_it() -> None:
    async def case(running: TestService) -> None:
        order = running.client.entity(Orders, "o1")
        assert (await order.add(5_000)).items == 5_000
        assert (await order.add(2)).items == 5_002
        await running.advance(SOON)
        assert await running.client.entity(Tally, "items").total() == 2

    run(case)


def test_side_effects_survive_a_kill_and_count_once() -> None:
    async def case(running: TestService) -> None:
        order = running.client.entity(Orders, "o1")
        for _ in range(5):
            await order.add(1)
            await running.restart()
        await running.advance(SOON)
        assert await running.client.entity(Tally, "items").total() == 5

    run(case)


def test_changes_come_in_order_with_their_context() -> None:
    async def case(running: TestService) -> None:
        for name in ("o1", "o2"):
            order = running.client.entity(Orders, name)
            await order.add(1)
            await order.pay(100)
        await running.advance(SOON)
        for name in ("o1", "o2"):
            mine = [(number, event) for who, number, event in Follower.seen if who == name]
            assert mine == [(1, Added(1)), (2, Paid(100))]
        paid = next(
            each.metadata
            for each in Follower.contexts
            if (each.subject, each.sequence_number) == ("o1", 2)
        )
        assert paid["ce-type"] == "Paid"
        assert paid["ce-source"] == "order"
        assert paid["ce-subject"] == "o1"
        assert paid["ce-time"].endswith("Z")
        assert paid["shop"] == "north"
        assert len({each.delivery_id for each in Follower.contexts}) == 4

    run(case, Follower)


def test_what_a_handler_does_to_entities_happens_once() -> None:
    async def case(running: TestService) -> None:
        for name in ("o1", "o2", "o3"):
            await running.client.entity(Orders, name).pay(1)
            await running.restart()
        await running.advance(SOON)
        assert len(Follower.seen) >= 3
        assert await running.client.entity(Tally, "paid").total() == 3

    run(case, Follower)


def test_an_order_on_which_it_fails_waits_alone() -> None:
    async def case(running: TestService) -> None:
        Follower.broken.add("o1")
        await running.client.entity(Orders, "o1").add(1)
        await running.client.entity(Orders, "o2").add(2)
        await running.advance(SOON)
        assert [who for who, _, _ in Follower.seen] == ["o2"]
        await running.client.entity(Orders, "o1").add(3)
        Follower.broken.clear()
        await running.advance(timedelta(minutes=1))
        assert [event for who, _, event in Follower.seen if who == "o1"] == [Added(1), Added(3)]

    run(case, Follower)


def test_methods_take_what_they_say() -> None:
    async def case(running: TestService) -> None:
        order = running.client.entity(Orders, "o1")
        await order.pay(5)
        tally = running.client.entity(Tally, "t")
        await tally.add(7)
        await tally.close()
        await running.advance(SOON)
        assert sorted(map(str, Cashier.seen)) == ["5", "closed t", "tally 7"]

    run(case, Cashier)


def test_lists_of_changes() -> None:
    async def case(running: TestService) -> None:
        for number in range(8):
            await running.client.entity(Orders, f"o{number}").add(number)
        await running.advance(SOON)
        assert sorted(items for batch in Batches.seen for items in batch) == list(range(8))
        assert max(map(len, Batches.seen)) <= 3

    run(case, Batches)


class Sender(Action, id="sender", runs="inline"):
    @handler
    async def spread(self, amounts: list[int]) -> None:
        for amount in amounts:
            await self.client.entity(Tally, "sent").add(amount).send()


def test_queued_calls_are_made_once_whatever_happens_to_who_queued_them() -> None:
    async def case(running: TestService) -> None:
        sender = running.client.action(Sender)
        await sender.spread([1, 2, 5_000, 3]).with_idempotency_key("k")  # one is refused
        await running.restart()
        await sender.spread([1, 2, 5_000, 3]).with_idempotency_key("k")
        await running.client.entity(Tally, "sent").add(10).send()
        await running.restart()
        await running.advance(SOON)
        assert await running.client.entity(Tally, "sent").total() == 16

    run(case, Sender)


class Door(ValueEntity[int], id="door"):
    """Lets nobody in until it was opened; counts who came in."""

    def empty_state(self) -> int:
        return -1

    @command
    def open(self) -> Effect[None]:
        return self.effects.update_state(0).then_reply(None)

    @command
    def enter(self) -> Effect[int]:
        if self.state < 0:
            return self.effects.error("closed", code="failed_precondition")
        return self.effects.update_state(self.state + 1).then_reply(lambda count: count)

    @command
    def send_on(self) -> Effect[int]:
        call = self.client.entity(Tally, "sent on").add(1).with_timeout(timedelta(seconds=2))
        return self.effects.update_state(0).then_forward(call)

    @query
    def count(self) -> int:
        return self.state


class Visitor(Action, id="visitor", runs="inline"):
    @subscribe(Orders, only=Paid)
    async def on_paid(self, event: Paid) -> None:
        await self.client.entity(Tally, "tried").add(1)
        await self.client.entity(Door, "d").enter()

    @handler
    async def knock(self) -> None:
        await self.client.entity(Tally, "knocked").add(1)
        await self.client.entity(Door, "d").enter()

    @handler
    async def knock_later(self) -> None:
        call = self.client.action(Visitor).knock()
        await self.timers.start_single("knock", after=timedelta(seconds=1), call=call)


def test_a_refusal_is_asked_anew_and_what_came_before_it_stands_once() -> None:
    async def case(running: TestService) -> None:
        await running.client.entity(Orders, "o1").pay(1)
        await running.client.action(Visitor).knock_later()
        await running.advance(timedelta(seconds=20))
        await running.client.entity(Door, "d").open()
        await running.advance(timedelta(minutes=2))
        assert await running.client.entity(Door, "d").count() == 2
        assert await running.client.entity(Tally, "tried").total() == 1
        assert await running.client.entity(Tally, "knocked").total() == 1

    run(case, Door, Visitor)


def test_a_forwarded_call_has_the_time_of_its_cause() -> None:
    async def case(running: TestService) -> None:
        assert await running.client.entity(Door, "d").send_on() == 1

    run(case, Door)


class Rise(Workflow[int], id="rise"):
    @command
    def go(self, n: int) -> Effect[str]:
        return self.effects.update_state(n).transition_to(self.first).then_reply("off")

    @step
    async def first(self) -> StepEffect:
        return self.effects.transition_to(self.second)

    @step
    async def second(self) -> StepEffect:
        return self.effects.update_state(self.state + 1).transition_to(self.third)

    @step
    async def third(self) -> StepEffect:
        return self.effects.delete_workflow()


def test_wf_52_new_states_of_workflows_are_changes_and_nothing_else_of_them() -> None:
    seen: list[tuple[str, int | None]] = []

    class Follows(Action, id="follows", runs="inline"):
        @subscribe(Rise)
        async def on_state(self, n: int) -> None:
            seen.append((self.context.subject, n))

        @subscribe(Rise, deletes=True)
        async def on_delete(self) -> None:
            seen.append((self.context.subject, None))

    async def go() -> None:
        async with TestService(Service("rises", components=[Rise, Follows])) as running:
            await running.client.workflow(Rise, "r1").go(3)
            await running.advance(timedelta(seconds=10))

    asyncio.run(go())
    assert seen == [("r1", 3), ("r1", 4), ("r1", None)]
