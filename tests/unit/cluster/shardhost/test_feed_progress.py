"""How far a feed has come in a shard: only what its target says counts."""

from __future__ import annotations

from actorkalix_cluster.shardhost.feed_progress import (
    FeedProgress,
    Retrying,
    at_place,
    size_of,
)
from actorkalix_cluster.shardhost.feeding import BEGINNING, Fed, Held, Standing, place_of
from actorkalix_storage.api import Position


def entry(offset: int, payload: bytes = b"x") -> tuple[Fed, Position, int]:
    fed = Fed(1, "counter", "a", offset, offset, 1, 1, offset, 0, payload)
    return fed, Position(7, 1, offset), size_of(fed)


def begun(*offsets: int, through: int = 0) -> FeedProgress:
    progress = FeedProgress(3, at_place(BEGINNING))
    progress.take([entry(one) for one in offsets], Position(7, 1, through or max(offsets)))
    return progress


def test_a_range_goes_as_far_as_was_read() -> None:
    progress = begun(2, 4, through=9)
    part, size = progress.range(12, 100, 10_000)
    assert (part.begin, part.through, part.newest) == (BEGINNING, (7, 1, 9), 12)
    assert [one.offset for one in part.entries] == [2, 4]
    assert size == progress.size > 0


def test_a_range_has_so_many_entries_and_ends_with_the_last_of_them() -> None:
    progress = begun(2, 4, 6, through=9)
    part, _ = progress.range(9, 2, 10_000)
    assert part.through == (7, 1, 4)
    assert progress.answered(Standing(3, (7, 1, 4)))
    assert [one[1].offset for one in progress.entries] == [6]
    assert progress.told == Position(7, 1, 4)
    assert progress.waiting


def test_a_range_has_so_many_bytes_but_one_entry_at_least() -> None:
    progress = begun(2, 4, 6)
    one = size_of(entry(2)[0])
    assert len(progress.range(9, 100, 2 * one)[0].entries) == 2
    assert len(progress.range(9, 100, 1)[0].entries) == 1


def test_what_is_told_is_let_go() -> None:
    progress = begun(2, 4)
    progress.range(4, 100, 10_000)
    assert progress.answered(Standing(3, (7, 1, 4)))
    assert not progress.waiting
    assert (progress.entries, progress.size) == ([], 0)


def test_a_target_that_stands_elsewhere_is_right() -> None:
    progress = begun(2, 4)
    progress.range(4, 100, 10_000)
    assert not progress.answered(Standing(3, (7, 1, 3)))
    progress.stand_at(Position(7, 1, 3))
    assert (progress.read.offset, progress.told.offset, progress.size) == (3, 3, 0)


def test_an_answer_without_a_range_says_the_same_or_something_else() -> None:
    progress = begun(2)
    assert progress.answered(Standing(3, BEGINNING))
    assert not progress.answered(Standing(3, (7, 1, 1)))


def test_what_was_read_already_is_not_taken_twice() -> None:
    progress = begun(2, 4)
    progress.take([entry(4), entry(5)], Position(7, 1, 5))
    assert [one[1].offset for one in progress.entries] == [2, 4, 5]
    progress.take([], Position(7, 1, 3))
    assert progress.read.offset == 5


def test_what_is_not_answered_is_sent_again() -> None:
    progress = begun(2, 4)
    first, _ = progress.range(4, 100, 10_000)
    progress.lost_sight()
    again, _ = progress.range(4, 100, 10_000)
    assert first == again
    assert again.begin == place_of(progress.told)


def test_a_held_subject_waits_for_its_time() -> None:
    held = Held(3, "counter", "a", "t", "a", 1, 2, 1, 0, "it fails")
    waiting = Retrying(held, 3_000)
    assert (waiting.held, waiting.due_ms, waiting.again, waiting.reading) == (
        *(held, 3_000),
        *(None, False),
    )
