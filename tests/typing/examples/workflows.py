"""Workflows with all that they may say."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, assert_type
from actorkalix import (
    ChildEnd,
    Client,
    CommandError,
    Effect,
    EventSourcedEntity,
    Promise,
    StepEffect,
    Workflow,
    branch,
    command,
    compensate,
    failover_to,
    max_retries,
    notifications,
    query,
    step,
)


@dataclass(frozen=True)
class Trip:
    hotel: str
    flight: str
    status: str = "new"


@dataclass(frozen=True)
class Booked:
    by: str


@dataclass(frozen=True)
class Place:
    where: str


class NoRoom(CommandError):
    pass


class Hotel(EventSourcedEntity[int, Booked], id="hotel"):
    def empty_state(self) -> int:
        return 0

    @command
    def book(self, by: str) -> Effect[int]:
        return self.effects.persist(Booked(by)).then_reply(lambda n: n)

    @command
    def cancel(self, by: str) -> Effect[None]:
        return self.effects.persist(Booked(by)).then_reply(None)

    @query
    def name(self) -> str:
        return "x"

    def apply_event(self, state: int, event: Booked) -> int:
        return state + 1


class Payment(
    Workflow[int],
    id="payment",
    timeout=timedelta(hours=1),
    on_timeout="late",
    step_timeout=timedelta(seconds=9),
    recover=max_retries(
        3,
        initial=timedelta(seconds=1),
        factor=1.5,
        cap=timedelta(minutes=1),
        jitter=0,
        final=(NoRoom,),
    ),
):
    @command
    def start(self, amount: int) -> Effect[str]:
        return self.effects.update_state(amount).transition_to(self.pay).then_reply("started")

    @step(
        name="pay-1",
        num_cpus=1,
        memory=1_000_000,
        runtime_env={"pip": ["x"]},
        timeout=timedelta(minutes=5),
    )
    def pay(self) -> StepEffect:
        return self.effects.end("paid")

    @step
    async def late(self) -> StepEffect:
        return self.effects.end("late")


class Journey(Workflow[Trip], id="journey"):
    @command
    def start(self, trip: Trip) -> Effect[str]:
        undo = self.client.entity(Hotel, trip.hotel).cancel(self.entity_id)
        return (
            self.effects.update_state(trip)
            .with_undo(undo)
            .transition_to(self.book)
            .then_reply("started")
        )

    @command
    def give_up(self) -> Effect[None]:
        return self.effects.compensate("nobody came", then=self.over).then_reply(None)

    @step(
        recover=max_retries(None, max_elapsed=timedelta(hours=1)),
        on_failure=compensate(then="over"),
    )
    async def book(self) -> StepEffect:
        hotel = self.client.entity(Hotel, self.state.hotel)
        self.undo_by(hotel.cancel(self.entity_id))
        rooms, name = await self.parallel(hotel.book("a"), hotel.name())
        assert_type(rooms, int)
        assert_type(name, str)
        first = await self.parallel(
            hotel.book("a"),
            branch(hotel.book("b"), recover=max_retries(2), otherwise=0),
            wait="first",
        )
        assert_type(first, int)
        two = await self.parallel(
            hotel.book("a"), hotel.book("b"), hotel.book("c"), hotel.book("d"), wait=2
        )
        assert_type(two, tuple[int, ...])
        assert_type(self.parallel(hotel.book("a"), hotel.name()).result(), tuple[int, str])
        approval = self.promise("approval", bool)
        assert_type(approval, Promise[bool])
        assert_type(self.promise("any"), Promise[Any])
        return self.effects.wait_for(
            approval, then=self.decided, timeout=timedelta(days=3), on_timeout=self.over
        )

    @step(recover=failover_to("over"))
    async def decided(self, yes: bool) -> StepEffect:
        if not yes:
            return self.effects.compensate("refused")
        pay = self.client.workflow(Payment, self.entity_id).start(3)
        return self.effects.update_state(replace(self.state, status="paying")).start_child(
            pay, then=self.paid
        )

    @step
    async def paid(self, end: ChildEnd) -> StepEffect:
        calls = [self.client.workflow(Payment, f"{self.entity_id}-{n}").start(n) for n in range(3)]
        return self.effects.start_children(*calls, then=self.all_paid)

    @step
    async def all_paid(self, ends: list[ChildEnd]) -> StepEffect:
        return self.effects.pause("waits", timeout=timedelta(days=1), then=self.give_up)

    @notifications
    def progress(self) -> AsyncIterator[Place]:
        raise NotImplementedError

    @step
    async def going(self) -> StepEffect:
        here = self.effects.update_state(self.state).notify(Place("here")).notify(Place("there"))
        return here.transition_to(self.over).notify(Place("gone"))

    @step(timeout=timedelta(minutes=1))
    def over(self) -> StepEffect:
        return self.effects.wait_for(self.promise("any"), then=self.over)


async def control(client: Client) -> None:
    journey = client.workflow(Journey, "j1")
    assert_type(await journey.suspend("lunch"), str)
    assert_type(await journey.resume(), str)
    assert_type(await journey.terminate("no"), str)
    assert_type(await journey.restart("book"), str)
    assert_type(await journey.restart("book", anew=True), str)
    assert_type(await journey.resolve("approval", True), str)
    async for place in journey.progress():
        assert_type(place, Place)
