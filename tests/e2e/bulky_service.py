"""A service whose commands write many records, or large ones: its store soon has work to do."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix import Effect, EventSourcedEntity, Service, ValueEntity, command, http, query


@dataclass(frozen=True)
class Laid:
    stone: str


class Pile(EventSourcedEntity[int, Laid], id="pile", snapshot_every=1_000):
    def empty_state(self) -> int:
        return 0

    @command
    def lay(self, count: int = 1, size: int = 1) -> Effect[int]:
        stones = (Laid("x" * size) for _ in range(count))
        return self.effects.persist(*stones).then_reply(lambda height: height)

    @query
    @http.get("/piles/{entity_id}")
    def height(self) -> int:
        return self.state

    def apply_event(self, state: int, event: Laid) -> int:
        return state + 1


@dataclass(frozen=True)
class Text:
    times: int = 0
    text: str = ""


class Board(ValueEntity[Text], id="board"):
    def empty_state(self) -> Text:
        return Text()

    @command
    def write(self, size: int) -> Effect[int]:
        written = Text(self.state.times + 1, "x" * size)
        return self.effects.update_state(written).then_reply(lambda state: state.times)

    @query
    @http.get("/boards/{entity_id}")
    def times(self) -> int:
        return self.state.times


service = Service("piles", components=[Pile, Board])
