"""The fold of a log, by the simplest of all means."""

from __future__ import annotations

import msgspec

from actorkalix import View
from actorkalix.describe.descriptors import described
from actorkalix.testkit.checking import folded
from actorkalix_storage.api import Position, Record, RecordKind, StoredRecord
from tests.unit.actorkalix.views.shop import Carts, Kept, Log


def records(log: Log) -> list[StoredRecord]:
    """A log as a store has it."""
    return [
        StoredRecord(
            log.shard,
            Position(7, one.epoch, one.offset),
            (0, 0),
            one.version,
            one.incarnation,
            Record(
                *(RecordKind(one.kind), one.component, one.entity, one.number, one.time_ms),
                one.payload,
            ),
        )
        for one in log.entries
    ]


def quantities(log: Log, view: type[View] = Carts) -> dict[str, int]:
    component = described(view)
    assert component is not None
    rows = folded(component, records(log))
    return {
        subject: msgspec.json.decode(row)["quantity"]
        for (table, subject), row in rows.items()
        if table == "carts"
    }


def test_events_are_folded_in_their_order() -> None:
    log = Log()
    log.add("a", 1)
    log.add("b", 2)
    log.empty("a")
    log.add("a", 3)
    assert quantities(log) == {"a": 3, "b": 2}


def test_an_end_removes_a_row_or_does_what_the_view_says() -> None:
    log = Log()
    log.add("a", 1)
    log.delete("a")
    log.clean("a")
    assert quantities(log) == {}
    assert quantities(log, Kept) == {"a": -1}


def test_messages_and_states_are_folded_too() -> None:
    log = Log()
    log.set("x", "Ulm")
    log.set("x", "Bonn")
    log.visit("ann", "home")
    component = described(Carts)
    assert component is not None
    assert set(folded(component, records(log))) == {("customers", "x"), ("visits", "ann")}
