"""A service whose entities keep every token that they were given, to be counted."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix import (
    CommandError,
    Effect,
    EventSourcedEntity,
    Service,
    ValueEntity,
    command,
    http,
    query,
)


@dataclass(frozen=True)
class Taken:
    token: str


@dataclass(frozen=True)
class Tokens:
    count: int = 0
    last: str = ""


class Bag(EventSourcedEntity[Tokens, Taken], id="bag", snapshot_every=25):
    def empty_state(self) -> Tokens:
        return Tokens()

    @command
    def take(self, token: str) -> Effect[int]:
        return self.effects.persist(Taken(token)).then_reply(lambda tokens: tokens.count)

    @command
    @http.post("/bags/{entity_id}/pairs")
    def take_two(self, first: str, second: str) -> Effect[int]:
        return self.effects.persist(Taken(first), Taken(second)).then_reply(
            lambda tokens: tokens.count
        )

    @command
    def explode(self) -> Effect[int]:
        raise RuntimeError("a secret that callers must not see")

    @command
    def unfinished(self) -> Effect[int]:
        return self.effects.persist(Taken("x"))  # type: ignore[return-value]

    @command
    def unwritable(self) -> Effect[int]:
        wrong = Taken(7)  # type: ignore[arg-type]
        return self.effects.persist(wrong).then_reply(lambda tokens: tokens.count)

    @command
    def refuse(self) -> Effect[int]:
        raise CommandError("not today", code="failed_precondition", details={"try": "tomorrow"})

    @query
    @http.get("/bags/{entity_id}")
    def tokens(self) -> Tokens:
        return self.state

    def apply_event(self, state: Tokens, event: Taken) -> Tokens:
        return Tokens(state.count + 1, event.token)


@dataclass(frozen=True)
class Size:
    width: int
    height: int = 1
    ratio: float = 1.0


class Box(ValueEntity[Size], id="box"):
    def empty_state(self) -> Size:
        return Size(0)

    @command
    def resize(self, size: Size) -> Effect[Size]:
        return self.effects.update_state(size).then_reply(lambda now: now)

    @query
    def size(self) -> Size:
        return self.state


service = Service("tokens", components=[Bag, Box])
