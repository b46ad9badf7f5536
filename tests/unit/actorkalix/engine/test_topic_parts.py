"""Messages for one partition that travel as one."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.engine.topic import (
    PUBLISH,
    TOPIC,
    Published,
    TopicBehavior,
    TopicMessage,
    publish_order,
    read_published,
)
from actorkalix.engine.topic_parts import PUBLISH_ALL, Part, apart, parts_of, together
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import Around, BehaviorError, part_keys
from actorkalix_cluster.shardhost.messages import SEVERAL, Message
from actorkalix_storage.api import Record

NOW_MS = 1_700_000_000_000
behavior = TopicBehavior(Limits())


def order(id: str = "", data: bytes = b"x") -> Message:
    made = TopicMessage("T", "s", id, "here", "text/plain", (), data)
    return publish_order("orders", made, 1, "cid-1")


def number_of(refused: pytest.ExceptionInfo[BehaviorError]) -> str:
    failure = refused.value.reply.failure
    assert failure is not None
    return failure.number


def test_they_are_published_as_if_each_had_come_alone() -> None:
    orders = [order("m1"), order(data=b"y"), order("m2", b"z")]
    one_by_one = behavior.empty("orders/0")
    records: list[Record] = []
    for each in orders:
        step = behavior.step(one_by_one, each, NOW_MS)
        one_by_one = step.instance
        records += step.records
    message = together(orders)
    assert (message.component, message.entity, message.key) == (TOPIC, "orders/0", SEVERAL)
    assert message.correlation_id == "cid-1"
    step = behavior.step(behavior.empty("orders/0"), message, NOW_MS)
    assert list(step.records) == records
    assert step.instance == one_by_one
    replies = [read_published(one) for one in apart(step.reply.payload, 3)]
    assert replies == [Published(0, 1), Published(0, 2), Published(0, 3)]


def test_their_ids_are_keys() -> None:
    orders = [order("m1"), order(), order("m2")]
    message = together(orders)
    keys = (behavior.key_hash(orders[0]), behavior.key_hash(orders[2]))
    assert part_keys(behavior, message) == keys
    assert part_keys(Around(behavior), message) == keys
    assert part_keys(behavior, order("m1")) == ()
    assert [part.key for part in parts_of(message)] == ["m1", "", "m2"]


def test_two_of_one_id_are_refused() -> None:
    with pytest.raises(BehaviorError) as refused:
        part_keys(behavior, together([order("m1"), order("m1")]))
    assert number_of(refused) == "AK2002"


@pytest.mark.parametrize(
    "payload, number",
    [
        (b"\xc1", "AK2002"),
        (msgspec.msgpack.encode([]), "AK2002"),
        (msgspec.msgpack.encode([Part("", b"\x90")]), "AK2002"),
        (msgspec.msgpack.encode([Part("", b"x" * 1_000_001)]), "AK2006"),
    ],
)
def test_what_is_no_list_of_messages(payload: bytes, number: str) -> None:
    message = msgspec.structs.replace(order(), method=PUBLISH_ALL, payload=payload)
    assert message.method != PUBLISH
    with pytest.raises(BehaviorError) as refused:
        behavior.step(behavior.empty("orders/0"), message, NOW_MS)
    assert number_of(refused) == number
