"""What records make of rows: handlers, ends, ids that begin anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from actorkalix import RowEffect, View, sql, table
from tests.unit.actorkalix.views.shop import (
    Added,
    CartRow,
    Emptied,
    Kept,
    Log,
    Rig,
    ShoppingCart,
)


def test_states_are_the_newest_and_may_have_been_skipped() -> None:
    rig, log = Rig(), Log()
    for city in ("Ulm", "Bonn", "Kiel"):
        log.set("x", city)
    del log.entries[1]
    rig.apply(log.part(0))
    assert rig.rows("customers") == {"x": {"name": "X", "city": "Kiel"}}
    assert rig.projection.tally.gaps == 0


def test_a_handler_may_delete_and_ignore() -> None:
    rig, log = Rig(), Log()
    log.set("x", "Ulm")
    log.set("x", "")
    rig.apply(log.part(0))
    assert rig.rows("customers") == {"x": {"name": "X", "city": "Ulm"}}
    log.set("x", "nowhere")
    rig.apply(log.part(2))
    assert rig.rows("customers") == {}
    log.set("x", "Bonn")
    rig.apply(log.part(3))
    assert rig.rows("customers") == {"x": {"name": "X", "city": "Bonn"}}


def test_the_row_of_a_deleted_entity_goes() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    log.add("b", 1)
    log.delete("a")
    rig.apply(log.part(0))
    assert rig.quantities() == {"b": 1}
    log.delete("b")
    rig.apply(log.part(3))
    assert rig.quantities() == {}


def test_or_what_the_view_says_happens_to_it() -> None:
    rig, log = Rig(Kept), Log()
    log.add("a", 1)
    log.delete("a")
    log.clean("a")
    rig.apply(log.part(0))
    assert rig.rows() == {"a": {"cart_id": "a", "quantity": -1, "changes": 1}}


def test_an_id_begins_anew_after_its_cleanup() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    log.add("a", 1)
    log.delete("a")
    rig.apply(log.part(0))
    log.clean("a")
    log.add("a", 7)
    rig.apply(log.part(3))
    assert rig.rows() == {"a": {"cart_id": "a", "quantity": 7, "changes": 1}}
    assert rig.projection.tally.duplicates == 0
    assert rig.projection.tally.unseen_ends == 0


def test_a_life_whose_end_was_not_seen_leaves_nothing_to_the_next() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    log.add("a", 1)
    rig.apply(log.part(0))
    log.delete("a")
    log.clean("a")
    log.add("a", 7)
    log.entries = [one for one in log.entries if one.kind == 1]
    rig.apply(log.part(2))
    assert rig.rows() == {"a": {"cart_id": "a", "quantity": 7, "changes": 1}}
    assert rig.projection.tally.unseen_ends == 1


def test_what_is_known_of_a_cleaned_subject_is_forgotten() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    log.delete("a")
    rig.apply(log.part(0))
    known = 'SELECT count(*) FROM "$subjects"'
    assert rig.connection.execute(known).fetchone() == (1,)
    log.clean("a")
    rig.apply(log.part(2))
    assert rig.connection.execute(known).fetchone() == (0,)


def test_records_that_come_twice_within_a_range_count_once() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    log.add("a", 2)
    log.delete("a")
    log.entries = [one for one in log.entries for _ in range(2)]
    rig.apply(log.part(0, 2))
    assert rig.quantities() == {"a": 3}
    rig.apply(log.part(2))
    assert rig.quantities() == {}
    assert rig.projection.tally.duplicates == 3


def test_an_event_that_cannot_be_read_waits_with_its_subject() -> None:
    rig, log = Rig(), Log()
    log.add("a", 1)
    log.unreadable("a")
    log.add("a", 1)
    log.add("b", 1)
    (held,) = rig.apply(log.part(0)).standings[0].held
    assert (held.subject, held.version, held.offset) == ("a", 1, 2)
    assert "StoredDataUnreadable" in held.failure
    assert rig.quantities() == {"a": 1, "b": 1}


def test_messages_of_a_topic_make_the_rows_of_their_subjects() -> None:
    rig, log = Rig(), Log()
    log.visit("ann", "home")
    log.visit("bob", "home")
    log.visit("ann", "shop")
    rig.apply(log.part(0))
    assert rig.rows("visits") == {
        "ann": {"visitor": "ann", "pages": ["home", "shop"]},
        "bob": {"visitor": "bob", "pages": ["home"]},
    }


def test_a_message_that_fails_stops_its_subject_alone() -> None:
    rig, log = Rig(), Log()
    log.visit("ann", "home")
    log.visit("ann", "poison")
    log.visit("bob", "home")
    log.visit("ann", "shop")
    (held,) = rig.apply(log.part(0)).standings[0].held
    assert (held.entity, held.subject, held.version) == ("visits/0", "ann", 1)
    assert rig.rows("visits")["ann"]["pages"] == ["home"]
    assert rig.rows("visits")["bob"]["pages"] == ["home"]


def test_a_message_without_a_subject_is_passed_over_and_counted() -> None:
    rig, log = Rig(), Log()
    log.visit("", "home")
    log.visit("ann", "home")
    answer = rig.apply(log.part(0))
    assert answer.standings[0].held == ()
    assert rig.projection.tally.refused == 1
    assert list(rig.rows("visits")) == ["ann"]


@dataclass
class Loose:
    """A row that handlers can change in place."""

    cart_id: str
    quantity: int


class Careless(View, id="careless"):
    """Its handlers change rows in place, keep things in `self`, and forget to return."""

    @table("loose", source=ShoppingCart)
    def on_cart(self, row: Loose | None, event: Added | Emptied) -> RowEffect[Loose]:
        assert not hasattr(self, "seen")
        self.seen = True
        row = row or Loose(self.context.subject, 0)
        if isinstance(event, Emptied):
            row.quantity = 1_000
            return self.effects.ignore()
        row.quantity += event.quantity
        if event.quantity == 13:
            raise ValueError("thirteen")
        if event.quantity == 14:
            return cast("RowEffect[Loose]", row)
        return self.effects.update_row(row)

    @sql("SELECT * FROM loose WHERE cart_id = :cart_id")
    def by_id(self, cart_id: str) -> Loose:
        raise NotImplementedError


def test_nothing_that_a_handler_does_to_a_row_or_to_itself_outlives_it() -> None:
    rig, log = Rig(Careless), Log()
    log.add("a", 1)
    log.empty("a")
    log.add("a", 2)
    log.add("a", 13)
    log.add("b", 14)
    answer = rig.apply(log.part(0))
    assert rig.rows("loose") == {"a": {"cart_id": "a", "quantity": 3}}
    assert {one.subject: one.failure for one in answer.standings[0].held} == {
        "a": "ValueError: thirteen",
        "b": "InvalidEffect: Careless.on_cart returned Loose, not one of self.effects",
    }


def test_the_context_says_what_the_change_is() -> None:
    seen: list[object] = []

    class Curious(View, id="curious"):
        @table("rows", source=ShoppingCart)
        def on_cart(self, row: CartRow | None, event: Added | Emptied) -> RowEffect[CartRow]:
            context = self.context
            seen.append(
                (
                    *(context.name, context.subject, context.sequence_number),
                    *(context.metadata["ce-type"], context.metadata["ce-subject"]),
                    context.time.timestamp(),
                )
            )
            return self.effects.ignore()

        @sql("SELECT * FROM rows")
        def all(self) -> CartRow:
            raise NotImplementedError

    rig, log = Rig(Curious), Log()
    log.add("a", 1)
    log.empty("a")
    rig.apply(log.part(0))
    assert seen == [
        ("Added", "a", 1, "Added", "a", 1_700_000_000.001),
        ("Emptied", "a", 2, "Emptied", "a", 1_700_000_000.002),
    ]
