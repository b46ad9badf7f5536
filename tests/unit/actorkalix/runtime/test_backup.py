"""A backup of several stores: all or nothing, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from actorkalix.errors import (
    BackupInProgress,
    BackupStopped,
    FolderUnusable,
    ForeignFolder,
    OwnerAway,
    TargetUnusable,
)
from actorkalix.ports import HostMethod
from actorkalix.runtime.backup import (
    BackedUp,
    BackupEvent,
    Copying,
    ServiceBackup,
    at_rest,
)
from actorkalix.runtime.backup_format import read_manifest
from actorkalix.runtime.host_backup import CopyProgress, backup_methods
from actorkalix.runtime.layout import MARK_NAME
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_storage.lmdbstore import LmdbStore, verify
from actorkalix_storage.lmdbstore.backup import take_over
from actorkalix_storage.testing.harness import event, write
from tests.unit.actorkalix.runtime.backups import (
    CLUSTER,
    EVENTS,
    LINEAGE,
    MIB,
    SHARDS,
    events_of,
    filled,
    methods_of,
    opened,
    service_backup,
)

Stores = dict[int, LmdbStore]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def stores(data: Path) -> Iterator[Stores]:
    """Two stores with three events of 1 MiB each."""
    found = filled(data)
    yield found
    for store in found.values():
        store.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def taken(backup: ServiceBackup, target: Path) -> list[BackupEvent]:
    return asyncio.run(events_of(backup, target))


def test_all_stores_and_what_is_said_of_them(stores: Stores, data: Path, target: Path) -> None:
    events = taken(service_backup(stores, data), target)
    last = events[-1]
    assert isinstance(last, BackedUp)
    assert (last.target, last.service, last.stores) == (str(target), "shop", 2)
    assert sorted(p.name for p in target.iterdir()) == ["backup.json", "store-0", "store-1"]
    assert target.stat().st_mode & 0o077 == 0, "a backup has all that the service knows"
    manifest = read_manifest(target)
    assert (manifest.service, manifest.cluster) == ("shop", CLUSTER)
    assert (manifest.lineage, manifest.shards) == (f"{LINEAGE:016x}", SHARDS)
    assert manifest.homes == stores[0].homes()
    assert sum(file.bytes for file in manifest.stores) == last.bytes > 6 * MIB
    for number, file in enumerate(manifest.stores):
        assert (file.store, file.file) == (number, f"store-{number}/data.mdb")
        assert (target / file.file).stat().st_size == file.bytes
        mark = file.shards[number]
        assert (mark.lineage, mark.epoch, mark.offset) == (manifest.lineage, 1, EVENTS + 1)
        assert abs(file.moment_ms - (target / file.file).stat().st_mtime * 1000) < 60_000
        assert verify(target / f"store-{number}").ok


def test_progress_of_every_store_grows_to_its_whole(
    stores: Stores, data: Path, target: Path
) -> None:
    told = [each for each in taken(service_backup(stores, data), target) if type(each) is Copying]
    sizes = {file.store: file.bytes for file in read_manifest(target).stores}
    for store, size in sizes.items():
        done = [each.done for each in told if each.store == store]
        assert done == sorted(done)
        assert told[max(i for i, e in enumerate(told) if e.store == store)].done == size


def test_commits_go_on_meanwhile(stores: Stores, data: Path, target: Path) -> None:
    numbers = iter(range(EVENTS + 1, 10_000))

    async def sleep(_: float) -> None:
        await asyncio.to_thread(write, stores[0], event(next(numbers)), shard=0)

    taken(service_backup(stores, data, sleep=sleep), target)
    assert next(numbers) > EVENTS + 2
    assert read_manifest(target).stores[0].shards[0].offset >= EVENTS + 1
    assert verify(target / "store-0").ok


@pytest.mark.parametrize("where", ["data", "data/store-0/backup", "full", "file", "file/below"])
def test_targets_that_cannot_be_used(
    stores: Stores, data: Path, tmp_path: Path, where: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TargetUnusable, match=where):
        taken(service_backup(stores, data), tmp_path / where)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_relative_target_is_of_another_process(stores: Stores, data: Path) -> None:
    with pytest.raises(TargetUnusable, match="absolute"):
        taken(service_backup(stores, data), Path("backup"))


def test_a_link_into_the_data_folder_is_in_it(stores: Stores, data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(TargetUnusable, match="lies in the data folder"):
        taken(service_backup(stores, data), tmp_path / "link" / "backup")


def test_a_target_that_cannot_be_written(stores: Stores, data: Path) -> None:
    with pytest.raises(TargetUnusable, match=r"^/proc/backup: "):
        taken(service_backup(stores, data), Path("/proc/backup"))


def test_an_empty_folder_is_used_and_stays_when_it_fails(
    stores: Stores, data: Path, target: Path
) -> None:
    target.mkdir()
    methods = methods_of(stores)
    del methods[1]["backup.start"]
    with pytest.raises(Exception, match=r"backup\.start"):
        taken(service_backup(stores, data, methods=methods), target)
    assert [*target.iterdir()] == []
    taken(service_backup(stores, data), target)
    assert read_manifest(target).service == "shop"


async def away(_: bytes) -> bytes:
    raise OwnerAway("store 1 is away")


def test_a_host_that_is_away_is_said_before_anything_is_told(
    stores: Stores, data: Path, target: Path
) -> None:
    methods = methods_of(stores)
    methods[1]["backup.start"] = away

    async def first() -> BackupEvent:
        async with aclosing(service_backup(stores, data, methods=methods)(str(target))) as events:
            return await anext(events)

    with pytest.raises(OwnerAway):
        asyncio.run(first())
    assert not target.exists()


@pytest.mark.parametrize("as_another", [False, True])
def test_a_host_that_ends_on_the_way(
    stores: Stores, data: Path, target: Path, as_another: bool
) -> None:
    """It is away, or another one has its store by then, which knows nothing of the copy."""
    methods = methods_of(stores)
    methods[1]["backup.progress"] = (
        backup_methods(stores[1])["backup.progress"] if as_another else away
    )
    with pytest.raises(BackupStopped, match="store 1"):
        taken(service_backup(stores, data, methods=methods), target)
    assert not target.exists()


def test_one_copy_that_fails_takes_all_back(data: Path, target: Path) -> None:
    stores = filled(data)
    stores[1].close()
    stores[1] = opened(data, 1, reserve_bytes=1 << 62)
    with pytest.raises(BackupStopped, match="kept free for the store"):
        taken(service_backup(stores, data), target)
    assert not target.exists()
    for store in stores.values():
        store.close()


def test_stores_of_two_data_folders_are_no_service(
    stores: Stores, data: Path, target: Path
) -> None:
    stores[1].close()
    take_over(data / "store-1", LINEAGE + 1)
    stores[1] = opened(data, 1)
    with pytest.raises(ForeignFolder, match="store 1 is of another data folder"):
        taken(service_backup(stores, data), target)
    assert not target.exists()


def test_a_store_that_is_the_home_of_shards_and_missing(
    stores: Stores, data: Path, target: Path
) -> None:
    with pytest.raises(FolderUnusable, match="store 1 is missing"):
        taken(service_backup({0: stores[0]}, data), target)
    assert not target.exists()


def stalled(method: HostMethod) -> HostMethod:
    """A copy that is never done."""

    async def progress(arguments: bytes) -> bytes:
        found = msgspec.msgpack.decode(await method(arguments), type=CopyProgress)
        return msgspec.msgpack.encode(msgspec.structs.replace(found, copy=None))

    return progress


def endless(stores: Stores, data: Path) -> ServiceBackup:
    methods = methods_of(stores)
    methods[1]["backup.progress"] = stalled(methods[1]["backup.progress"])
    return service_backup(stores, data, methods=methods)


async def begun(events: AsyncGenerator[BackupEvent], target: Path) -> None:
    """Something of the backup is on disk."""
    async for _ in events:
        if (target / "store-0" / "data.mdb").exists():
            return


def test_who_wants_no_more_events_cancels_it(stores: Stores, data: Path, target: Path) -> None:
    backup = endless(stores, data)

    async def left() -> None:
        async with aclosing(backup(str(target))) as events:
            await begun(events, target)

    asyncio.run(left())
    assert not target.exists()
    taken(service_backup(stores, data), target)


def test_it_is_removed_however_often_it_is_cancelled(
    stores: Stores, data: Path, target: Path
) -> None:
    """A web server's cancel scope cancels again at every await."""
    backup = endless(stores, data)

    async def cancelled() -> None:
        events = backup(str(target))
        await begun(events, target)
        task = asyncio.create_task(anext(events))
        while not task.done():
            task.cancel()
            await asyncio.to_thread(int)
        assert backup._removal is not None
        await backup._removal

    asyncio.run(cancelled())
    assert not target.exists()


