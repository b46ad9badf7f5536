"""Pages and frames of a copy: what follows, and what does not."""

from __future__ import annotations

import pytest

from actorkalix_storage import moving
from actorkalix_storage.api import (
    Position,
    Record,
    RecordKind,
    ShardPage,
    StoredRecord,
    StoreIdentity,
)
from actorkalix_storage.api.frames import Marker, MarkerKind
from actorkalix_storage.memorystore import MemoryStore
from actorkalix_storage.moving import frames_of
from actorkalix_storage.testing.harness import START_MS, cleaned, deleted, event, write

NOWHERE = Position(7, 0, 0)


def at(offset: int, epoch: int = 1, shard: int = 0) -> StoredRecord:
    record = Record(RecordKind.EVENT, "cart", "a", 1, START_MS)
    return StoredRecord(shard, Position(7, epoch, offset), (0, 0), 1, offset, record)


def page(after: int, through: int, *records: StoredRecord) -> ShardPage:
    return ShardPage(after, through, records, ())


def gap(after: int, position: Position) -> Marker:
    return Marker(MarkerKind.GAP, 0, position, after=after)


def test_what_is_missing_becomes_gaps() -> None:
    source = Position(7, 3, 12)
    frames = frames_of(0, source, page(0, 9, at(2), at(3), at(6, 2)), NOWHERE)
    assert frames == [
        gap(0, Position(7, 0, 1)),
        at(2),
        at(3),
        gap(3, Position(7, 1, 5)),
        at(6, 2),
        gap(6, Position(7, 2, 9)),
    ]
    assert frames_of(0, source, page(9, 12), Position(7, 2, 9)) == [gap(9, source)]


def test_what_is_here_is_passed_over() -> None:
    frames = frames_of(0, Position(7, 1, 4), page(0, 4, at(1), at(2), at(4)), Position(7, 1, 2))
    assert frames == [gap(2, Position(7, 1, 3)), at(4)]


@pytest.mark.parametrize(
    "given, here, words",
    [
        (page(3, 5, at(4)), 2, "offsets 4 to 5 after 2 of 9"),
        (page(0, 2, at(1)), 2, "offsets 1 to 2 after 2 of 9"),
        (page(2, 10, at(3)), 2, "offsets 3 to 10 after 2 of 9"),
        (page(2, 5, at(4), at(3)), 2, "offset 3 of shard 0 after offset 4"),
        (page(2, 5, at(3), at(3)), 2, "offset 3 of shard 0 after offset 3"),
        (page(2, 5, at(6)), 2, "offset 6 of shard 0 after offset 2"),
        (page(2, 5, at(2)), 2, "offset 2 of shard 0 after offset 2"),
        (page(2, 5, at(3, shard=1)), 2, "offset 3 of shard 1"),
        (page(2, 5, at(3, 2), at(4, 1)), 2, "epoch 1 after epoch 2"),
        (page(2, 9, at(3), at(9, 2)), 2, "it ends at"),
    ],
)
def test_a_page_that_does_not_follow(given: ShardPage, here: int, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        frames_of(0, Position(7, 3, 9), given, Position(7, 1, here))
    assert "a page of shard 0 does not follow" in str(caught.value)


def test_a_page_ends_after_many_removed_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a page is bounded, however little there is left to copy."""
    monkeypatch.setattr(moving, "PAGE_STEPS_MAX", 10)
    source = MemoryStore(StoreIdentity("0" * 32, "shop", 0, 2, 7))
    target = MemoryStore(StoreIdentity("0" * 32, "shop", 1, 2, 7))
    source.open_shards([0], START_MS)
    for n in range(1, 31):
        write(source, event(n))
    write(source, deleted(30), cleaned(30))
    write(source, event(1, entity="b"))
    source.maintain(START_MS)
    after = 0
    sizes: list[tuple[int, int]] = []
    while found := source.export(0, after):
        sizes.append((found.through - found.after, len(found.records)))
        after = target.receive(0, source.durable(0), found)
    assert sizes == [(10, 1), (10, 0), (10, 0), (4, 1)]
    assert target.records(0, 0) == source.records(0, 0)
    assert target.shard(0) == source.shard(0)
