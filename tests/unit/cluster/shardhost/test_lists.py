"""Lists of entries: bounded by number and bytes, never empty, in order within a lane."""

from __future__ import annotations

from actorkalix_cluster.shardhost.lists import list_of
from actorkalix_cluster.shardhost.progress import Entry, Lane, Progress
from actorkalix_storage.api import Position, Record, RecordKind


def lanes(*sizes: list[int]) -> list[Lane]:
    """Lanes with entries of so many bytes."""
    progress = Progress(3, "reader", None, Position(7, 0, 0))
    offset = 0
    for number, each in enumerate(sizes):
        for size in each:
            offset += 1
            record = Record(RecordKind.EVENT, "c", f"e{number}", offset, 0, bytes(size))
            at = Position(7, 1, offset)
            progress.take([Entry(3, at, offset, record)], at)
    return list(progress.lanes.values())


def shape(made: list[Lane], entries_max: int, bytes_max: int) -> list[int]:
    entries, counts = list_of(made, entries_max, bytes_max)
    assert sum(count for _, count in counts) == len(entries)
    wanted = [entry for lane, count in counts for entry in list(lane.entries)[:count]]
    assert entries == wanted
    return [count for _, count in counts]


def test_it_is_bounded_by_number() -> None:
    assert shape(lanes([1, 1, 1], [1, 1], [1]), 4, 100) == [3, 1, 0]
    assert shape(lanes([1], [1]), 10, 100) == [1, 1]


def test_it_is_bounded_by_bytes() -> None:
    assert shape(lanes([40, 40, 40, 40], [1]), 10, 100) == [3, 0]


def test_the_first_one_goes_however_large_it_is() -> None:
    assert shape(lanes([500], [1]), 10, 100) == [1, 0]
