"""From a backup to a data folder that can be served: in whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from actorkalix.errors import BackupDamaged, TargetUnusable, UnsupportedFormat
from actorkalix.runtime import restore as restore_module
from actorkalix.runtime.backup_format import Manifest, read_manifest, write_manifest
from actorkalix.runtime.restore import Checked, Checking, Restored, Writing, check, restore
from actorkalix_storage.api import Position
from actorkalix_storage.lmdbstore import read_homes, read_identity, verify
from actorkalix_storage.testing.harness import START_MS, event, write
from tests.unit.actorkalix.runtime.backups import (
    CLUSTER,
    EVENTS,
    LINEAGE,
    MIB,
    backed_up,
    opened,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of two stores; nobody changes it."""
    folder = tmp_path_factory.mktemp("restore")
    backed_up(folder / "data", folder / "backup")
    return folder / "backup"


@pytest.fixture
def backup(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(whole, tmp_path / "backup")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def restored(backup: Path, data: Path) -> Restored:
    *_, last = restore(backup, data)
    assert isinstance(last, Restored)
    return last


def test_every_store_is_back_under_one_new_lineage(backup: Path, data: Path) -> None:
    said = restored(backup, data)
    assert (said.data, said.service, said.stores, said.shards) == (str(data), "shop", 2, 4)
    lineage = int(said.lineage, 16)
    assert lineage != LINEAGE
    for number in range(2):
        store = opened(data, number)
        assert (store.identity.lineage, store.identity.cluster) == (lineage, CLUSTER)
        history = store.load(number, "cart", "a")
        assert history is not None
        payloads = [stored.record.payload for stored in history.records]
        assert payloads == [bytes([n]) * MIB for n in range(1, EVENTS + 1)]
        assert store.durable(number) == Position(LINEAGE, 1, EVENTS + 1)
        assert store.open_shards([number], START_MS) == {number: 2}
        last = write(store, event(EVENTS + 1), shard=number).position
        assert last == Position(lineage, 2, EVENTS + 3)
        store.close()
        assert verify(data / f"store-{number}").ok
        assert read_homes(data / f"store-{number}") == read_manifest(backup).homes
    assert sorted(p.name for p in data.parent.iterdir()) == ["backup", "data"]


def test_who_has_seen_more_than_is_restored_parts_at_its_end(backup: Path, data: Path) -> None:
    restored(backup, data)
    store = opened(data, 0)
    end = Position(LINEAGE, 1, EVENTS + 1)
    lost = Position(LINEAGE, 1, EVENTS + 3)
    assert store.parting(0, end) == end
    assert store.parting(0, Position(LINEAGE, 1, 2)) == Position(LINEAGE, 1, 2)
    assert store.parting(0, lost) == end
    store.open_shards([0], START_MS)
    for n in range(EVENTS + 1, EVENTS + 4):
        write(store, event(n), shard=0)
    assert store.durable(0).offset > lost.offset, "the offset alone would say that nothing is lost"
    assert store.parting(0, lost) == end
    assert store.parting(0, store.durable(0)) == store.durable(0)
    store.close()


def test_two_restores_are_two_histories(backup: Path, data: Path, tmp_path: Path) -> None:
    assert restored(backup, data).lineage != restored(backup, tmp_path / "second").lineage


def test_progress_of_every_store(backup: Path, data: Path) -> None:
    sizes = {file.store: file.bytes for file in read_manifest(backup).stores}
    events = [*restore(backup, data)]
    for kind in (Checking, Writing):
        last = {e.store: (e.done, e.total) for e in events if isinstance(e, kind)}
        assert last == {store: (size, size) for store, size in sizes.items()}


def test_a_dry_run_reads_every_record_and_writes_nothing(
    backup: Path, data: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    *_, said = check(backup, data)
    assert isinstance(said, Checked)
    assert (said.service, said.stores, said.damaged) == ("shop", 2, {})
    assert said.records == 2 * (EVENTS + 1)
    assert sorted(tmp_path.rglob("*")) == before
    assert isinstance([*check(backup)][-1], Checked), "where it would go to need not be said"


def cut(backup: Path) -> None:
    with (backup / "store-1" / "data.mdb").open("r+b") as file:
        file.truncate(MIB)


def flip(backup: Path) -> None:
    with (backup / "store-1" / "data.mdb").open("r+b") as file:
        file.seek(2 * MIB)
        byte = file.read(1)
        file.seek(2 * MIB)
        file.write(bytes([byte[0] ^ 1]))


def lengthen(backup: Path) -> None:
    with (backup / "store-1" / "data.mdb").open("ab") as file:
        file.write(b"more")


def lose(backup: Path) -> None:
    (backup / "store-1" / "data.mdb").unlink()


def swap(backup: Path) -> None:
    """The other store's file, with a `backup.json` that believes it."""
    shutil.copy(backup / "store-0" / "data.mdb", backup / "store-1" / "data.mdb")
    manifest = read_manifest(backup)
    first, second = manifest.stores
    told = msgspec.structs.replace(second, blake2b=first.blake2b, bytes=first.bytes)
    rewrite(backup, msgspec.structs.replace(manifest, stores=(first, told)))


def lie(backup: Path) -> None:
    """A `backup.json` that says that more was copied."""
    manifest = read_manifest(backup)
    first, second = manifest.stores
    mark = msgspec.structs.replace(second.shards[1], offset=99)
    told = msgspec.structs.replace(second, shards={1: mark})
    rewrite(backup, msgspec.structs.replace(manifest, stores=(first, told)))


def rewrite(backup: Path, manifest: Manifest) -> None:
    (backup / "backup.json").unlink()
    write_manifest(backup, msgspec.structs.replace(manifest, checksum=""))


@pytest.mark.parametrize(
    "damage, words",
    [
        (cut, r"store-1/data\.mdb has 1,048,576 bytes, not [\d,]+"),
        (lengthen, r"store-1/data\.mdb has [\d,]+ bytes, not"),
        (flip, r"store-1/data\.mdb has been changed"),
        (lose, r"store-1/data\.mdb cannot be read: No such file"),
        (swap, r"store-1/data\.mdb is of .*number=0"),
        (lie, r"store-1/data\.mdb ends at other positions"),
    ],
)
def test_damage_is_named_and_nothing_is_written(
    backup: Path, data: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(backup)
    before = sorted(data.parent.rglob("*"))
    for attempt in (restore(backup, data), check(backup)):
        with pytest.raises(BackupDamaged, match=words):
            list(attempt)
    assert sorted(data.parent.rglob("*")) == before


def test_a_newer_backup_is_refused(backup: Path, data: Path) -> None:
    (backup / "backup.json").write_text('{"format": 7}')
    with pytest.raises(UnsupportedFormat, match="format 7"):
        list(restore(backup, data))
    assert not data.exists()


@pytest.mark.parametrize("where", ["full", "file", "file/below", "backup/data", "backup"])
def test_targets_that_cannot_be_used(backup: Path, tmp_path: Path, where: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TargetUnusable, match=where):
        list(restore(backup, tmp_path / where))
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_and_parents_that_are_not_there(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    restored(backup, tmp_path / "empty")
    restored(backup, tmp_path / "a" / "b")
    (tmp_path / "link").symlink_to(tmp_path / "c")
    restored(backup, tmp_path / "link")
    for folder in ("empty", "a/b", "c"):
        assert read_identity(tmp_path / folder / "store-1").service == "shop"


def test_a_folder_that_somebody_fills_meanwhile_is_not_touched(backup: Path, data: Path) -> None:
    events = restore(backup, data)
    assert isinstance(next(events), Checking)
    data.mkdir()
    (data / "mine").touch()
    with pytest.raises(TargetUnusable, match="not empty"):
        list(events)
    assert [*data.iterdir()] == [data / "mine"]
    assert sorted(p.name for p in data.parent.iterdir()) == ["backup", "data"]


def test_an_early_end_leaves_nothing(backup: Path, data: Path) -> None:
    events = restore(backup, data)
    while not isinstance(next(events), Writing):
        assert not data.exists()
    events.close()
    assert [*data.parent.iterdir()] == [backup]


def test_a_backup_that_changes_while_it_is_read(backup: Path, data: Path) -> None:
    events = restore(backup, data)
    while not isinstance(next(events), Writing):
        pass
    flip(backup)
    with pytest.raises(BackupDamaged, match="was changed while it was read"):
        list(events)
    assert not data.exists()


def test_no_room(backup: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_module, "RESERVE_BYTES", 1 << 62)
    with pytest.raises(TargetUnusable, match=r"[\d,]+ bytes are free, [\d,]+ are needed"):
        list(restore(backup, data))
    assert not data.exists()
