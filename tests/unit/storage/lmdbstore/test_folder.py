"""The folder: one process at a time, the right service, no copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from actorkalix_storage.api import (
    ForeignStore,
    HomeTable,
    StoreInUse,
    Unreadable,
    UnsupportedFormat,
)
from actorkalix_storage.lmdbstore import holder, open_store, read_homes, read_identity
from actorkalix_storage.lmdbstore.environment import Environment
from actorkalix_storage.lmdbstore.opening import IDENTITY
from actorkalix_storage.testing.harness import START_MS, event, write


def test_a_second_process_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from actorkalix_storage.lmdbstore import open_store\n"
        "from actorkalix_storage.api import HomeTable\n"
        "store = open_store(sys.argv[1], service='shop', shards=2)\n"
        "store.put_homes(HomeTable(3, ((0,), (1,))))\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child, child.stdin:
        assert child.stdout.readline() == "open\n"
        found = holder(tmp_path)
        assert found is not None
        assert (found.pid, found.service) == (child.pid, "shop")
        with pytest.raises(StoreInUse, match=f"process {child.pid} on .*'shop'"):
            open_store(tmp_path, service="shop")
        assert read_identity(tmp_path).service == "shop"
        assert read_homes(tmp_path) == HomeTable(3, ((0,), (1,)))
        child.kill()
    assert child.wait() < 0
    assert holder(tmp_path) is None
    open_store(tmp_path, service="shop", shards=2).close()
    assert read_homes(tmp_path) == HomeTable(3, ((0,), (1,)))


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    store = open_store(tmp_path, service="shop")
    with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
        open_store(tmp_path, service="shop")
    store.close()
    assert holder(tmp_path) is None


@pytest.mark.parametrize(
    "asked, words",
    [
        ({"service": "bank"}, "'shop'.*'bank'"),
        ({"number": 3}, "store number 0, not 3"),
        ({"shards": 8}, "number of shards 1024, not 8"),
        ({"cluster": "f" * 32}, "cluster '0{32}', not 'f{32}'"),
    ],
)
def test_a_foreign_store_is_refused(tmp_path: Path, asked: dict[str, object], words: str) -> None:
    open_store(tmp_path, service="shop", cluster="0" * 32).close()
    with pytest.raises(ForeignStore, match=words):
        open_store(tmp_path, **{"service": "shop", **asked})  # type: ignore[arg-type]
    assert open_store(tmp_path, service="shop").identity.cluster == "0" * 32


def test_a_copy_is_refused_until_it_is_taken_with_a_new_lineage(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    store = open_store(original, service="shop")
    store.open_shards([0], START_MS)
    old = write(store, event(1, b"1")).position
    store.close()
    shutil.copytree(original, copy)
    with pytest.raises(ForeignStore, match=r"copy.*allow_copy"):
        open_store(copy, service="shop")
    store = open_store(copy, service="shop", allow_copy=True)
    new = write(store, event(2, b"2")).position
    assert new.lineage == store.identity.lineage != old.lineage
    assert [s.position for s in store.records(0, 1)] == [old, new]
    store.close()
    assert open_store(copy, service="shop").identity.lineage == new.lineage


def test_stores_of_a_service_are_made_with_one_lineage(tmp_path: Path) -> None:
    first = open_store(tmp_path / "0", service="shop").identity
    made = open_store(
        tmp_path / "1", service="shop", cluster=first.cluster, number=1, lineage=first.lineage
    )
    assert made.identity == msgspec.structs.replace(first, number=1)
    assert made.homes() is None
    made.close()
    again = open_store(tmp_path / "1", service="shop", number=1, lineage=5)
    assert again.identity.lineage == first.lineage
    again.close()
    assert read_homes(tmp_path / "1") is None
    for lineage in (0, -1, 1 << 64):
        with pytest.raises(ValueError, match=f"lineage {lineage}"):
            open_store(tmp_path / "2", service="shop", lineage=lineage)
    assert not (tmp_path / "2").exists()


def test_another_format_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path, service="shop").close()
    environment = Environment(tmp_path)
    with environment.write() as rows:
        rows.put(IDENTITY, msgspec.msgpack.encode({"format": 99, "what": "is this"}))
    environment.close()
    with pytest.raises(UnsupportedFormat, match=r"format 99.*format 0"):
        open_store(tmp_path, service="shop")
    with pytest.raises(UnsupportedFormat):
        read_homes(tmp_path)


def test_a_missing_or_useless_folder_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no store"):
        open_store(tmp_path / "none", service="shop", create=False)
    assert not (tmp_path / "none").exists()
    with pytest.raises(Unreadable):
        read_identity(tmp_path)
    with pytest.raises(Unreadable):
        read_homes(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreadable):
        open_store(tmp_path / "file", service="shop")
