"""Components whose handlers go to the edges of the rules, and beyond."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypedDict

from actorkalix import (
    CommandError,
    Effect,
    EventSourcedEntity,
    Metadata,
    ValueEntity,
    command,
    query,
)
from actorkalix.errors import UnknownRoute


@dataclass(frozen=True)
class Seen:
    """What `apply_event` has seen: notes of the object, metadata, texts."""

    notes: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    texts: int = 0


@dataclass(frozen=True)
class Wrote:
    text: str = ""


@dataclass(frozen=True)
class Vetoed:
    pass


class Tags(TypedDict):
    first: str
    second: str


class Odd(EventSourcedEntity[Seen, Wrote | Vetoed], id="odd", snapshot_every=4):
    def empty_state(self) -> Seen:
        return Seen()

    @command
    def write(self, *, text: str = "", times: int = 1) -> Effect[int]:
        wrote = [Wrote(text) for _ in range(times)]
        return self.effects.persist(*wrote).then_reply(lambda seen: seen.texts)

    @command
    def write_for(self, *, microseconds: int) -> Effect[int]:
        update = self.effects.persist(Wrote())
        return update.expire_after(timedelta(microseconds=microseconds)).then_reply(
            lambda seen: seen.texts
        )

    @command
    def last_words(self) -> Effect[int]:
        update = self.effects.persist(Wrote()).expire_after(timedelta(seconds=1)).delete_entity()
        return update.then_reply(lambda seen: seen.texts)

    @command
    def vanish(self) -> Effect[None]:
        return self.effects.persist().delete_entity().then_reply(None)

    @command
    def tag(self) -> Effect[int]:
        tags = Metadata([("Tag", "a"), ("Other", "x"), ("tag", "b")])
        return self.effects.persist(Wrote()).with_metadata(tags).then_reply(lambda seen: seen.texts)

    @command
    def smuggle(self) -> Effect[int]:
        vars(self)["note"] = "smuggled"
        return self.effects.persist(Wrote(), Wrote()).then_reply(lambda seen: seen.texts)

    @command
    def recall(self) -> Effect[str]:
        note: str = vars(self).get("note", "gone")
        return self.effects.reply(note)

    @command
    def refuse_in_reply(self) -> Effect[int]:
        def refuse(seen: Seen) -> int:
            raise CommandError(f"{seen.texts} is too much", code="out_of_range")

        return self.effects.persist(Wrote()).then_reply(refuse)

    @command
    def refuse_in_apply(self) -> Effect[int]:
        return self.effects.persist(Vetoed()).then_reply(lambda seen: seen.texts)

    @command
    def blame_the_caller(self) -> Effect[int]:
        raise UnknownRoute("somebody else's error")

    @command
    def complain(self, *, size: int) -> Effect[int]:
        return self.effects.error("x" * size)

    @command
    def complain_with(self) -> Effect[int]:
        return self.effects.error("no", details=object())

    @command
    def change_of_mind(self) -> Effect[int]:
        self.effects.persist(Wrote(), Wrote(), Wrote())
        self.effects.error("never mind")
        return self.effects.persist(Wrote()).then_reply(lambda seen: seen.texts)

    @command
    def sort(self, *, tags: Tags, table: dict[str, int], ids: frozenset[str]) -> Effect[int]:
        return self.effects.reply(len(tags) + len(table) + len(ids))

    @command
    def count(self, *, table: dict[int, int]) -> Effect[int]:
        return self.effects.reply(len(table))

    @query
    def texts(self) -> int:
        return self.state.texts

    @query
    def deleted(self) -> bool:
        return self.context.deleted

    def apply_event(self, state: Seen, event: Wrote | Vetoed) -> Seen:
        if isinstance(event, Vetoed):
            raise CommandError("not with me")
        note: str = vars(self).get("note", "")
        vars(self)["note"] = "kept"
        return Seen(
            (*state.notes, note),
            (*state.pairs, *self.context.metadata.pairs),
            state.texts + 1,
        )


class Maybe(EventSourcedEntity["int | None", Wrote], id="maybe"):
    """Nothing is a state as any other (ES-10)."""

    def empty_state(self) -> int | None:
        return None

    @command
    def write(self) -> Effect[int | None]:
        return self.effects.persist(Wrote()).then_reply(lambda state: state)

    @query
    def look(self) -> int | None:
        return self.state

    def apply_event(self, state: int | None, event: Wrote) -> int | None:
        return (state or 0) + 1


@dataclass(frozen=True)
class Note:
    text: str = ""
    labels: frozenset[str] = frozenset()


class Board(ValueEntity[Note], id="board"):
    def empty_state(self) -> Note:
        return Note()

    @command
    def pin(self, *, text: str) -> Effect[Note]:
        return self.effects.update_state(replace(self.state, text=text)).then_reply(lambda n: n)

    @command
    def pin_for(self, *, text: str, seconds: int) -> Effect[Note]:
        update = self.effects.update_state(replace(self.state, text=text))
        return update.expire_after(timedelta(seconds=seconds)).then_reply(lambda n: n)

    @command
    def pin_and_go(self, *, text: str) -> Effect[Note]:
        update = self.effects.update_state(Note(text)).delete_entity()
        return update.then_reply(lambda n: n)

    @command
    def label(self, *, labels: frozenset[str]) -> Effect[Note]:
        return self.effects.update_state(replace(self.state, labels=labels)).then_reply(lambda n: n)

    @command
    def wipe(self) -> Effect[Note]:
        return self.effects.update_state(Note()).then_reply(lambda n: n)

    @command
    def take_down(self) -> Effect[None]:
        return self.effects.delete_entity().then_reply(None)

    @command
    def nearly_take_down(self) -> Effect[None]:
        self.effects.delete_entity()
        return self.effects.error("the board stays")

    @command
    def forget(self) -> Effect[None]:
        nothing: Any = None
        return self.effects.update_state(nothing).then_reply(None)

    @query
    def read(self) -> Note:
        return self.state


@dataclass
class Tally:
    """Every new object forgets its cache, one that is read back too."""

    count: int = 0
    cached: int = 0

    def __post_init__(self) -> None:
        self.cached = 0


class Lossy(EventSourcedEntity[Tally, Wrote], id="lossy"):
    def empty_state(self) -> Tally:
        return Tally()

    @command
    def write(self) -> Effect[int]:
        return self.effects.persist(Wrote()).then_reply(lambda tally: tally.count)

    def apply_event(self, state: Tally, event: Wrote) -> Tally:
        after = Tally(state.count + 1)
        after.cached = after.count * 2
        return after
