"""The counter, and beside it a value entity whose state is large."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix import Effect, Service, ValueEntity, command

from .service import Counter


@dataclass(frozen=True)
class Text:
    text: str = ""


class Board(ValueEntity[Text], id="board"):
    def empty_state(self) -> Text:
        return Text()

    @command
    def write(self, size: int) -> Effect[int]:
        return self.effects.update_state(Text("x" * (size - 100))).then_reply(lambda _: size)


service = Service("bench", components=[Counter, Board])
