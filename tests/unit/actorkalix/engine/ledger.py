"""Components that the engine's tests play with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from actorkalix import CommandError, Effect, EventSourcedEntity, ValueEntity, command, query


@dataclass(frozen=True)
class Ledger:
    total: int = 0
    seen: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Added:
    amount: int


@dataclass(frozen=True)
class Closed:
    why: str = ""


class TooMuch(CommandError):
    """A domain error with a field of its own."""

    def __init__(self, above: int) -> None:
        super().__init__(f"{above} too much", code="out_of_range", details={"above": above})
        self.above = above


class Book(EventSourcedEntity[Ledger, Added | Closed], id="book", snapshot_every=3):
    def empty_state(self) -> Ledger:
        return Ledger()

    @command
    def add(self, amount: int) -> Effect[int]:
        if amount > 1000:
            raise TooMuch(amount - 1000)
        if amount < 0:
            return self.effects.error("negative", code="failed_precondition", details=[amount])
        return self.effects.persist(Added(amount)).then_reply(lambda ledger: ledger.total)

    @command
    def add_twice(self, amount: int) -> Effect[int]:
        return self.effects.persist(Added(amount), Added(amount)).then_reply(
            lambda ledger: ledger.total
        )

    @command
    def note(self, text: str) -> Effect[str]:
        return (
            self.effects.persist(Added(0)).with_metadata({"Note": text}).then_reply(lambda _: text)
        )

    @command
    def close(self, why: str = "done") -> Effect[None]:
        return self.effects.persist(Closed(why)).delete_entity().then_reply(None)

    @command
    def lend(self, amount: int, seconds: int) -> Effect[int]:
        update = self.effects.persist(Added(amount)).expire_after(timedelta(seconds=seconds))
        return update.then_reply(lambda ledger: ledger.total)

    @command
    def greet(self) -> Effect[str]:
        number = self.context.sequence_number
        return self.effects.reply(f"hello {self.entity_id} {number}").with_metadata(
            {"x-mood": "fine"}
        )

    @command
    def nothing(self) -> Effect[int]:
        return self.effects.persist().then_reply(lambda ledger: ledger.total)

    @command
    def crash(self) -> Effect[int]:
        raise RuntimeError("secret")

    @command
    def crash_in_reply(self) -> Effect[int]:
        return self.effects.persist(Added(1)).then_reply(
            lambda ledger: 1 // (ledger.total - ledger.total)
        )

    @command
    def unfinished(self) -> Effect[int]:
        return self.effects.persist(Added(1))  # type: ignore[return-value]

    @command
    def huge(self) -> Effect[int]:
        return self.effects.persist(Added(2**70)).then_reply(lambda ledger: ledger.total)

    @command
    def fall_through(self) -> Effect[int]:
        return self.effects.persist(Closed("fall")).then_reply(lambda ledger: ledger.total)

    @query
    def total(self) -> int:
        return self.state.total

    @query
    def who(self) -> str:
        context = self.context
        return f"{self.entity_id} {context.name} {context.deleted} {context.metadata.get('A')}"

    @query
    def sly(self) -> Effect[int]:
        return self.effects.persist(Added(1)).then_reply(lambda ledger: ledger.total)

    def apply_event(self, state: Ledger, event: Added | Closed) -> Ledger:
        match event:
            case Added(amount):
                number = self.context.sequence_number
                notes = (
                    (*state.notes, self.context.metadata["note"])
                    if self.context.metadata
                    else state.notes
                )
                return replace(
                    state, total=state.total + amount, seen=(*state.seen, number), notes=notes
                )
            case Closed("fall"):
                return None  # type: ignore[return-value]
            case Closed(_):
                return state


@dataclass(frozen=True)
class Settings:
    theme: str = "light"
    tags: list[str] = field(default_factory=list[str])


class Profile(ValueEntity[Settings], id="settings"):
    def empty_state(self) -> Settings:
        return Settings()

    @command
    def paint(self, theme: str) -> Effect[Settings]:
        return self.effects.update_state(replace(self.state, theme=theme)).then_reply(lambda s: s)

    @command
    def lease(self, theme: str, seconds: int) -> Effect[None]:
        update = self.effects.update_state(replace(self.state, theme=theme))
        return update.expire_after(timedelta(seconds=seconds)).then_reply(None)

    @command
    def close(self) -> Effect[None]:
        return self.effects.delete_entity().then_reply(None)

    @command
    def smuggle(self, tag: str) -> Effect[int]:
        self.state.tags.append(tag)
        return self.effects.reply(len(self.state.tags))

    @query
    def theme(self) -> str:
        return self.state.theme
