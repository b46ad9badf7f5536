"""Reclaiming in the log between crashes, full disks and readers: nothing is lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from msgspec.structs import replace

from actorkalix_storage.api import Position, Record, RecordKind
from actorkalix_storage.api.keys import STORE_LOG, hole_key
from actorkalix_storage.lmdbstore.check import check_folder
from actorkalix_storage.lmdbstore.child import Check
from actorkalix_storage.lmdbstore.estimate import NOW
from actorkalix_storage.lmdbstore.rows import Hole, pack_hole
from actorkalix_storage.testing.harness import (
    START_MS,
    event,
    state,
    write,
)
from tests.unit.storage.lmdbstore.compacting import (
    ALWAYS,
    compacted,
    opened,
    rest,
    sound,
)


@pytest.mark.parametrize("step", range(1, 13))
def test_a_crash_after_any_slice_loses_nothing(tmp_path: Path, step: int) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards(range(4), START_MS)
    for n in range(1, 30):
        for s in range(4):
            write(store, state(n, b"%d" % n, entity="v"), shard=s)
            write(store, event(n, entity="e"), shard=s)
    store.checkpoint()
    store._estimate.add(NOW, 1)
    for _ in range(step):
        store.maintain(START_MS)
    for s in range(4):
        write(store, state(30, b"30", entity="v"), shard=s)
    store.abandon()
    sound(tmp_path)
    store = opened(tmp_path, ALWAYS)
    for s in range(4):
        history = store.load(s, "cart", "v")
        assert history is not None
        assert history.records[0].record.payload == b"30"
        assert [r.version for r in store.history(s, "cart", "e", limit=99)] == [*range(1, 30)]
    compacted(store)
    assert all(len(store.records(s, 0)) == 31 for s in range(4))
    store.close()
    sound(tmp_path)


@pytest.mark.parametrize("failing", range(1, 8))
def test_a_slice_that_finds_no_space_is_done_again(tmp_path: Path, failing: int) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    for n in range(1, 60):
        write(store, state(n, b"%d" % n))
    store.checkpoint()
    store._estimate.add(NOW, 1)
    environment, commits = store._environment, [0]

    def commit(transaction: lmdb.Transaction[bytes]) -> None:
        commits[0] += 1
        if commits[0] == failing:
            transaction.abort()
            raise lmdb.MapFullError("no space")
        transaction.commit()

    vars(environment)["commit"] = commit
    rest(store)
    vars(environment).pop("commit")
    sound_beside = store.load(0, "cart", "a")
    assert sound_beside is not None
    rest(store)
    compacted(store)
    assert [s.version for s in store.history(0, "cart", "a")] == [59]
    store.close()
    sound(tmp_path)


def test_a_reader_with_generations_of_before_finds_a_hole(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    for n in range(1, 10):
        write(store, state(n, b"%d" % n))
    view = store._source()
    compacted(store)
    with view:
        assert view.at(0, 3) is None
        assert view.gap_end(0, 3) == 9
        assert view.place(0, 3) == Position(77, 1, 3)
        newest = view.at(0, 10)
        assert newest is not None
        assert newest.record.payload == b"9"
    store.close()


def test_a_hole_that_covers_too_much_or_is_missing_is_found(tmp_path: Path) -> None:
    store = opened(tmp_path, ALWAYS)
    store.open_shards([0], START_MS)
    for n in range(1, 10):
        write(store, state(n, b"%d" % n))
        write(store, event(n, entity="e"))
    compacted(store)
    environment = store._environment
    first = 2
    for wrong in (
        (hole_key(0, first), pack_hole(0, Hole(first, Position(77, 1, 3)))),
        (hole_key(0, first), b""),
        (hole_key(STORE_LOG, 2), b""),
        (hole_key(0, 19), pack_hole(0, Hole(19, Position(77, 1, 19)))),
    ):
        with environment.write() as rows:
            was = rows.get(wrong[0])
            rows.put(*wrong) if wrong[1] else rows.delete(wrong[0])
        store.abandon()
        findings = check_folder(tmp_path, Check.FULL)
        assert not findings.ok, wrong
        store = opened(tmp_path, ALWAYS)
        with store._environment.write() as rows:
            rows.put(wrong[0], was) if was is not None else rows.delete(wrong[0])
        environment = store._environment
    store.close()
    sound(tmp_path)


def test_readers_beside_it_see_newest_states_and_all_events(tmp_path: Path) -> None:
    options = replace(ALWAYS, checkpoint_records=20, slice_rows=7, segment_frames=30)
    store = opened(tmp_path, options)
    store.open_shards([0], START_MS)
    rounds, done, wrong = 120, threading.Event(), list[str]()

    def read(ask: Callable[[], tuple[int, bool]]) -> None:
        seen = 0
        while not done.is_set():
            newest, is_right = ask()
            if newest < seen or not is_right:
                wrong.append(f"{ask.__name__}: {newest} after {seen}, {is_right}")
            seen = newest

    def load() -> tuple[int, bool]:
        history = store.load(0, "cart", "v")
        if history is None:
            return 0, True
        return history.head.version, history.records[0].version == history.head.version

    def history() -> tuple[int, bool]:
        versions = [s.version for s in store.history(0, "cart", "v", limit=2 * rounds)]
        newest = versions[-1] if versions else 0
        return newest, versions == [*range(newest - len(versions) + 1, newest + 1)]

    def records() -> tuple[int, bool]:
        return of_events([s.record for s in store.records(0, 0, limit=4 * rounds)])

    def export() -> tuple[int, bool]:
        page = store.export(0, 0, 4 * rounds)
        return of_events([s.record for s in page.records] if page else [])

    def of_events(found: list[Record]) -> tuple[int, bool]:
        numbers = [record.number for record in found if record.kind is RecordKind.EVENT]
        return len(numbers), numbers == [*range(1, len(numbers) + 1)]

    asked = (load, history, records, export)
    readers = [threading.Thread(target=read, args=(ask,)) for ask in asked]
    for reader in readers:
        reader.start()
    for n in range(1, rounds + 1):
        write(store, event(n, entity="e"))
        write(store, state(n, b"%d" % n, entity="v"))
        store._estimate.add(NOW, 1)
        for _ in range(4):
            store.maintain(START_MS)
    done.set()
    for reader in readers:
        reader.join()
    assert (wrong, store.damaged_shards()) == ([], {})
    assert store.reclaimed.frames > rounds // 2
    store.close()
    sound(tmp_path)
