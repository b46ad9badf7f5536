"""A service with views that count: whoever is told twice, or not at all, counts something else.

Jars take coins and are emptied and broken (deleted); tags are values that are set and removed. One
view counts coins and notes them in order, removes broken jars and has tags beside; the other keeps
what is broken, marked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from actorkalix import (
    Effect,
    EventSourcedEntity,
    RowEffect,
    Service,
    ValueEntity,
    View,
    command,
    on_delete,
    on_snapshot,
    query,
    sql,
    table,
)


@dataclass(frozen=True)
class Coin:
    """One more coin, the so-manieth of its jar."""

    number: int


@dataclass(frozen=True)
class Emptied:
    """All coins were taken out."""


@dataclass(frozen=True)
class Filling:
    """How many coins were put in, and are in it."""

    put: int = 0
    there: int = 0


class Jar(EventSourcedEntity[Filling, Coin | Emptied], id="jar", snapshot_every=5):
    """Takes coins."""

    def empty_state(self) -> Filling:
        return Filling()

    @command
    def put(self) -> Effect[int]:
        coin = Coin(self.state.put + 1)
        return self.effects.persist(coin).then_reply(lambda filling: filling.there)

    @command
    def put_three(self) -> Effect[int]:
        coins = [Coin(self.state.put + number) for number in (1, 2, 3)]
        return self.effects.persist(*coins).then_reply(lambda filling: filling.there)

    @command
    def empty(self) -> Effect[int]:
        return self.effects.persist(Emptied()).then_reply(lambda filling: filling.there)

    @command
    def smash(self) -> Effect[str]:
        return self.effects.persist(Emptied()).delete_entity().then_reply(lambda _: "smashed")

    @query
    def get(self) -> Filling:
        return self.state

    def apply_event(self, state: Filling, event: Coin | Emptied) -> Filling:
        if isinstance(event, Emptied):
            return replace(state, there=0)
        return Filling(event.number, state.there + 1)


class Tag(ValueEntity[str], id="tag"):
    """A text."""

    def empty_state(self) -> str:
        return ""

    @command
    def write(self, number: int) -> Effect[str]:
        return self.effects.update_state(f"{self.state[-8:]}{number}").then_reply(lambda tag: tag)

    @command
    def tear(self) -> Effect[str]:
        return self.effects.delete_entity().then_reply(lambda _: "torn")

    @query
    def get(self) -> str:
        return self.state


@dataclass(frozen=True)
class JarRow:
    """A jar as the view has it."""

    jar: str
    coins: int
    changes: int
    last: list[int]


@dataclass(frozen=True)
class TagRow:
    """A tag as the view has it."""

    tag: str
    text: str


class Jars(View, id="jars"):
    """Counts and notes."""

    @table("jars", source=Jar)
    def on_jar(self, row: JarRow | None, event: Coin | Emptied) -> RowEffect[JarRow]:
        row = row or JarRow(self.context.subject, 0, 0, [])
        changes = row.changes + 1
        if isinstance(event, Emptied):
            return self.effects.update_row(replace(row, coins=0, changes=changes))
        last = [*row.last[-9:], event.number]
        return self.effects.update_row(
            replace(row, coins=row.coins + 1, changes=changes, last=last)
        )

    @table("tags", source=Tag)
    def on_tag(self, row: TagRow | None, text: str) -> RowEffect[TagRow]:
        if text.endswith("7"):
            return self.effects.delete_row()
        return self.effects.update_row(TagRow(self.context.subject, text))

    @sql("SELECT * FROM jars WHERE coins > :more_than")
    def fuller(self, more_than: int) -> JarRow | None:
        raise NotImplementedError

    @sql("SELECT * FROM tags WHERE tag = :tag")
    def tag(self, tag: str) -> TagRow | None:
        raise NotImplementedError


class Shards(View, id="smashed"):
    """Keeps what is smashed."""

    @table("jars", source=Jar)
    def on_jar(self, row: JarRow | None, event: Coin | Emptied) -> RowEffect[JarRow]:
        row = row or JarRow(self.context.subject, 0, 0, [])
        return self.effects.update_row(replace(row, changes=row.changes + 1))

    @on_delete("jars")
    def on_smashed(self, row: JarRow | None) -> RowEffect[JarRow]:
        row = row or JarRow(self.context.subject, 0, 0, [])
        return self.effects.update_row(replace(row, coins=row.coins - 1))

    @sql("SELECT * FROM jars WHERE jar = :jar")
    def one(self, jar: str) -> JarRow | None:
        raise NotImplementedError


@dataclass(frozen=True)
class LevelRow:
    """A jar by its state alone."""

    jar: str
    put: int
    there: int


class Levels(View, id="levels"):
    """Begins with snapshots, which make the rows that events make."""

    @table("jars", source=Jar)
    def on_jar(self, row: LevelRow | None, event: Coin | Emptied) -> RowEffect[LevelRow]:
        row = row or LevelRow(self.context.subject, 0, 0)
        if isinstance(event, Emptied):
            return self.effects.update_row(replace(row, there=0))
        return self.effects.update_row(replace(row, put=event.number, there=row.there + 1))

    @on_snapshot("jars")
    def on_filling(self, state: Filling) -> RowEffect[LevelRow]:
        return self.effects.update_row(LevelRow(self.context.subject, state.put, state.there))

    @sql("SELECT * FROM jars WHERE jar = :jar")
    def one(self, jar: str) -> LevelRow | None:
        raise NotImplementedError


service = Service("viewed", components=[Jar, Tag, Jars, Shards, Levels])
