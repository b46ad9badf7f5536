"""Taking messages of a stream into a partition: once, in order, whoever brings them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix import Limits
from actorkalix.engine.taking import (
    Mark,
    Take,
    TakenMessage,
    mark_of,
    marks_with,
    read_mark,
    read_take,
    take_order,
)
from actorkalix.engine.topic import Partition, TopicBehavior, read_message
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_storage.api import Head, History, Position, StoredRecord

ENTITY = "~shop:sales/3"
BEHAVIOR = TopicBehavior(Limits())


def _made(lane: int, number: int) -> TakenMessage:
    mark = Mark(lane, number, 1, 1, 10 * number)
    return TakenMessage("Sold", f"s{lane}", "", "shop", "text/plain", (), b"%d" % number, mark)


def _mark(lane: int, number: int) -> Mark | None:
    return _made(lane, number).mark if number else None


def _take(partition: Partition, lane: int, before: int, last: int) -> tuple[Partition, list[int]]:
    take = Take(
        lane, _mark(lane, before), tuple(_made(lane, n) for n in range(before + 1, last + 1))
    )
    step = BEHAVIOR.step(partition, take_order(ENTITY, take), 1_000)
    assert step.reply.failure is None
    now = next((one for one in step.instance.size.marks if one.lane == lane), None)
    assert read_mark(step.reply.payload) == now
    return step.instance, [int(read_message(one.payload).data) for one in step.records]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 4)), max_size=30))
def test_every_message_of_a_lane_is_taken_once_and_in_order(
    takes: list[tuple[int, int, int]],
) -> None:
    partition = Partition(ENTITY)
    taken: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for lane, before, count in takes:
        stands = len(taken[lane])
        partition, numbers = _take(partition, lane, before, before + count)
        assert (numbers != []) == (before == stands)
        taken[lane] += numbers
    for numbers in taken.values():
        assert numbers == list(range(1, len(numbers) + 1))
    assert partition.size.number == sum(map(len, taken.values()))
    assert {one.lane: one.number for one in partition.size.marks} == {
        lane: len(numbers) for lane, numbers in taken.items() if numbers
    }


def test_marks_are_read_back_from_records_and_snapshots() -> None:
    partition, _ = _take(Partition(ENTITY), 3, 0, 2)
    snapshot = BEHAVIOR.snapshot(partition)
    take = Take(7, None, (_made(7, 1),))
    step = BEHAVIOR.step(partition, take_order(ENTITY, take), 1_000)
    (record,) = step.records
    stored = StoredRecord(0, Position(1, 1, 3), (1, 2), 3, 1, record)
    head = Head(version=3, number=3, incarnation=1, epoch=1, offset=3)
    history = History(head, snapshot, (stored,))
    assert BEHAVIOR.restore(ENTITY, history).size == step.instance.size


def test_what_is_published_by_hand_has_no_mark() -> None:
    payload = msgspec.msgpack.encode(_made(1, 2))
    assert mark_of(ENTITY, payload) == _mark(1, 2)
    assert mark_of("orders/3", payload) is None
    assert mark_of("~sales/3", payload) is None, "that one is offered here"
    assert mark_of(ENTITY, b"") is None
    assert mark_of(ENTITY, b"\xc1") is None
    marks = marks_with((), _mark(1, 2))
    assert marks_with(marks, None) == marks
    assert marks_with(marks, _mark(1, 3)) == (_mark(1, 3),)


def test_nothing_of_that_is_refused() -> None:
    order = take_order(ENTITY, Take(0, None, ()))
    assert read_take(order.payload) == Take(0, None, ())
    wrong = msgspec.structs.replace(order, payload=b"\xc1")
    with pytest.raises(BehaviorError, match="nothing that can be taken"):
        BEHAVIOR.step(Partition(ENTITY), wrong, 1)
