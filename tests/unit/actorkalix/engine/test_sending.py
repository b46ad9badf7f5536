"""Queues of calls: a record for each, in order per target, once under a key."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.engine.sending import (
    QUEUES,
    SENDING,
    SNAPSHOT_MESSAGES,
    Queue,
    SendingBehavior,
    send_order,
)
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import unpack_messages
from actorkalix_storage.api import Head, History, RecordKind, Snapshot


def call(entity: str = "c1", key: str = "", payload: bytes = b"") -> Message:
    return Message(
        *(MessageKind.COMMAND, "cart", entity, "add", payload, Encoding.MSGPACK, Encoding.JSON),
        key=key,
        correlation_id="cid",
        deadline_ms=99,
        depth=2,
    )


BEHAVIOR = SendingBehavior(Limits())


def test_an_order_names_the_queue_of_its_target_and_carries_the_call() -> None:
    order = send_order(call())
    assert order.component == SENDING
    assert 0 <= int(order.entity) < QUEUES
    assert order.entity == send_order(call(payload=b"x")).entity
    assert len({send_order(call(f"c{at}")).entity for at in range(1_000)}) == QUEUES
    assert (order.correlation_id, order.deadline_ms, order.depth) == ("cid", 99, 2)
    (queued,) = unpack_messages(order.payload)
    assert (queued.component, queued.entity, queued.method) == ("cart", "c1", "add")


def test_a_key_counts_for_its_target() -> None:
    assert send_order(call()).key == ""
    keys = {send_order(call(entity, "k")).key for entity in ("c1", "c2")}
    assert len(keys) == 2
    assert unpack_messages(send_order(call(key="k")).payload)[0].key == "k"


def test_each_call_is_a_record() -> None:
    queue = BEHAVIOR.empty("5")
    for number in range(1, 4):
        order = send_order(call(key=f"k{number}"))
        step = BEHAVIOR.step(queue, order, 7)
        (record,) = step.records
        assert (record.kind, record.number, record.time_ms) == (RecordKind.OUTBOX, 0, 7)
        assert record.key == BEHAVIOR.key_hash(order)
        assert not step.snapshot_due
        queue = step.instance
    assert BEHAVIOR.version(queue) == 3
    assert BEHAVIOR.step(queue, send_order(call()), 7).records[0].key == b""
    assert BEHAVIOR.remembered(send_order(call()), b"").replayed


def test_a_snapshot_is_due_now_and_then_and_brings_it_back() -> None:
    queue, due = BEHAVIOR.empty("5"), 0
    for _ in range(2 * SNAPSHOT_MESSAGES):
        step = BEHAVIOR.step(queue, send_order(call()), 7)
        queue, due = step.instance, due + step.snapshot_due
    assert due == 2
    snapshot = msgspec.structs.replace(BEHAVIOR.snapshot(queue), incarnation=4, offset=9)
    head = Head(queue.version + 3, 0, 4, 1, 12)
    restored = BEHAVIOR.restore("5", History(head, snapshot, ()))
    assert restored == Queue("5", queue.version + 3, 4, queue.version)
    assert BEHAVIOR.restore("5", History(head, None, ())).folded == 0
    assert isinstance(snapshot, Snapshot)


def test_other_messages() -> None:
    queue = BEHAVIOR.empty("5")
    for kind in (MessageKind.EXPIRE, MessageKind.CLEAN):
        assert BEHAVIOR.step(queue, Message(kind, SENDING, "5"), 7).records == ()
    wrong = {
        "AK2003": msgspec.structs.replace(send_order(call()), method="look"),
        "AK2002": msgspec.structs.replace(send_order(call()), payload=b"\x91\x01"),
        "AK2006": send_order(call(payload=bytes(Limits().command_bytes_max))),
    }
    for number, message in wrong.items():
        with pytest.raises(BehaviorError) as caught:
            BEHAVIOR.step(queue, message, 7)
        assert caught.value.reply.failure is not None
        assert caught.value.reply.failure.number == number
