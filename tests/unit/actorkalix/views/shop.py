"""A small shop whose carts have a view, and logs of carts to make it from."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from actorkalix import (
    Effect,
    EventSourcedEntity,
    RowEffect,
    ValueEntity,
    View,
    command,
    on_delete,
    sql,
    table,
    topic,
)
from actorkalix.codec import codecs_for
from actorkalix.describe.descriptors import described
from actorkalix.engine.topic import TOPIC, TopicMessage
from actorkalix.views.projection import Projection
from actorkalix_cluster.shardhost.feeding import (
    BEGINNING,
    Answer,
    Batch,
    Fed,
    Place,
    Range,
    pack_batch,
    unpack_batch,
)

LINEAGE = 2**64 - 5  # as large as they come
EVENT, STATE, DELETED, CLEANED = 1, 2, 4, 5


@dataclass(frozen=True)
class Added:
    quantity: int


@dataclass(frozen=True)
class Emptied:
    pass


@dataclass(frozen=True)
class Cart:
    quantity: int = 0


class ShoppingCart(EventSourcedEntity[Cart, Added | Emptied], id="cart"):
    def empty_state(self) -> Cart:
        return Cart()

    def apply_event(self, state: Cart, event: Added | Emptied) -> Cart:
        return Cart(state.quantity + event.quantity) if isinstance(event, Added) else Cart()

    @command
    def add(self, quantity: int) -> Effect[int]:
        return self.effects.persist(Added(quantity)).then_reply(lambda cart: cart.quantity)

    @command
    def empty(self) -> Effect[int]:
        return self.effects.persist(Emptied()).then_reply(lambda cart: cart.quantity)

    @command
    def drop(self) -> Effect[None]:
        return self.effects.persist(Emptied()).delete_entity().then_reply(None)


@dataclass(frozen=True)
class Customer:
    name: str
    city: str


class CustomerEntity(ValueEntity[Customer], id="customer"):
    def empty_state(self) -> Customer:
        return Customer("", "")

    @command
    def set(self, customer: Customer) -> Effect[None]:
        return self.effects.update_state(customer).then_reply(None)

    @command
    def drop(self) -> Effect[None]:
        return self.effects.delete_entity().then_reply(None)


@dataclass(frozen=True)
class CartRow:
    cart_id: str
    quantity: int
    changes: int


@dataclass(frozen=True)
class Visit:
    page: str


@dataclass(frozen=True)
class VisitRow:
    visitor: str
    pages: list[str]


FAILING: set[str] = set()
"""Subjects on which the handlers fail."""


class Carts(View, id="carts"):
    """Counts what it is told: whoever is told twice, or not at all, counts something else."""

    @table("carts", source=ShoppingCart)
    def on_cart(self, row: CartRow | None, event: Added | Emptied) -> RowEffect[CartRow]:
        subject = self.context.subject
        if subject in FAILING:
            raise ValueError("it fails")
        row = row or CartRow(subject, 0, 0)
        quantity = row.quantity + event.quantity if isinstance(event, Added) else 0
        return self.effects.update_row(replace(row, quantity=quantity, changes=row.changes + 1))

    @table("customers", source=CustomerEntity)
    def on_customer(self, row: Customer | None, state: Customer) -> RowEffect[Customer]:
        if state.city == "nowhere":
            return self.effects.delete_row()
        if state.city == "":
            return self.effects.ignore()
        return self.effects.update_row(state)

    @table("visits", source=topic("visits", Visit))
    def on_visit(self, row: VisitRow | None, visit: Visit) -> RowEffect[VisitRow]:
        row = row or VisitRow(self.context.subject, [])
        if visit.page == "poison":
            raise ValueError("poison")
        return self.effects.update_row(replace(row, pages=[*row.pages, visit.page]))

    @sql("SELECT * FROM carts WHERE cart_id = :cart_id")
    def by_id(self, cart_id: str) -> CartRow:
        raise NotImplementedError


class Kept(View, id="kept"):
    """Keeps the rows of deleted carts."""

    @table("carts", source=ShoppingCart)
    def on_cart(self, row: CartRow | None, event: Added | Emptied) -> RowEffect[CartRow]:
        row = row or CartRow(self.context.subject, 0, 0)
        return self.effects.update_row(replace(row, changes=row.changes + 1))

    @on_delete("carts")
    def on_end(self, row: CartRow | None) -> RowEffect[CartRow]:
        if row is None:
            return self.effects.ignore()
        return self.effects.update_row(replace(row, quantity=-1))

    @sql("SELECT * FROM carts WHERE cart_id = :cart_id")
    def by_id(self, cart_id: str) -> CartRow:
        raise NotImplementedError


class Log:
    """The log of one shard, of which any range can be handed over.

    Attributes:
        shard: its number.
        entries: all of it that views want.
        newest: offset of its last record.
    """

    def __init__(self, shard: int = 0) -> None:
        self.shard = shard
        self.entries: list[Fed] = []
        self.newest = 0
        self._lives: dict[tuple[str, str], tuple[int, int, int]] = {}

    def place(self, offset: int) -> Place:
        """A place in it."""
        return (LINEAGE, 1, offset) if offset else BEGINNING

    def lives(self, entity: str, component: str = "cart") -> bool:
        """Whether an entity was begun, and not cleaned."""
        return (component, entity) in self._lives

    def skip(self, count: int = 1) -> None:
        """Records that nobody wants."""
        self.newest += count

    def _write(self, kind: int, component: str, entity: str, payload: bytes = b"") -> None:
        self.newest += 1
        life = (component, entity)
        number, version, incarnation = self._lives.get(life, (0, 0, self.newest))
        number, version = number + (kind in (EVENT, STATE)), version + 1
        self._lives[life] = (number, version, incarnation)
        self.entries.append(
            Fed(
                *(kind, component, entity, number, version, incarnation, 1, self.newest),
                *(1_700_000_000_000 + self.newest, payload),
            )
        )
        if kind == CLEANED:
            del self._lives[life]

    def add(self, cart: str, quantity: int) -> None:
        """A cart has more in it."""
        self._write(EVENT, "cart", cart, _stored(ShoppingCart).encode_event(Added(quantity)))

    def empty(self, cart: str) -> None:
        """A cart was emptied."""
        self._write(EVENT, "cart", cart, _stored(ShoppingCart).encode_event(Emptied()))

    def unreadable(self, cart: str) -> None:
        """An event that no version of the code can read."""
        self._write(EVENT, "cart", cart, b"rubbish")

    def set(self, customer: str, city: str) -> None:
        """A customer's state."""
        state = Customer(customer.upper(), city)
        self._write(STATE, "customer", customer, _stored(CustomerEntity).encode_state(state))

    def visit(self, visitor: str, page: str, partition: int = 0) -> None:
        """A message of a topic."""
        data = msgspec.json.encode({"page": page})
        made = TopicMessage("Visit", visitor, "", "test", "application/json", (), data)
        self._write(EVENT, TOPIC, f"visits/{partition}", msgspec.msgpack.encode(made))

    def delete(self, entity: str, component: str = "cart") -> None:
        """An entity was deleted."""
        self._write(DELETED, component, entity)

    def clean(self, entity: str, component: str = "cart") -> None:
        """It is forgotten."""
        self._write(CLEANED, component, entity)

    def part(self, begin: int, through: int | None = None) -> Range:
        """A range of it."""
        end = self.newest if through is None else through
        return Range(
            *(self.shard, self.place(begin), self.place(end), self.newest),
            tuple(one for one in self.entries if begin < one.offset <= end),
        )


