"""What is trimmed goes from the log: messages at once, ids when nobody asks for them any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix_storage.lmdbstore import Options
from actorkalix_storage.testing.harness import START_MS, event, state, trimmed, write
from tests.unit.storage.lmdbstore.compacting import (
    ALWAYS,
    HOUR_MS,
    KEY,
    compacted,
    log_rows,
    opened,
    rest,
    sound,
)


def test_trimmed_events_go_and_others_stay(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    offsets = [write(store, event(n, b"%d" % n)).position.offset for n in range(1, 7)]
    write(store, event(1, entity="other"))
    write(store, trimmed(6, offsets[2]))
    compacted(store)
    assert [s.record.number for s in store.history(0, "cart", "a")] == [4, 5, 6, 6]
    assert len(store.history(0, "cart", "other")) == 1
    write(store, trimmed(6, offsets[5] + 2))
    write(store, event(7, b"7"))
    compacted(store)
    assert [s.record.number for s in store.history(0, "cart", "a")] == [6, 7]
    store.close()
    sound(tmp_path)
    store = opened(tmp_path, ALWAYS)
    history = store.load(0, "cart", "a")
    assert history is not None
    assert (history.head.number, history.records[-1].record.payload) == (7, b"7")
    write(store, event(8))
    store.close()


def test_an_id_outlives_its_message(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    write(store, event(1, b"1"))
    write(store, event(2, b"x" * 10_000, key=KEY, reply=b"stands at 2"))
    last = write(store, event(3, b"y" * 10_000)).position.offset
    write(store, event(4, b"4"))
    write(store, trimmed(4, last))
    before = sum(log_rows(store).values())
    compacted(store)
    assert sum(log_rows(store).values()) < before - 19_000
    assert [(s.record.number, s.record.payload) for s in store.history(0, "cart", "a")[:3]] == [
        (2, b""),
        (3, b""),
        (4, b"4"),
    ]
    remembered = store.remembered(0, "cart", "a", KEY)
    assert remembered is not None
    assert remembered.record.reply == b"stands at 2"
    store.close()
    sound(tmp_path)
    store = opened(tmp_path, ALWAYS)
    later = START_MS + 26 * HOUR_MS
    rest(store, later)
    compacted(store, later)
    assert [s.record.number for s in store.history(0, "cart", "a")] == [4, 4]
    assert store.remembered(0, "cart", "a", KEY) is None
    store.close()
    sound(tmp_path)


def test_a_pass_begins_when_enough_is_trimmed(tmp_path: Path) -> None:
    store = opened(tmp_path, Options(check=False, checkpoint_records=1, compact_bytes=1_000))
    store.open_shards([0], START_MS)
    for n in range(1, 21):
        write(store, event(n, b"x" * 200))
    offset = store.durable(0).offset
    rest(store)
    assert store.reclaimed.passes == 0
    write(store, trimmed(20, offset, size=20 * 300))
    rest(store)
    rest(store)
    assert store.reclaimed.passes == 1
    assert sum(log_rows(store).values()) < 1_000
    store.close()
    sound(tmp_path)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["event", "keyed", "trim", "state", "compact"]), max_size=30))
def test_what_is_left_is_the_end_of_what_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("trim")
    store = opened(path, ALWAYS)
    store.open_shards([0], START_MS)
    events: list[int] = []
    through = states = 0
    for at, step in enumerate(steps):
        number = len(events) + 1
        if step == "trim" and events:
            through = max(through, events[at % len(events)])
            write(store, trimmed(len(events), through))
        elif step == "state":
            states += 1
            write(store, state(states, b"s", entity="beside"))
        elif step == "compact":
            compacted(store)
        elif step in ("event", "keyed"):
            key = at.to_bytes(16, "big") if step == "keyed" else b""
            events.append(write(store, event(number, b"%d" % number, key=key)).position.offset)
    compacted(store)
    left = {
        s.record.number: s.record.payload
        for s in store.history(0, "cart", "a", limit=100)
        if s.record.kind.name == "EVENT"
    }
    kept = {n: b"%d" % n for n, offset in enumerate(events, 1) if offset > through}
    assert {n: payload for n, payload in left.items() if payload} == kept
    for at, step in enumerate(steps):
        if step == "keyed":
            assert store.remembered(0, "cart", "a", at.to_bytes(16, "big")) is not None
    store.close()
    sound(path)


def test_a_trimmed_subject_moves_to_another_store(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "0", ALWAYS), opened(tmp_path / "1", ALWAYS, number=1)
    one.open_shards([0], START_MS)
    offsets = [write(one, event(n, b"%d" % n)).position.offset for n in range(1, 5)]
    keyed = write(one, event(5, b"x" * 500, key=KEY, reply=b"5")).position.offset
    write(one, event(6, b"6"))
    write(one, trimmed(6, keyed))
    compacted(one)
    epoch = one.shard(0).position.epoch
    source, after = one.seal(0, epoch), 0
    while page := one.export(0, after):
        after = other.receive(0, source, page)
    assert other.head(0, "cart", "a") == one.head(0, "cart", "a")
    left = [(s.record.number, s.record.payload[:1]) for s in other.history(0, "cart", "a")]
    assert left == [(5, b""), (6, b"6"), (6, left[-1][1])]
    assert other.remembered(0, "cart", "a", KEY) is not None
    other.open_shards([0], START_MS)
    write(other, event(7, b"7"))
    compacted(other)
    assert len(offsets) == 4
    for store in (one, other):
        store.close()
    sound(tmp_path / "0")
    sound(tmp_path / "1")
