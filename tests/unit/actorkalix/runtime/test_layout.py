"""Where stores lie in a data folder, and how that of version 0.1 becomes one of several."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from actorkalix.errors import ForeignFolder
from actorkalix.runtime import layout
from actorkalix.runtime.layout import Mark, found, store_folder
from actorkalix_cluster.placement.moves import begin, ring_of
from actorkalix_storage.api import Damaged, StoreInUse
from actorkalix_storage.lmdbstore import open_store, read_identity

SHARDS = 8


def make(folder: Path, number: int = 0) -> None:
    store = open_store(folder, service="shop", shards=SHARDS, number=number)
    store.put_homes(begin(ring_of(1), SHARDS, []))
    store.close()


def make_old(data: Path) -> None:
    """As version 0.1 left it: without a home table."""
    open_store(data, service="shop", shards=SHARDS).close()


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_stores_are_found_by_their_data_files(tmp_path: Path) -> None:
    assert found(tmp_path / "nowhere") == found(tmp_path) == {}
    for number in (10, 2, 0):
        make(store_folder(tmp_path, number), number)
    for other in ("store-3", "store-03", "store-x", "astore-4", "store-4.old"):
        (tmp_path / other).mkdir()
    (tmp_path / "store-5").touch()
    for name in ("store-03", "store-x", "store-4.old"):
        (tmp_path / name / "data.mdb").touch()
    assert list(found(tmp_path)) == [0, 2, 10]
    assert found(tmp_path)[10] == tmp_path / "store-10"


def test_a_store_alone_is_found_by_its_own_folder(tmp_path: Path) -> None:
    make(store_folder(tmp_path, 2), 2)
    make_old(tmp_path / "old")
    assert found(tmp_path / "store-2") == {2: tmp_path / "store-2"}
    assert found(tmp_path / "old") == {0: tmp_path / "old"}


def test_the_old_layout_is_moved_into_a_folder(tmp_path: Path) -> None:
    make_old(tmp_path)
    before, lock = read_identity(tmp_path), (tmp_path / "lock").read_bytes()
    layout.upgrade(tmp_path, "shop")
    folder = store_folder(tmp_path, 0)
    assert found(tmp_path) == {0: folder}
    assert files(tmp_path) == {"store-0/data.mdb", "store-0/lock"}
    assert read_identity(folder) == before
    assert (folder / "lock").read_bytes() == lock  # closed, so nothing is checked at open
    open_store(folder, service="shop", shards=SHARDS, create=False).close()
    layout.upgrade(tmp_path, "shop")
    assert found(tmp_path) == {0: folder}


def test_a_lock_that_says_killed_says_so_afterwards(tmp_path: Path) -> None:
    open_store(tmp_path, service="shop", shards=SHARDS).abandon()
    layout.upgrade(tmp_path, "shop")
    assert b"closed" not in (store_folder(tmp_path, 0) / "lock").read_bytes()


def test_a_kill_between_the_files_leaves_the_old_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old(tmp_path)
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self.name == "data.mdb":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            layout.upgrade(tmp_path, "shop")
    assert found(tmp_path) == {0: tmp_path}
    make_old(tmp_path)  # version 0.1 runs once more
    layout.upgrade(tmp_path, "shop")
    assert files(tmp_path) == {"store-0/data.mdb", "store-0/lock"}


def test_a_store_that_is_open_is_not_moved(tmp_path: Path) -> None:
    program = (
        "import sys; from actorkalix_storage.lmdbstore import open_store;"
        f"store = open_store({str(tmp_path)!r}, service='shop', shards={SHARDS});"
        "print(flush=True); sys.stdin.read(); store.close()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StoreInUse, match=f"process {process.pid}"):
            layout.upgrade(tmp_path, "shop")
        process.communicate()
    assert found(tmp_path) == {0: tmp_path}


def test_two_layouts_at_once_are_refused(tmp_path: Path) -> None:
    make(store_folder(tmp_path, 0))
    make_old(tmp_path)
    with pytest.raises(ForeignFolder, match="beside those of a later version"):
        found(tmp_path)
    with pytest.raises(ForeignFolder):
        layout.upgrade(tmp_path, "shop")


@pytest.mark.parametrize("number", [0, 1])
def test_one_store_of_several_is_no_data_folder(tmp_path: Path, number: int) -> None:
    folder = store_folder(tmp_path, number)
    make(folder, number)
    with pytest.raises(ForeignFolder, match=f"one store of the data folder {tmp_path}: give"):
        layout.check_whole(folder)
    before = files(folder)
    with pytest.raises(ForeignFolder):
        layout.upgrade(folder, "shop")
    assert files(folder) == before
    layout.check_whole(tmp_path)


def test_what_cannot_be_read_is_not_moved(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(bytes(100))
    with pytest.raises(Damaged):
        layout.upgrade(tmp_path, "shop")
    assert files(tmp_path) == {"data.mdb"}


def test_a_store_is_removed(tmp_path: Path) -> None:
    make(store_folder(tmp_path, 1), 1)
    layout.remove(store_folder(tmp_path, 1))
    assert list(tmp_path.iterdir()) == []


def test_the_mark(tmp_path: Path) -> None:
    assert not layout.is_marked(tmp_path)
    assert layout.get_mark(tmp_path) is None
    layout.put_mark(tmp_path, Mark(3))
    layout.put_mark(tmp_path, Mark(4))
    assert layout.get_mark(tmp_path) == Mark(4)
    assert files(tmp_path) == {layout.MARK_NAME}
    (tmp_path / layout.MARK_NAME).write_text("{")
    assert layout.is_marked(tmp_path)
    assert layout.get_mark(tmp_path) is None
    layout.remove_mark(tmp_path)
    layout.remove_mark(tmp_path)
    assert not layout.is_marked(tmp_path)
