"""The behavior of a topic's partition, by cases and against a list."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.engine.topic import (
    SNAPSHOT_BYTES,
    SNAPSHOT_MESSAGES,
    TOPIC,
    Partition,
    Published,
    Size,
    TopicBehavior,
    TopicMessage,
    Trim,
    partition_id,
    partition_of,
    place_of,
    publish_order,
    read_message,
    read_published,
    read_size,
    size_question,
    trim_order,
)
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import BehaviorError, Step
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_storage.api import Append, Appended, RecordKind, Snapshot, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore

NOW_MS = 1_700_000_000_000
behavior = TopicBehavior(Limits())


def made(data: bytes = b"x", subject: str = "s", id: str = "") -> TopicMessage:
    return TopicMessage("T", subject, id, "here", "text/plain", (("a", "b"),), data)


class Player:
    """A partition over a store, which may begin anew at any time."""

    def __init__(self) -> None:
        self.store = MemoryStore(StoreIdentity("0" * 32, "t", 0, 1, lineage=1))
        self.epoch = self.store.open_shards([0], NOW_MS)[0]
        self.instance = behavior.empty("orders/0")
        self.snapshots = 0

    def publish(self, message: TopicMessage) -> Published:
        order = msgspec.structs.replace(publish_order("orders", message, 1), entity="orders/0")
        if order.key:
            found = self.store.remembered(0, TOPIC, "orders/0", behavior.key_hash(order))
            if found is not None:
                reply = behavior.remembered(order, found.record.reply)
                assert reply.replayed
                return read_published(reply.payload)
        step = behavior.step(self.instance, order, NOW_MS)
        self._append(step)
        return read_published(step.reply.payload)

    def _append(self, step: Step[Partition]) -> None:
        append = Append(0, self.epoch, behavior.version(self.instance), step.records)
        (outcome,) = self.store.commit([append])
        assert isinstance(outcome, Appended)
        self.instance = step.instance
        if step.snapshot_due:
            taken = behavior.snapshot(step.instance)
            head = self.store.load(0, TOPIC, "orders/0")
            assert head is not None
            place = Snapshot(head.head.incarnation, taken.number, head.head.offset, taken.payload)
            self.store.put_snapshot(0, TOPIC, "orders/0", place)
            self.snapshots += 1

    def restart(self) -> int:
        """Load it; how many records that took."""
        history = self.store.load(0, TOPIC, "orders/0")
        if history is None:
            self.instance = behavior.empty("orders/0")
            return 0
        self.instance = behavior.restore("orders/0", history)
        return len(history.records)


def test_messages_are_records() -> None:
    step = behavior.step(behavior.empty("orders/3"), publish_order("orders", made(), 1), NOW_MS)
    (record,) = step.records
    assert (record.kind, record.component, record.entity) == (RecordKind.EVENT, TOPIC, "orders/3")
    assert (record.number, record.time_ms, record.key, record.reply) == (1, NOW_MS, b"", b"")
    assert read_message(record.payload) == made()
    assert read_published(step.reply.payload) == Published(3, 1)


def test_an_id_is_remembered() -> None:
    player = Player()
    assert player.publish(made(id="m1")) == Published(0, 1)
    assert player.publish(made(b"another", id="m1")) == Published(0, 1)
    assert player.publish(made()) == Published(0, 2)
    assert player.publish(made()) == Published(0, 3)


def test_a_load_reads_back_to_the_newest_snapshot() -> None:
    player = Player()
    for _ in range(SNAPSHOT_MESSAGES * 2 + 5):
        player.publish(made())
    assert player.snapshots == 2
    before = player.instance
    assert player.restart() == 5
    assert msgspec.structs.replace(player.instance, incarnation=0) == before
    assert read_size(_answer(player.instance, size_question("orders", 0))) == before.size


def test_large_messages_bring_a_snapshot_sooner() -> None:
    player = Player()
    size = Limits().event_bytes_max - 100
    for _ in range(1 + SNAPSHOT_BYTES // size):
        player.publish(made(b"x" * size))
    assert player.snapshots == 1


def _answer(instance: Partition, message: Message) -> bytes:
    step = behavior.step(instance, message, NOW_MS)
    assert (step.instance, step.records) == (instance, ())
    return step.reply.payload


def test_what_changes_nothing() -> None:
    empty = behavior.empty("orders/0")
    for kind in (MessageKind.EXPIRE, MessageKind.CLEAN):
        assert _answer(empty, Message(kind, TOPIC, "orders/0")) == b""


@pytest.mark.parametrize(
    "method, payload, number",
    [
        ("publish", b"\x90", "AK2002"),
        ("publish", b"x" * 1_000_001, "AK2006"),
        ("forget", b"", "AK2003"),
    ],
)
def test_refusals(method: str, payload: bytes, number: str) -> None:
    message = Message(
        *(MessageKind.COMMAND, TOPIC, "orders/0", method, payload, Encoding.MSGPACK),
    )
    with pytest.raises(BehaviorError) as caught:
        behavior.step(behavior.empty("orders/0"), message, NOW_MS)
    assert caught.value.reply.failure is not None
    assert caught.value.reply.failure.number == number


def test_partitions() -> None:
    assert place_of(partition_id("a", 12)) == ("a", 12)
    assert place_of("odd") == ("", 0)
    by_subject = {partition_of("a", made(b"%d" % n), b"%d" % n, 16) for n in range(9)}
    assert len(by_subject) == 1
    spread = {partition_of("a", made(subject=""), b"%d" % n, 16) for n in range(200)}
    assert spread == {partition_id("a", number) for number in range(16)}
    again = {partition_of("a", made(b"%d" % n, "", "m1"), b"%d" % n, 16) for n in range(9)}
    assert len(again) == 1, "an id that comes again has to meet itself"


_IDS = st.sampled_from(["", "", "m1", "m2", "m3"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_IDS, st.binary(max_size=20), st.booleans()), min_size=1, max_size=40))
def test_a_partition_is_a_list_without_what_came_twice(
    told: list[tuple[str, bytes, bool]],
) -> None:
    player, model, places = Player(), list[bytes](), dict[str, int]()
    for name, data, restart in told:
        if restart:
            player.restart()
        at = player.publish(made(data, id=name))
        expected = places.get(name)
        if expected is None:
            model.append(data)
            expected = len(model)
        if name:
            places[name] = expected
        assert at == Published(0, expected)
    stored = player.store.history(0, TOPIC, "orders/0", after=0, limit=1_000)
    assert [read_message(one.record.payload).data for one in stored] == model
    assert [one.record.number for one in stored] == list(range(1, len(model) + 1))


def _trim(player: Player, number: int) -> None:
    """Drop messages up to one, as retention does."""
    stored = player.store.history(0, TOPIC, "orders/0", limit=1_000)
    gone = [s for s in stored if s.record.kind is RecordKind.EVENT and s.record.number <= number]
    before = player.instance.size.dropped
    size = sum(len(s.record.payload) for s in gone if s.record.number > before)
    order = trim_order("orders/0", Trim(number, gone[-1].position.offset, size))
    player._append(behavior.step(player.instance, order, NOW_MS))


def test_what_is_dropped_is_known_after_a_load() -> None:
    for snapshots in (True, False):
        player = Player()
        for _ in range(5):
            player.publish(made(b"x" * 100))
        _trim(player, 2)
        player.publish(made())
        if not snapshots:
            player.store._snapshots.clear()
        before = player.instance.size
        player.restart()
        assert player.instance.size == before
        assert (before.number, before.dropped) == (6, 2)
        assert before.bytes > 5 * before.dropped_bytes / 2
        _trim(player, 6)
        assert player.instance.size.bytes == player.instance.size.dropped_bytes


def test_nothing_is_dropped_twice_or_ahead() -> None:
    player = Player()
    player.publish(made())
    player.publish(made())
    _trim(player, 1)
    size = player.instance.size
    again = trim_order("orders/0", Trim(1, size.dropped_offset, 9))
    assert behavior.step(player.instance, again, NOW_MS).records == ()
    for trim in (Trim(3, 99, 1), Trim(2, size.dropped_offset, 1)):
        with pytest.raises(BehaviorError):
            behavior.step(player.instance, trim_order("orders/0", trim), NOW_MS)
    broken = msgspec.structs.replace(again, payload=b"\x90")
    with pytest.raises(BehaviorError):
        behavior.step(player.instance, broken, NOW_MS)


def test_a_snapshot_of_before_retention_is_read() -> None:
    player = Player()
    for _ in range(3):
        player.publish(made())
    head = player.store.load(0, TOPIC, "orders/0")
    assert head is not None
    old = Snapshot(head.head.incarnation, 3, head.head.offset, msgspec.msgpack.encode(3))
    player.store.put_snapshot(0, TOPIC, "orders/0", old)
    player.restart()
    assert player.instance.size == Size(3)
