"""Tables are a pure function of records, and applying a record again changes nothing."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actorkalix_storage.api import (
    Append,
    Appended,
    Position,
    Record,
    RecordKind,
    ShardState,
    TimerKind,
)
from actorkalix_storage.batch import Batch
from actorkalix_storage.tables import Layer, NoTables, oldest_hour, timer_of

START_MS = 1_700_000_000_000
LIFE = ("event", "state", "reply", "delete", "clean")


def a_log(intents: list[tuple[str, int]]) -> Batch:
    """A batch of what one writer makes of the intents that are possible."""
    batch = Batch(NoTables(7), 7, 4, {})
    batch.open(0, START_MS)
    for i, (intent, entity) in enumerate(intents):
        subject = (0, "cart", f"e{entity}")
        head = batch.head(subject)
        number, version = (head.number, head.version) if head else (0, 0)
        kind = {
            "event": RecordKind.EVENT,
            "state": RecordKind.STATE,
            "reply": RecordKind.REPLY,
            "delete": RecordKind.DELETED,
            "clean": RecordKind.CLEANED,
        }[intent]
        number += kind in (RecordKind.EVENT, RecordKind.STATE)
        record = Record(
            kind, *subject[1:], number, START_MS + i, key=b"%016d" % (i % 3), expires_ms=i % 2
        )
        outcome = batch.add(Append(0, 1, version, (record,)))
        assert isinstance(outcome, Appended) or batch.head(subject) == head
    return batch


def same(a: Layer, b: Layer) -> bool:
    alive = [{s: h for s, h in layer.heads.items() if h} for layer in (a, b)]
    return alive[0] == alive[1] and a.timers.of == b.timers.of and a.shards == b.shards


@given(st.lists(st.tuples(st.sampled_from(LIFE), st.integers(0, 2)), max_size=30), st.data())
def test_replaying_from_any_place_ends_in_the_same_tables(
    intents: list[tuple[str, int]], data: st.DataObject
) -> None:
    batch = a_log(intents)
    tables = Layer(NoTables(7))
    for stored in batch.records:
        tables.apply(stored)
    assert same(tables, batch)
    again_from = data.draw(st.integers(0, len(batch.records)))
    for stored in batch.records[again_from:]:
        tables.apply(stored)
    assert same(tables, batch)


def test_a_subject_has_one_timer_at_a_time() -> None:
    batch = a_log([("event", 0), ("event", 0)])
    head = batch.head((0, "cart", "e0"))
    assert timer_of(head) == (TimerKind.EXPIRY, 1)
    deleted = a_log([("event", 0), ("event", 0), ("delete", 0)])
    assert timer_of(deleted.head((0, "cart", "e0"))) == (TimerKind.CLEANUP, START_MS + 2)
    assert timer_of(None) is None


def test_keys_count_by_whole_hours() -> None:
    hour = 3_600_000
    assert oldest_hour(5 * hour, 2 * hour) == 3
    assert oldest_hour(5 * hour + hour - 1, 2 * hour) == 3
    assert oldest_hour(hour, 2 * hour) == 0


def test_a_copy_is_unfinished_until_its_shard_is_there() -> None:
    below = Layer(NoTables(7))
    below.begin_copy(1, Position(5, 2, 9), START_MS)
    tables = Layer(below)
    assert tables.state(1) == ShardState(Position(5, 0, 0), START_MS)
    for offset, unfinished in ((8, True), (9, False), (10, False)):
        tables.move(1, Position(5, 2, offset))
        tables.begin_copy(1, Position(5, 2, 9), START_MS)  # as a replay does
        assert tables.state(1).position.offset == offset
        assert (tables.unfinished(1) is not None) is unfinished
    assert tables.source(1) == Position(5, 2, 9)
    assert tables.unfinished(0) is tables.source(0) is None


def test_what_is_forgotten_was_never_there() -> None:
    tables, other = Layer(NoTables(7)), Layer(NoTables(7))
    for stored in a_log([("event", 0), ("event", 1), ("delete", 1), ("clean", 1)]).records:
        tables.apply(stored)
        for each in (tables, other):
            each.apply(msgspec.structs.replace(stored, shard=1))
    tables.begin_copy(0, Position(5, 2, 9), START_MS)
    tables.forget(0)
    assert same(tables, other)
    assert (tables.keys, tables.cleaned, tables.copies) == (other.keys, other.cleaned, {})
