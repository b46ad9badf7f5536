"""Progress of a consumer in a shard: order per subject, and a cursor that never claims too much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorkalix_cluster.shardhost.cursors import Cursor
from actorkalix_cluster.shardhost.progress import WEIGHT_BYTES, Entry, Lane, LaneState, Progress
from actorkalix_storage.api import Position, Record, RecordKind

START = Position(7, 0, 0)


def at(offset: int) -> Position:
    return Position(7, 1, offset)


def entry(offset: int, entity: str = "a", version: int = 0) -> Entry:
    record = Record(RecordKind.EVENT, "counter", entity, offset, 0)
    return Entry(3, at(offset), version or offset, record)


def fresh() -> Progress:
    return Progress(3, "reader", None, START)


def test_a_lane_becomes_ready_once() -> None:
    progress = fresh()
    (lane,) = progress.take([entry(1), entry(2)], at(2))
    assert [one.position.offset for one in lane.entries] == [1, 2]
    assert progress.take([entry(3)], at(3)) == []
    assert progress.waiting == 3


def test_the_cursor_stands_before_the_oldest_entry_that_lies_here() -> None:
    progress = fresh()
    a, b = progress.take([entry(2, "a"), entry(5, "b"), entry(6, "a")], at(9))
    assert progress.through == START
    progress.handled(b, 1)
    assert progress.through == START
    progress.handled(a, 1)
    assert progress.through == at(5)  # 5 is handled, 6 is not
    progress.handled(a, 1)
    assert progress.through == at(9)
    assert not progress.rest(a)
    assert not progress.rest(b)
    assert progress.lanes == {}


def test_what_is_parked_lets_the_cursor_go_on_and_is_named_in_it() -> None:
    progress = fresh()
    (lane,) = progress.take([entry(2, version=4), entry(3, version=5)], at(3))
    progress.park(lane, "no", now_ms=50)
    assert lane.state is LaneState.PARKED
    assert not lane.entries
    cursor = progress.cursor()
    assert cursor.position == at(3)
    (parked,) = cursor.parked
    assert (parked.version, parked.offset, parked.attempts, parked.since_ms) == (3, 2, 1, 50)
    assert cursor.passed == at(1)
    assert progress.take([entry(4, version=6)], at(4)) == []
    assert progress.through == at(4)


def test_what_came_while_it_was_tried_again_is_looked_for() -> None:
    progress = fresh()
    (lane,) = progress.take([entry(1)], at(1))
    progress.park(lane, "no", 0)
    lane.news = False
    progress.retried(lane, entry(1), 2)
    progress.take([entry(2)], at(2))
    assert not progress.caught_up(lane)
    lane.news = False
    assert progress.caught_up(lane)
    assert progress.cursor().parked == ()
    (again,) = progress.take([entry(3)], at(3))
    assert again is not lane


def test_it_begins_where_its_cursor_stands_with_what_is_parked() -> None:
    first = fresh()
    a, b = first.take([entry(1, "a"), entry(2, "b")], at(2))
    first.handled(a, 1)
    first.park(b, "no", 0)
    first.failed_again(b, "still no", 70)
    cursor = first.cursor()
    again = Progress(3, "reader", cursor, START)
    assert again.read == at(2)
    assert again.cursor() == cursor
    assert again.lanes["counter", "b"].state is LaneState.PARKED


def test_what_was_passed_is_what_a_crash_would_not_ask_for() -> None:
    progress = fresh()
    assert progress.passed(at(9)) == START
    progress.synced = True
    assert progress.passed(at(9)) == at(9)
    (lane,) = progress.take([entry(10)], at(10))
    assert progress.passed(at(10)) == START
    progress.handled(lane, 1)
    progress.rest(lane)
    assert progress.passed(at(10)) == START  # handled, and not written
    progress.wrote(progress.cursor())
    assert progress.passed(at(12)) == at(12)


Act = tuple[str, int]
acts = st.lists(
    st.tuples(st.sampled_from(["take", "handle", "park", "retry", "write"]), st.integers(0, 3)),
    max_size=60,
)


@given(acts)
def test_nothing_is_lost_and_order_is_kept_whatever_happens(script: list[Act]) -> None:
    """After a restart at any written cursor, what it does not cover is still to be handled."""
    progress, offset = fresh(), 0
    log: list[Entry] = []
    versions: dict[str, int] = {}
    handled: dict[str, list[int]] = {}
    for act, number in script:
        entity = f"e{number}"
        lane: Lane | None = progress.lanes.get(("counter", entity))
        if act == "take":
            offset += 1
            versions[entity] = versions.get(entity, 0) + 1
            log.append(entry(offset, entity, versions[entity]))
            progress.take([log[-1]], at(offset))
        elif lane is None:
            continue
        elif act == "handle" and lane.entries:
            handled.setdefault(entity, []).append(lane.entries[0].position.offset)
            progress.handled(lane, 1)
            progress.rest(lane)
        elif act == "park" and lane.entries:
            progress.park(lane, "no", 0)
        elif act == "retry" and lane.parked is not None:
            lane.news = False
            waits = [
                one
                for one in log
                if one.record.entity == entity and one.version > lane.parked.version
            ]
            for one in waits:
                handled.setdefault(entity, []).append(one.position.offset)
                progress.retried(lane, one, one.position.offset + 1)
            assert progress.caught_up(lane)
        _check(progress.cursor(), log, handled)


def _check(cursor: Cursor, log: list[Entry], handled: dict[str, list[int]]) -> None:
    parked = {one.entity: one.version for one in cursor.parked}
    for entity, offsets in handled.items():
        assert offsets == sorted(set(offsets)), f"{entity} in order, once"
    for one in log:
        entity, offset = one.record.entity, one.position.offset
        covered = offset <= cursor.offset and one.version <= parked.get(entity, one.version)
        if covered:
            assert offset in handled.get(entity, ()), f"{offset} of {entity} is lost"


def test_attempts_count_from_the_first_failure_of_an_entry() -> None:
    progress = fresh()
    (lane,) = progress.take([entry(1), entry(2)], at(2))
    progress.park(lane, "no", now_ms=50)
    assert progress.failed_again(lane, "no", 60, attempts=0).attempts == 1
    again = progress.failed_again(lane, "still no", 70)
    assert (again.attempts, again.since_ms, again.failure) == (2, 50, "still no")
    progress.retried(lane, entry(1), 2)
    other = progress.failed_again(lane, "another", 80)
    assert (other.attempts, other.since_ms, other.offset) == (1, 80, 2)


def test_what_is_behind_is_what_was_not_handled() -> None:
    progress = fresh()
    assert progress.behind(at(4)) == 4
    (lane,) = progress.take([entry(2)], at(4))
    progress.synced = True
    assert progress.behind(at(4)) == 4
    progress.handled(lane, 1)
    assert progress.behind(at(4)) == 0
    assert progress.behind(at(9)) == 0  # what came since is for others


def test_large_entries_weigh_more() -> None:
    record = Record(RecordKind.STATE, "counter", "a", 1, 0, bytes(10 * WEIGHT_BYTES))
    progress = fresh()
    (lane,) = progress.take([Entry(3, at(1), 1, record)], at(1))
    assert progress.weight == 11
    progress.take([entry(2)], at(2))
    assert progress.weight == 12
    progress.handled(lane, 2)
    assert progress.weight == 0