def test_one_at_a_time(stores: Stores, data: Path, target: Path, tmp_path: Path) -> None:
    backup = endless(stores, data)

    async def second() -> None:
        async with aclosing(backup(str(target))) as events:
            await begun(events, target)
            with pytest.raises(BackupInProgress):
                await events_of(backup, tmp_path / "second")

    asyncio.run(second())
    assert not (tmp_path / "second").exists()


def test_a_folder_at_rest(stores: Stores, data: Path, target: Path) -> None:
    for store in stores.values():
        store.close()
    with at_rest(data) as backup:
        taken(backup, target)
    assert [file.shards[file.store].offset for file in read_manifest(target).stores] == [4, 4]
    with at_rest(data):
        pass


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_no_store_at_rest(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FolderUnusable, match="there is no store"), at_rest(tmp_path / name):
        pytest.fail("there is nothing")


def test_a_move_that_has_not_ended_comes_first(data: Path) -> None:
    data.mkdir()
    (data / MARK_NAME).touch()
    with pytest.raises(FolderUnusable, match="start the service once"), at_rest(data):
        pytest.fail("it is half moved")


def test_all_copies_are_of_one_moment(stores: Stores, data: Path, target: Path) -> None:
    """What is written to the second store follows from the first: it is never ahead of it."""
    committers = {number: ThreadCommitter(store) for number, store in stores.items()}
    methods = {n: dict(backup_methods(stores[n], committers[n].run)) for n in stores}
    cut, passed = methods[1]["backup.cut"], asyncio.Event()

    async def late(arguments: bytes) -> bytes:
        for _ in range(300):  # the writer is at it all the time
            await asyncio.to_thread(int)
        return await cut(arguments)

    methods[1]["backup.cut"] = late

    async def pass_on() -> None:
        for n in range(EVENTS + 1, 10_000):
            for number, committer in committers.items():
                await committer.run(partial(write, stores[number], event(n), shard=number))
            passed.set()

    async def taken_meanwhile() -> None:
        passing = asyncio.create_task(pass_on())
        await passed.wait()
        await events_of(service_backup(stores, data, methods=methods), target)
        passing.cancel()
        await asyncio.wait([passing])
        for committer in committers.values():
            await committer.run(bool)
            committer.close()

    asyncio.run(taken_meanwhile())
    first, second = (file.shards[file.store].offset for file in read_manifest(target).stores)
    assert first > EVENTS + 1
    assert first - second in (0, 1)
