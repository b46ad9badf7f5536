"""What a feed has to say, batch by batch."""

from __future__ import annotations

from actorkalix_cluster.shardhost.feed_due import FeedDue
from actorkalix_cluster.shardhost.feed_progress import FeedProgress, at_place
from actorkalix_cluster.shardhost.feeding import BEGINNING
from actorkalix_cluster.shardhost.limits import FeedLimits
from actorkalix_storage.api import Position
from tests.unit.cluster.shardhost.rig import new_store
from tests.unit.cluster.shardhost.test_feed_progress import entry


def due(**limits: int) -> FeedDue:
    return FeedDue(new_store(), FeedLimits(**limits))


def read(count: int, shard: int = 0) -> FeedProgress:
    progress = FeedProgress(shard, at_place(BEGINNING))
    entries = [entry(offset) for offset in range(1, count + 1)]
    progress.take(entries, Position(7, 1, max(count, 1)))
    return progress


def test_where_there_is_nothing_to_say_there_is_no_batch() -> None:
    made = due()
    assert not made
    assert made.batch({}, (), 0) is None
    made.skipped[0] = None
    assert made.batch({0: read(0)}, (), 0) is None


def test_a_batch_takes_so_many_entries_of_so_many_shards() -> None:
    made = due(batch_entries_max=5)
    progress = {shard: read(3, shard) for shard in range(3)}
    made.dirty.update(dict.fromkeys(progress))
    batch = made.batch(progress, (), 9)
    assert batch is not None
    assert [(one.shard, len(one.entries)) for one in batch.ranges] == [(0, 3), (1, 2)]
    assert (batch.now_ms, batch.shards) == (9, 16)
    assert list(made.dirty) == [2]


def test_a_batch_takes_so_many_bytes_or_one_entry() -> None:
    size = entry(1)[2]
    progress = {shard: read(2, shard) for shard in range(2)}
    made = due(batch_bytes_max=3 * size)
    made.dirty.update(dict.fromkeys(progress))
    batch = made.batch(progress, (), 0)
    assert batch is not None
    assert [len(one.entries) for one in batch.ranges] == [2, 1]
    made = due(batch_bytes_max=1)
    made.dirty.update(dict.fromkeys(progress))
    batch = made.batch(progress, (), 0)
    assert batch is not None
    assert [len(one.entries) for one in batch.ranges] == [1]


def test_what_there_was_no_hurry_for_is_said_with_the_rest() -> None:
    made = due()
    made.skipped[3] = None
    made.hurry()
    batch = made.batch({3: read(0, 3)}, (), 0)
    assert batch is not None
    assert [(one.shard, one.entries) for one in batch.ranges] == [(3, ())]


def test_questions_and_partings_stay_until_they_are_answered() -> None:
    made = due()
    made.asking[1] = None
    made.parted[2] = (7, 1, 5)
    for _ in range(2):
        batch = made.batch({}, (), 0)
        assert batch is not None
        assert (batch.asked, batch.parted) == ((1,), ((2, (7, 1, 5)),))
    made.forget(1)
    made.forget(2)
    assert not made
