"""Views and actions that begin with snapshots, over a store that had events before they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from actorkalix import (
    Action,
    Effect,
    EventSourcedEntity,
    RowEffect,
    Service,
    View,
    command,
    on_delete,
    on_snapshot,
    query,
    sql,
    subscribe,
    table,
)
from actorkalix.model.component import Component
from actorkalix.testkit import TestService


@dataclass(frozen=True)
class Drop:
    amount: int


@dataclass(frozen=True)
class Level:
    drops: int = 0
    total: int = 0


class Barrel(EventSourcedEntity[Level, Drop], id="barrel", snapshot_every=4):
    def empty_state(self) -> Level:
        return Level()

    @command
    def add(self, amount: int) -> Effect[int]:
        return self.effects.persist(Drop(amount)).then_reply(lambda level: level.total)

    @command
    def close(self) -> Effect[None]:
        return self.effects.persist(Drop(100)).delete_entity().then_reply(None)

    @query
    def level(self) -> Level:
        return self.state

    def apply_event(self, state: Level, event: Drop) -> Level:
        return Level(state.drops + 1, state.total + event.amount)


@dataclass(frozen=True)
class Row:
    barrel: str
    total: int
    seen: str = ""


FAILING: set[str] = set()


class Barrels(View, id="barrels"):
    """Two tables of one source: one begins with snapshots, the other needs every event."""

    @table("rows", source=Barrel)
    def on_drop(self, row: Row | None, event: Drop) -> RowEffect[Row]:
        row = row or Row(self.context.subject, 0)
        seen = f"{row.seen} {self.context.sequence_number}"
        return self.effects.update_row(replace(row, total=row.total + event.amount, seen=seen))

    @on_snapshot("rows")
    def begin(self, state: Level) -> RowEffect[Row]:
        if self.context.subject in FAILING:
            raise ValueError("not yet")
        number = self.context.sequence_number
        assert number == state.drops, "the snapshot's number is that of its last event"
        return self.effects.update_row(Row(self.context.subject, state.total, f"*{number}"))

    @on_delete("rows")
    def end(self, row: Row | None) -> RowEffect[Row]:
        return self.effects.update_row(Row(self.context.subject, row.total if row else -1, "gone"))

    @table("every", source=Barrel)
    def on_every(self, row: Row | None, event: Drop) -> RowEffect[Row]:
        row = row or Row(self.context.subject, 0)
        return self.effects.update_row(replace(row, total=row.total + event.amount))

    @sql("SELECT * FROM rows WHERE barrel = :barrel")
    def one(self, barrel: str) -> Row | None:
        raise NotImplementedError

    @sql("SELECT * FROM every WHERE barrel = :barrel")
    def whole(self, barrel: str) -> Row:
        raise NotImplementedError


class Alone(View, id="alone"):
    """Nobody needs the events before a snapshot."""

    @table("rows", source=Barrel)
    def on_drop(self, row: Row | None, event: Drop) -> RowEffect[Row]:
        row = row or Row(self.context.subject, 0)
        seen = f"{row.seen} {self.context.sequence_number}"
        return self.effects.update_row(replace(row, total=row.total + event.amount, seen=seen))

    @on_snapshot("rows")
    def begin(self, state: Level) -> RowEffect[Row]:
        if self.context.subject in FAILING:
            raise ValueError("not yet")
        return self.effects.update_row(
            Row(self.context.subject, state.total, f"*{self.context.sequence_number}")
        )

    @sql("SELECT * FROM rows WHERE barrel = :barrel")
    def one(self, barrel: str) -> Row | None:
        raise NotImplementedError


class Follower(Action, id="follower", runs="inline"):
    seen: list[tuple[str, int, object]] = []

    @subscribe(Barrel)
    async def on_drop(self, event: Drop) -> None:
        self._note(event)

    @on_snapshot(Barrel)
    async def begin(self, state: Level) -> None:
        self._note(state)

    def _note(self, what: object) -> None:
        if self.context.subject in FAILING:
            raise ValueError("not yet")
        self.seen.append((self.context.subject, self.context.sequence_number or 0, what))


def run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    FAILING.clear()
    Follower.seen.clear()
    asyncio.run(work())


@asynccontextmanager
async def after(
    added: dict[str, int], *components: type[Component], failing: tuple[str, ...] = ()
) -> AsyncGenerator[TestService]:
    """A service with these components, on a store in which so many drops lie in barrels."""
    FAILING.clear()
    before = TestService(Service("cellar", components=[Barrel]))
    async with before:
        barrels = {name: before.client.entity(Barrel, name) for name in added}
        for number in range(1, max(added.values()) + 1):
            for name, barrel in barrels.items():
                if number <= added[name]:
                    await barrel.add(number)
    FAILING.update(failing)
    later = TestService(Service("cellar", components=[Barrel, *components]))
    later._store = before._store.crash()
    async with later:
        yield later


@pytest.mark.parametrize("view", [Barrels, Alone])
def test_vw_21_a_new_view_begins_with_snapshots_and_goes_on_with_events(
    view: type[Barrels | Alone],
) -> None:
    async def work() -> None:
        async with after({"a": 10, "b": 3, "c": 8}, view) as service:
            await service.views_caught_up()
            rows = service.client.view(view)
            assert await rows.one("a") == Row("a", 55, "*8 9 10")
            assert await rows.one("b") == Row("b", 6, " 1 2 3")
            assert await rows.one("c") == Row("c", 36, "*8")
            await service.client.entity(Barrel, "c").add(4)
            for _ in range(9):
                await service.client.entity(Barrel, "new").add(1)
            await service.views_caught_up()
            assert await rows.one("c") == Row("c", 40, "*8 9")
            assert await rows.one("new") == Row("new", 9, " 1 2 3 4 5 6 7 8 9")
            tally = service._views[view.__name__.lower()].projection.tally
            assert (tally.gaps, tally.duplicates) == (0, 0)
            if view is Barrels:
                assert await service.client.view(Barrels).whole("a") == Row("a", 55)

    run(work)


@pytest.mark.parametrize("view", [Barrels, Alone])
def test_a_snapshot_on_which_a_view_fails_is_tried_again(view: type[Barrels | Alone]) -> None:
    async def work() -> None:
        async with after({"a": 10, "b": 3}, view, failing=("a",)) as service:
            await service.views_caught_up()
            rows = service.client.view(view)
            assert await rows.one("a") is None
            assert await rows.one("b") == Row("b", 6, " 1 2 3")
            for _ in range(4):  # a newer snapshot is there by the time it works
                await service.client.entity(Barrel, "a").add(1)
            FAILING.clear()
            await service.advance(timedelta(seconds=40))
            assert await rows.one("a") == Row("a", 59, "*12 13 14")
            await service.client.entity(Barrel, "a").add(1)
            await service.views_caught_up()
            assert await rows.one("a") == Row("a", 60, "*12 13 14 15")

    run(work)


def test_a_view_that_was_whole_goes_on_with_events_after_a_crash() -> None:
    async def work() -> None:
        async with after({"a": 6}, Alone) as service:
            await service.views_caught_up()
            await service.restart()
            for _ in range(6):
                await service.client.entity(Barrel, "a").add(1)
                await service.client.entity(Barrel, "b").add(1)
            await service.views_caught_up()
            rows = service.client.view(Alone)
            assert await rows.one("a") == Row("a", 27, "*4 5 6 7 8 9 10 11 12")
            assert await rows.one("b") == Row("b", 6, " 1 2 3 4 5 6")

    run(work)


def test_the_end_of_an_entity_comes_after_its_snapshot() -> None:
    async def work() -> None:
        before = TestService(Service("cellar", components=[Barrel]))
        async with before:
            for name, drops in (("a", 4), ("b", 3)):
                for number in range(1, drops + 1):
                    await before.client.entity(Barrel, name).add(number)
                await before.client.entity(Barrel, name).close()
        later = TestService(Service("cellar", components=[Barrel, Barrels]))
        later._store = before._store.crash()
        async with later as service:
            await service.views_caught_up()
            assert await service.client.view(Barrels).one("a") == Row("a", 110, "gone")
            assert await service.client.view(Barrels).one("b") == Row("b", 106, "gone")

    run(work)


def test_ac_48_a_new_subscription_begins_with_snapshots() -> None:
    async def work() -> None:
        async with after({"a": 10, "b": 2}, Follower) as service:
            await service.advance(timedelta(seconds=2))
            await service.client.entity(Barrel, "b").add(7)
            for _ in range(5):
                await service.client.entity(Barrel, "new").add(1)
            await service.advance(timedelta(seconds=2))
            assert of("a") == [(8, Level(8, 36)), (9, Drop(9)), (10, Drop(10))]
            assert of("b") == [(1, Drop(1)), (2, Drop(2)), (3, Drop(7))]
            assert of("new") == [(number, Drop(1)) for number in (1, 2, 3, 4, 5)]
            await service.restart()
            for _ in range(5):
                await service.client.entity(Barrel, "a").add(1)
            await service.advance(timedelta(seconds=2))
            news = sorted(number for number, _ in of("a")[3:])
            assert news[-5:] == [11, 12, 13, 14, 15], "events, for it was at the end once"

    run(work)


def test_a_snapshot_on_which_a_subscription_fails_is_tried_again() -> None:
    async def work() -> None:
        async with after({"a": 10, "b": 5}, Follower, failing=("a",)) as service:
            await service.advance(timedelta(seconds=2))
            assert of("a") == []
            assert of("b") == [(4, Level(4, 10)), (5, Drop(5))]
            await service.restart()
            for _ in range(4):
                await service.client.entity(Barrel, "a").add(1)
            FAILING.clear()
            await service.advance(timedelta(seconds=40))
            assert of("a") == [(12, Level(12, 57)), (13, Drop(1)), (14, Drop(1))]

    run(work)


def of(barrel: str) -> list[tuple[int, object]]:
    """What the follower was given of a barrel."""
    return [(number, what) for name, number, what in Follower.seen if name == barrel]
