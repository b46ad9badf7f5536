"""Reclaiming in the log: what goes, and what stays."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from actorkalix_storage.api import Append, Appended, Record, RecordKind
from actorkalix_storage.api.keys import KeyKind
from actorkalix_storage.memorystore import MemoryStore
from actorkalix_storage.testing.harness import (
    START_MS,
    cleaned,
    deleted,
    event,
    reply,
    state,
    write,
)
from tests.unit.storage.lmdbstore.compacting import (
    ALWAYS,
    HOUR_MS,
    KEY,
    TINY,
    compacted,
    count_of,
    log_rows,
    opened,
    rest,
    sound,
)


def test_the_log_of_value_entities_is_bounded_however_often_they_change(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.open_shards(range(4), START_MS)
    sizes: list[int] = []
    for n in range(1, 1_001):
        appends = [
            Append(s, 1, n - 1, (state(n, b"%d" % n * 10, entity=f"e{s}"),)) for s in range(4)
        ]
        assert all(isinstance(outcome, Appended) for outcome in store.commit(appends))
        store.maintain(START_MS)
        store.maintain(START_MS)
        if n % 100 == 0:
            rest(store)
            sizes.append(sum(log_rows(store).values()))
    written = 4_000 * 140
    assert max(sizes) < written / 8, sizes
    assert store.reclaimed.bytes > written / 2
    assert count_of(store, KeyKind.HOLE) < 50
    store.close()
    sound(tmp_path)
    store = opened(tmp_path)
    for s in range(4):
        history = store.load(s, "cart", f"e{s}")
        assert history is not None
        assert (history.head.version, history.records[0].record.payload) == (1000, b"1000" * 10)
        assert store.history(s, "cart", f"e{s}", limit=2000)[-1].version == 1000
    store.close()


def test_only_what_is_superseded_goes(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    for n in range(1, 6):
        write(store, state(n, b"old", entity="value"))
        write(store, event(n, entity="events"))
    write(store, reply(5, KEY, b"answer", entity="events"))
    write(store, reply(5, KEY, b"answer", entity="value"))
    write(store, state(6, b"newest", entity="value"))
    write(store, state(1, b"gone", entity="deleted"))
    write(store, state(2, b"last", entity="deleted"))
    write(store, deleted(2, entity="deleted"))
    compacted(store)
    left = [(s.record.entity, s.record.kind.name, s.version) for s in store.records(0, 0)]
    assert left == [
        ("", "EPOCH", 0),
        *(("events", "EVENT", n) for n in range(1, 6)),
        ("events", "REPLY", 6),
        ("value", "REPLY", 6),
        ("value", "STATE", 7),
        ("deleted", "STATE", 2),
        ("deleted", "DELETED", 3),
    ]
    assert [s.version for s in store.history(0, "cart", "value")] == [6, 7]
    remembered = store.remembered(0, "cart", "value", KEY)
    assert remembered is not None
    assert remembered.record.reply == b"answer"
    later = START_MS + 26 * HOUR_MS
    rest(store, later)
    compacted(store, later)
    assert [s.version for s in store.history(0, "cart", "value")] == [7]
    assert store.remembered(0, "cart", "value", KEY) is None
    store.close()
    sound(tmp_path)


def test_a_younger_record_does_not_go_before_one_whose_key_counts(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    write(store, state(1, b"1"))
    write(store, Record(RecordKind.STATE, "cart", "a", 2, START_MS, b"2", KEY, b"reply"))
    for n in range(3, 6):
        write(store, state(n, b"%d" % n))
    compacted(store)
    assert [s.version for s in store.history(0, "cart", "a")] == [2, 3, 4, 5]
    hours = store._estimate.stale
    assert set(hours) == {START_MS // HOUR_MS}
    later = START_MS + 26 * HOUR_MS
    rest(store, later)
    assert [s.version for s in store.history(0, "cart", "a")] == [5], "the hour has begun a pass"
    store.close()
    sound(tmp_path)


def test_an_event_is_never_passed(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    write(store, state(1, b"1"))
    write(store, event(2))
    for n in range(3, 6):
        write(store, state(n, b"%d" % n))
    compacted(store)
    assert [s.version for s in store.history(0, "cart", "a")] == [2, 3, 4, 5]
    store.close()
    sound(tmp_path)


def test_a_cleaned_entity_leaves_nothing_also_where_its_beginning_was_reclaimed(
    tmp_path: Path,
) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    for n in range(1, 6):
        write(store, state(n, b"old"))
    compacted(store)
    write(store, deleted(5))
    write(store, cleaned(5))
    compacted(store)
    assert count_of(store, KeyKind.RECLAIM) == 0
    compacted(store)
    assert [s.record.kind.name for s in store.records(0, 0)] == ["EPOCH"]
    assert store.durable(0).offset == 8
    assert store.parting(0, store.durable(0)) == store.durable(0)
    store.close()
    sound(tmp_path)
    store = opened(tmp_path, ALWAYS)
    write(store, state(1, b"anew"), epoch=1)
    store.checkpoint()
    assert [s.position.offset for s in store.records(0, 0)] == [1, 9]
    store.close()
    sound(tmp_path)


def test_an_id_that_begins_anew_owes_nothing_to_its_reclaimed_life(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    for n in range(1, 4):
        write(store, state(n, b"old"))
    compacted(store)
    write(store, cleaned(3))
    write(store, reply(0, KEY, b"answer"))
    store.close()
    sound(tmp_path)


def test_rows_of_many_frames_shrink_and_those_of_none_are_deleted(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards(range(4), START_MS)
    for n in range(1, 4):
        store.commit(
            [
                Append(0, 1, n - 1, (event(n, b"kept", entity="events"),)),
                Append(1, 1, n - 1, (state(n, b"x" * 1000, entity="value"),)),
                Append(2, 1, n - 1, (state(n, b"y" * 1000, entity="other"),)),
            ]
        )
    for n in range(4, 8):
        store.commit([Append(1, 1, n - 1, (state(n, b"z" * 1000, entity="value"),))])
    compacted(store)
    sizes = list(log_rows(store).values())
    assert len(sizes) == 1 + 3 + 1  # epochs, three with an event, the one at the mark
    assert max(sizes[1:3]) < 200, "one event, nothing of the states"
    assert [len(store.records(s, 0)) for s in range(3)] == [4, 2, 2]
    store.close()
    sound(tmp_path)


def test_a_moved_shard_has_its_holes_where_it_comes(tmp_path: Path) -> None:
    store, target = opened(tmp_path / "0", ALWAYS), opened(tmp_path / "1", ALWAYS, 1)
    store.open_shards([0], START_MS)
    for n in range(1, 300):
        write(store, state(n, b"old"))
        if n % 100 == 0:
            write(store, event(n // 100, entity="b"))
    compacted(store)
    copy = MemoryStore(target.identity)
    source, after = store.durable(0), 0
    while page := store.export(0, after, 1):
        copy.receive(0, source, page)
        after = target.receive(0, source, page)
    for each in (target, copy):
        assert each.records(0, 0) == store.records(0, 0)
        assert each.load(0, "cart", "a") == store.load(0, "cart", "a")
        assert each.history(0, "cart", "a") == store.history(0, "cart", "a")
    epoch = target.open_shards([0], START_MS)[0]
    for n in range(300, 400):
        write(target, state(n, b"there"), epoch=epoch)
    target.abandon()
    target = opened(tmp_path / "1", ALWAYS, 1)
    compacted(target)
    assert [s.version for s in target.history(0, "cart", "a")] == [399]
    store.drop(0)
    rest(store)
    compacted(store)
    assert count_of(store, KeyKind.HOLE) == 1, "that of the store's log"
    store.close()
    target.close()
    sound(tmp_path / "0")
    sound(tmp_path / "1")


def test_a_pass_waits_for_the_checkpoint_that_lets_it_reclaim_something(tmp_path: Path) -> None:
    store = opened(tmp_path, replace(TINY, checkpoint_records=10_000))
    store.open_shards([0], START_MS)
    for n in range(1, 100):
        write(store, state(n, b"x" * 100))
        store.maintain(START_MS)
    assert store.reclaimed.passes == 0
    store.close()
    store = opened(tmp_path)
    rest(store)
    assert (store.reclaimed.passes, store.reclaimed.frames) == (1, 98), "not that at the mark"
    store.close()
    sound(tmp_path)
