"""The engine behind a host equals a plain fold of the acknowledged commands, restarts included."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix import (
    CommandError,
    Effect,
    EventSourcedEntity,
    Service,
    ValueEntity,
    command,
    query,
)
from actorkalix.errors import EntityDeleted
from actorkalix.testkit import TestService


@dataclass(frozen=True)
class Moved:
    by: int


@dataclass(frozen=True)
class Renamed:
    name: str


@dataclass(frozen=True)
class Piece:
    at: int = 0
    name: str = ""
    moves: int = 0


class Pawn(EventSourcedEntity[Piece, Moved | Renamed], id="pawn", snapshot_every=4):
    def empty_state(self) -> Piece:
        return Piece()

    @command
    def move(self, *, by: int) -> Effect[Piece]:
        if self.state.at + by < 0:
            return self.effects.error("off the board", code="out_of_range")
        return self.effects.persist(Moved(by)).then_reply(lambda piece: piece)

    @command
    def hop(self, *, by: int, name: str) -> Effect[Piece]:
        return self.effects.persist(Moved(by), Renamed(name), Moved(-by)).then_reply(
            lambda piece: piece
        )

    @query
    def look(self) -> Piece:
        return self.state

    def apply_event(self, state: Piece, event: Moved | Renamed) -> Piece:
        match event:
            case Moved(by):
                return replace(state, at=state.at + by, moves=state.moves + 1)
            case Renamed(name):
                return replace(state, name=name)


class Slot(ValueEntity[Piece], id="slot"):
    def empty_state(self) -> Piece:
        return Piece()

    @command
    def put(self, *, at: int) -> Effect[Piece]:
        return self.effects.update_state(
            replace(self.state, at=at, moves=self.state.moves + 1)
        ).then_reply(lambda piece: piece)

    @command
    def drop(self) -> Effect[None]:
        return self.effects.delete_entity().then_reply(None)

    @query
    def look(self) -> Piece:
        return self.state


service = Service("board", components=[Pawn, Slot])

Command = tuple[str, str, dict[str, Any]]
ids = st.sampled_from(["a", "b", "c"])
commands: st.SearchStrategy[Command] = st.one_of(
    st.tuples(st.just("move"), ids, st.fixed_dictionaries({"by": st.integers(-3, 3)})),
    st.tuples(
        st.just("hop"),
        ids,
        st.fixed_dictionaries({"by": st.integers(0, 3), "name": st.text(max_size=3)}),
    ),
    st.tuples(st.just("put"), ids, st.fixed_dictionaries({"at": st.integers(0, 9)})),
    st.tuples(st.just("drop"), ids, st.just({})),
    st.tuples(st.just("restart"), ids, st.just({})),
    st.tuples(st.just("wait"), ids, st.just({})),
)


class Fold:
    """What the entities must be: dictionaries and ifs."""

    def __init__(self) -> None:
        self.pawns: dict[str, Piece] = {}
        self.slots: dict[str, Piece | None] = {}

    def play(self, name: str, entity: str, arguments: dict[str, Any]) -> Piece | str | None:
        """The state after the command, or the code of its error."""
        pawn = self.pawns.get(entity, Piece())
        match name:
            case "move":
                if pawn.at + arguments["by"] < 0:
                    return "out_of_range"
                pawn = replace(pawn, at=pawn.at + arguments["by"], moves=pawn.moves + 1)
            case "hop":
                pawn = replace(pawn, name=arguments["name"], moves=pawn.moves + 2)
            case "put" | "drop":
                return self._slot(name, entity, arguments)
            case _:
                return None
        self.pawns[entity] = pawn
        return pawn

    def _slot(self, name: str, entity: str, arguments: dict[str, Any]) -> Piece | str | None:
        slot = self.slots.get(entity, Piece())
        if slot is None:
            return "failed_precondition"
        if name == "drop":
            self.slots[entity] = None
            return None
        changed = replace(slot, at=arguments["at"], moves=slot.moves + 1)
        self.slots[entity] = changed
        return changed


async def answer(running: TestService, name: str, entity: str, arguments: dict[str, Any]) -> Any:
    """What the service answers: a value or the code of its error."""
    component: Any = Slot if name in ("put", "drop") else Pawn
    ref: Any = running.client.entity(component, entity)
    try:
        return await getattr(ref, name)(**arguments)
    except (CommandError, EntityDeleted) as error:
        return error.code


async def play(played: list[Command]) -> None:
    fold = Fold()
    async with TestService(service) as running:
        for name, entity, arguments in played:
            if name == "restart":
                await running.restart()
            elif name == "wait":
                await running.advance(timedelta(seconds=31))  # entities that idle leave memory
            else:
                assert await answer(running, name, entity, arguments) == fold.play(
                    name, entity, arguments
                )
        for entity in ("a", "b", "c"):
            assert await running.client.entity(Pawn, entity).look() == fold.pawns.get(
                entity, Piece()
            )
            expected = fold.slots.get(entity, Piece()) or Piece()
            assert await running.client.entity(Slot, entity).look() == expected


@settings(max_examples=150, deadline=None)
@given(st.lists(commands, max_size=40))
def test_engine_equals_a_plain_fold(played: list[Command]) -> None:
    asyncio.run(play(played))