def batch(*parts: Range, now_ms: int = 0, shards: int = 4, **more: Any) -> Batch:
    """A batch, as it arrives."""
    return unpack_batch(pack_batch(Batch(1, 0, shards, now_ms, ranges=parts, **more)))


def opened(connection: sqlite3.Connection, view: type[View] = Carts) -> Projection:
    """A projection of a view."""
    component = described(view)
    assert component is not None
    assert component.view is not None
    return Projection(connection, component, component.view, generation="one")


class Rig:
    """A projection in memory, and what it has."""

    def __init__(self, view: type[View] = Carts) -> None:
        FAILING.clear()
        self.view = view
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.projection = opened(self.connection, view)

    def apply(self, *parts: Range, **more: Any) -> Answer:
        """Have it take a batch."""
        return self.projection.apply(batch(*parts, **more))

    def rows(self, name: str = "carts") -> dict[str, Any]:
        """Rows as they are stored, by subject."""
        found = self.connection.execute(f'SELECT "$subject", "$row" FROM "{name}"')
        return {subject: msgspec.json.decode(row) for subject, row in found}

    def quantities(self) -> dict[str, int]:
        """What is in each cart."""
        return {subject: row["quantity"] for subject, row in self.rows().items()}


def _stored(entity: type[Any]) -> Any:
    source = described(entity)
    assert source is not None
    return codecs_for(source).stored
