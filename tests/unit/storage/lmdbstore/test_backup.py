"""Copies of a store: consistent beside a writer, all or nothing, and a store again afterwards."""

from __future__ import annotations

import os
import shutil
from hashlib import blake2b
from pathlib import Path

import pytest

from actorkalix_storage.api import Damaged, ForeignStore, Position
from actorkalix_storage.lmdbstore import LmdbStore, Options, backup, open_store, verify
from actorkalix_storage.lmdbstore.backup import (
    BackupInProgress,
    BackupStopped,
    StoreCopy,
    TargetUnusable,
    back_up,
    take_over,
)
from actorkalix_storage.testing.harness import START_MS, event, write

MIB = 1024**2
LINEAGE = 0xBEEF


def opened(path: Path, *, allow_copy: bool = False, reserve_bytes: int = 0) -> LmdbStore:
    options = Options(check=False, reserve_bytes=reserve_bytes)
    return open_store(path, service="shop", shards=4, options=options, allow_copy=allow_copy)


@pytest.fixture
def store(tmp_path: Path) -> LmdbStore:
    """A store of some 9 MiB, half of it after its checkpoint."""
    store = opened(tmp_path / "store")
    store.open_shards(range(4), START_MS)
    for n in range(1, 10):
        write(store, event(n, bytes([n]) * MIB))
        if n == 5:
            store.checkpoint()
    return store


def unwatched(done: int, expected: int) -> None:
    """Watches nothing."""


def copied(store: LmdbStore, target: Path) -> StoreCopy:
    return back_up(store, target, watch=unwatched)


def test_a_copy_says_what_is_in_it(store: LmdbStore, tmp_path: Path) -> None:
    copy = copied(store, tmp_path / "copy")
    whole = (tmp_path / "copy" / "data.mdb").read_bytes()
    assert copy.bytes == len(whole) > 9 * MIB
    assert copy.blake2b == blake2b(whole, digest_size=32).hexdigest()
    assert copy.identity == store.identity
    assert copy.positions == {shard: store.durable(shard) for shard in range(4)}
    assert copy.positions[0].offset == 10
    assert copy.damaged == {}
    assert [file.name for file in (tmp_path / "copy").iterdir()] == ["data.mdb"]
    assert (tmp_path / "copy" / "data.mdb").stat().st_mode & 0o077 == 0
    store.close()


def test_commits_go_on_and_are_not_in_the_copy(store: LmdbStore, tmp_path: Path) -> None:
    numbers = iter(range(10, 10_000))
    told: list[tuple[int, int]] = []

    def watch(done: int, expected: int) -> None:
        told.append((done, expected))
        if done:
            write(store, event(next(numbers), b"meanwhile"))
            store.checkpoint()

    copy = back_up(store, tmp_path / "copy", watch=watch)
    assert store.durable(0).offset > copy.positions[0].offset == 10
    assert told == sorted(told)
    assert told[-1] == (copy.bytes, copy.bytes)
    assert verify(tmp_path / "copy").ok
    store.close()
    assert verify(tmp_path / "store").ok


def test_a_copy_is_no_store_until_it_is_taken_over(store: LmdbStore, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    copied(store, target)
    with pytest.raises(ForeignStore, match="looks like a copy"):
        opened(target)
    identity = take_over(target, LINEAGE)
    assert (identity.cluster, identity.lineage) == (store.identity.cluster, LINEAGE)
    again = opened(target)
    assert again.identity == identity
    history = again.load(0, "cart", "a")
    assert history is not None
    assert [s.record.payload[:1] for s in history.records] == [bytes([n]) for n in range(1, 10)]
    assert again.durable(0) == store.durable(0), "what was there keeps its position"
    assert again.open_shards([0], START_MS) == {0: 2}
    assert write(again, event(10)).position == Position(LINEAGE, 2, 12)
    again.close()
    store.close()
    assert verify(target).ok


def test_what_watches_may_stop_it_and_nothing_is_left(store: LmdbStore, tmp_path: Path) -> None:
    def watch(done: int, expected: int) -> None:
        if done > 2 * MIB:
            raise BackupStopped("enough")

    with pytest.raises(BackupStopped, match="enough"):
        back_up(store, tmp_path / "copy", watch=watch)
    assert not (tmp_path / "copy").exists()
    readers = store.environment._env.readers().splitlines()[1:]
    assert {int(row.split()[0]) for row in readers} <= {os.getpid()}, "of the dead child none"
    copied(store, tmp_path / "copy")
    store.close()


def test_one_at_a_time(store: LmdbStore, tmp_path: Path) -> None:
    def watch(done: int, expected: int) -> None:
        with pytest.raises(BackupInProgress, match="is being copied"):
            copied(store, tmp_path / "second")

    back_up(store, tmp_path / "first", watch=watch)
    assert not (tmp_path / "second").exists()
    copied(store, tmp_path / "second")
    store.close()


def test_a_store_may_be_closed_meanwhile(store: LmdbStore, tmp_path: Path) -> None:
    copy = back_up(store, tmp_path / "copy", watch=lambda done, expected: store.close())
    assert copy.positions[0].offset == 10


@pytest.mark.parametrize("name", ["there", "missing/copy", "file/copy"])
def test_targets_that_cannot_be_made(store: LmdbStore, tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(TargetUnusable, match=name):
        copied(store, tmp_path / name)
    assert [*(tmp_path / "there").iterdir()] == []
    store.close()


def test_growth_of_the_source_is_bounded(
    store: LmdbStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "GROWTH_BYTES_MIN", MIB)
    monkeypatch.setattr(backup, "GROWTH_FACTOR", 0)
    numbers = iter(range(10, 10_000))

    def watch(done: int, expected: int) -> None:
        write(store, event(next(numbers), b"x" * MIB))

    with pytest.raises(BackupStopped, match=r"has grown by [\d,]+ bytes"):
        back_up(store, tmp_path / "copy", watch=watch)
    assert not (tmp_path / "copy").exists()
    store.close()


def test_free_space_is_left_to_the_store(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    store = opened(tmp_path / "store", reserve_bytes=free * 3 // 4)
    with pytest.raises(BackupStopped, match=r"bytes free; the copy needs [\d,]+ more"):
        copied(store, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    store.close()


def test_damaged_shards_are_named(store: LmdbStore, tmp_path: Path) -> None:
    """A copy of what is left is better than none."""
    store.close()
    file = tmp_path / "store" / "data.mdb"
    at = file.read_bytes().index(bytes([9]) * 100)
    with file.open("r+b") as data:
        data.seek(at)
        data.write(b"?")
    store = opened(tmp_path / "store")
    write(store, event(1), shard=1)
    assert copied(store, tmp_path / "first").damaged == {}, "nobody has read it yet"
    with pytest.raises(Damaged):
        store.load(0, "cart", "a")
    write(store, event(2), shard=1)
    store.checkpoint()
    copy = copied(store, tmp_path / "second")
    assert list(copy.damaged) == [0]
    assert copy.positions[1] == store.durable(1)
    store.close()


def test_pages_that_cannot_be_read_are_damage(store: LmdbStore, tmp_path: Path) -> None:
    store.checkpoint()
    size = (tmp_path / "store" / "data.mdb").stat().st_size
    with (tmp_path / "store" / "data.mdb").open("r+b") as data:
        data.truncate(3 * 4096)
    with pytest.raises(Damaged, match=str(tmp_path / "store")):
        copied(store, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    with (tmp_path / "store" / "data.mdb").open("r+b") as data:
        data.truncate(size)
    store.abandon()
