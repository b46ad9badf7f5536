"""Two services: what happens to origins of one goes over a stream to mirrors of the other."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix import (
    Action,
    Effect,
    EventSourcedEntity,
    RowEffect,
    Service,
    View,
    command,
    public_stream,
    publish,
    query,
    sql,
    stream,
    subscribe,
    table,
)


@dataclass(frozen=True)
class Numbered:
    """The next number."""

    number: int


class Origin(EventSourcedEntity[int, Numbered], id="origin"):
    """Numbers itself from 1."""

    def empty_state(self) -> int:
        return 0

    @command
    def number(self) -> Effect[int]:
        return self.effects.persist(Numbered(self.state + 1)).then_reply(lambda number: number)

    def apply_event(self, state: int, event: Numbered) -> int:
        return event.number


class Outlet(Action, id="outlet", runs="inline"):
    """Tells others what happens to origins."""

    @subscribe(Origin)
    @publish(public_stream("numbers", Numbered, allow="mirr*"))
    async def on_number(self, event: Numbered) -> Numbered:
        return event


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


class Reader(Action, id="reader", runs="inline"):
    """Tells the mirror of each origin what the other service says."""

    @subscribe(stream("origins", "numbers", Numbered))
    async def on_number(self, event: Numbered) -> None:
        await self.client.entity(Mirror, self.context.subject).take(event.number)


@dataclass(frozen=True)
class Seen:
    """What the view knows of an origin."""

    origin: str
    count: int
    last: int


@dataclass(frozen=True)
class Total:
    """Of all origins."""

    count: int


class Counts(View, id="counts"):
    """Counts the messages of each origin."""

    @table("seen", source=stream("origins", "numbers", Numbered))
    def on_number(self, row: Seen | None, event: Numbered) -> RowEffect[Seen]:
        count = row.count if row is not None else 0
        return self.effects.update_row(Seen(self.context.subject, count + 1, event.number))

    @sql("SELECT sum(count) AS count FROM seen")
    def total(self) -> Total:
        raise NotImplementedError


origins = Service("origins", components=[Origin, Outlet])
mirrors = Service("mirrors", components=[Mirror, Reader, Counts])


class Stranger(Action, id="stranger", runs="inline"):
    """Takes what is not for it, and what there is not."""

    @subscribe(stream("origins", "numbers", Numbered))
    async def on_number(self, event: Numbered) -> None: ...

    @subscribe(stream("origins", "nunbers", Numbered))
    async def on_other(self, event: Numbered) -> None: ...

    @subscribe(stream("orgins", "numbers", Numbered))
    async def on_nobody(self, event: Numbered) -> None: ...


stranger = Service("stranger", components=[Stranger])
