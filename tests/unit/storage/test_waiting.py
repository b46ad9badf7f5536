"""What waits for `apply` is not in the tables, and is in those that will be."""

from __future__ import annotations

from actorkalix_storage.api import Position, StoredRecord
from actorkalix_storage.tables import Layer, NoTables
from actorkalix_storage.testing.harness import event
from actorkalix_storage.waiting import Waiting


def stored(number: int) -> StoredRecord:
    """The record of that number, at that offset."""
    previous = (1, number - 1) if number > 1 else (0, 0)
    return StoredRecord(0, Position(7, 1, number), previous, number, 1, event(number))


def test_the_tables_ahead_know_what_comes_later_too() -> None:
    below = Layer(NoTables(7))
    waiting = Waiting()
    waiting.extend([stored(1)], [11])
    ahead = waiting.ahead(below)
    waiting.extend([stored(2)], [12])
    assert waiting.ahead(below) is ahead
    head = ahead.head((0, "cart", "a"))
    assert head is not None
    assert head.version == 2
    assert below.head((0, "cart", "a")) is None
    assert (len(waiting.records), waiting.pointers) == (2, [11, 12])
