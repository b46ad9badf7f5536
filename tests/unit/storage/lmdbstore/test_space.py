"""A full disk or map stores nothing, harms nothing, and the store goes on."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actorkalix_storage.api import Append, StoreFull
from actorkalix_storage.lmdbstore import LmdbStore, Options, open_store, verify
from actorkalix_storage.testing.harness import START_MS, event, write

MIB = 1024**2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def write_until_full(store: LmdbStore, payload: bytes, words: str) -> int:
    """Commit events until there is no space; return the last version that was stored."""
    for version in range(10_000):
        append = Append(0, 1, version, (event(version + 1, payload),))
        try:
            store.commit([append])
        except StoreFull as error:
            found = str(error)
            break
    else:
        raise AssertionError("it never was full")
    assert re.search(words, found)
    return version


def fill(path: Path, options: Options) -> None:
    store = open_store(path, service="shop", shards=4, options=options)
    store.open_shards([0], START_MS)
    version = write_until_full(store, b"x" * 100_000, "nothing was stored")
    assert version > 5
    head = store.head(0, "cart", "a")
    assert head is not None
    assert (head.version, store.durable(0).offset) == (version, version + 1)
    store.maintain(START_MS)
    assert events(store) == version
    store.close()
    assert verify(path).ok
    store = open_store(path, service="shop", shards=4, options=Options(reserve_bytes=0))
    assert events(store) == version
    store.abandon()


def events(store: LmdbStore) -> int:
    history = store.load(0, "cart", "a")
    return len(history.records) if history else 0


def test_a_full_map(tmp_path: Path) -> None:
    fill(tmp_path, Options(map_bytes=4 * MIB))


def test_a_full_disk(small_disk: Path) -> None:
    fill(small_disk / "data", Options(reserve_bytes=0))


def test_commits_stop_at_the_reserve_and_go_on_above_it(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    store = open_store(
        small_disk / "data", service="shop", shards=4, options=Options(reserve_bytes=8 * MIB)
    )
    store.open_shards([0], START_MS)
    ballast.write_bytes(b"b" * 10 * MIB)
    version = write_until_full(store, b"x", "kept in reserve")
    assert version < 70
    store.checkpoint()
    ballast.unlink()
    write(store, event(version + 1))
    store.close()
