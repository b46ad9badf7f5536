"""`@on_snapshot` in actions: what is wrong with it is said by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from actorkalix import (
    Action,
    DefinitionError,
    EventSourcedEntity,
    ValueEntity,
    View,
    on_snapshot,
    query,
    subscribe,
)
from actorkalix.describe import descriptor_of
from actorkalix.describe.snapshots import is_of_source
from actorkalix.model.sources import SourceMark

NO_METHOD: Any = 3


@dataclass(frozen=True)
class Drop:
    amount: int


@dataclass(frozen=True)
class Level:
    total: int = 0


class Barrel(EventSourcedEntity[Level, Drop], id="snapshots-barrel"):
    def empty_state(self) -> Level:
        return Level()

    def apply_event(self, state: Level, event: Drop) -> Level:
        return state

    @query
    def level(self) -> Level:
        return self.state


class Note(ValueEntity[Level], id="snapshots-note"):
    def empty_state(self) -> Level:
        return Level()

    @query
    def level(self) -> Level:
        return self.state


Mark = Callable[[Callable[..., Any]], Callable[..., Any]]


def marked(where: object, **options: Any) -> Mark:
    """`on_snapshot` for what checkers refuse."""
    mark: Any = on_snapshot
    found: Mark = mark(where, **options)
    return found


def test_a_snapshot_handler_is_of_the_consumer_of_its_source_and_group() -> None:
    class Two(Action, id="two"):
        @subscribe(Barrel, batch_max=10)
        async def on_drops(self, events: list[Drop]) -> None: ...

        @on_snapshot(Barrel)
        async def begin(self, state: Level) -> None: ...

        @subscribe(Barrel, group="other")
        async def on_other(self, event: Drop) -> None: ...

    first, other = descriptor_of(Two).subscriptions
    assert {name: one.snapshots for name, one in first.handlers.items()} == {
        "on_drops": False,
        "begin": True,
    }
    assert (first.batch_max, first.handlers["begin"].batch) == (10, False)
    assert list(other.handlers) == ["on_other"]


def said(define: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        define()
    return str(caught.value)


def test_ac_48_it_takes_one_parameter_and_the_state() -> None:
    def define() -> type[Action]:
        class Wrong(Action, id="wrong"):
            @subscribe(Barrel)
            async def on_drop(self, event: Drop) -> None: ...

            @marked(Barrel)
            async def begin(self, state: Drop) -> None: ...

            @marked(Barrel)
            async def again(self) -> None: ...

        return Wrong

    text = said(define)
    assert "begin takes Drop; a snapshot of Barrel is Level" in text
    assert "again takes snapshots of Barrel, as begin does; keep one" in text
    assert "again takes one parameter beside self: the state" in text


def test_ac_48_only_what_has_events_has_snapshots_and_somebody_takes_the_events() -> None:
    def define() -> type[Action]:
        class Wrong(Action, id="wrong"):
            @marked(Note)
            async def of_value(self, state: Level) -> None: ...

            @on_snapshot(Barrel, group="g")
            async def alone(self, state: Level) -> None: ...

        return Wrong

    text = said(define)
    assert "of_value takes snapshots, which Note does not have" in text
    assert "alone takes snapshots and nobody the events" in text
    assert "@subscribe(Barrel, group='g')" in text


def test_a_consumer_that_begins_now_has_no_snapshots() -> None:
    def define() -> type[Action]:
        class Wrong(Action, id="wrong"):
            @subscribe(Barrel, start_from="now")
            async def on_drop(self, event: Drop) -> None: ...

            @on_snapshot(Barrel)
            async def begin(self, state: Level) -> None: ...

        return Wrong

    assert "begin takes snapshots of what was before, and on_drop starts from 'now'" in said(define)


def test_tables_and_sources_are_not_mixed_up() -> None:
    def view() -> type[View]:
        class Wrong(View, id="wrong"):
            @marked(Barrel)
            def begin(self, state: Level) -> None: ...

        return Wrong

    def action() -> type[Action]:
        class Wrong(Action, id="wrong"):
            @subscribe(Barrel)
            async def on_drop(self, event: Drop) -> None: ...

            @marked("rows")
            async def begin(self, state: Level) -> None: ...

        return Wrong

    assert "begin takes snapshots of Barrel; in a view, name the table" in said(view)
    assert "begin has @on_snapshot; only views have tables" in said(action)
    with pytest.raises(DefinitionError, match="marks a method of an action"):
        on_snapshot(Barrel)(NO_METHOD)
    assert is_of_source(SourceMark("on_snapshot", Barrel))
    assert not is_of_source(SourceMark("on_snapshot", table="rows"))
