"""A view that counts: a record that it handles twice, or not at all, shows in its totals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from actorkalix import (
    Effect,
    EventSourcedEntity,
    RowEffect,
    Service,
    View,
    command,
    http,
    sql,
    table,
)


@dataclass(frozen=True)
class Count:
    number: int = 0


@dataclass(frozen=True)
class Counted:
    by: int


class Counter(EventSourcedEntity[Count, Counted], id="counter"):
    """Counts commands."""

    def empty_state(self) -> Count:
        return Count()

    @command
    def add(self, by: int = 1) -> Effect[int]:
        return self.effects.persist(Counted(by)).then_reply(lambda count: count.number)

    @command
    def close(self) -> Effect[None]:
        return self.effects.persist(Counted(0)).delete_entity().then_reply(None)

    def apply_event(self, state: Count, event: Counted) -> Count:
        return replace(state, number=state.number + event.by)


@dataclass(frozen=True)
class Tally:
    name: str
    events: int
    total: int


@dataclass(frozen=True)
class Sum:
    counters: int
    events: int | None


class Tallies(View, id="tallies"):
    """Events of each counter, counted one by one."""

    @table("tallies", source=Counter)
    def on_event(self, row: Tally | None, event: Counted) -> RowEffect[Tally]:
        if event.by == 13:
            raise ValueError("unlucky")
        row = row or Tally(self.context.subject, 0, 0)
        return self.effects.update_row(
            replace(row, events=row.events + 1, total=row.total + event.by)
        )

    @sql("SELECT * FROM tallies WHERE name = :name")
    def by_name(self, name: str) -> Tally:
        raise NotImplementedError

    @sql("SELECT count(*) AS counters, sum(events) AS events FROM tallies")
    @http.get("/sum")
    def sum(self) -> Sum:
        raise NotImplementedError

    @sql("SELECT * FROM tallies WHERE total > :more_than", stream_updates=True)
    def watch(self, more_than: int) -> AsyncIterator[Tally]:
        raise NotImplementedError

    @sql("SELECT * FROM tallies WHERE total > :more_than")
    def larger(self, more_than: int) -> AsyncIterator[Tally]:
        raise NotImplementedError


service = Service("counting", components=[Counter, Tallies])
