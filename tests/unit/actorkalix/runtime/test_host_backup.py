"""A host's part of a backup: one copy at a time, and none that nobody wants."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from actorkalix.errors import BackupInProgress, BackupStopped, InternalError
from actorkalix.ports import HostMethod
from actorkalix.runtime import host_backup
from actorkalix.runtime.host_backup import CopyOrder, CopyProgress, backup_methods
from actorkalix_cluster.shardhost.committer import ThreadCommitter
from actorkalix_storage.lmdbstore import LmdbStore
from actorkalix_storage.testing.harness import event, write
from tests.unit.actorkalix.runtime.backups import EVENTS, filled


def order_of(target: Path) -> bytes:
    return msgspec.msgpack.encode(CopyOrder(str(target)))


async def ended(progress: HostMethod, order: bytes) -> CopyProgress:
    """Asks until there is no more to ask for."""
    while True:
        found = msgspec.msgpack.decode(await progress(order), type=CopyProgress)
        if found.copy is not None:
            return found
        await asyncio.to_thread(int)


async def begun(methods: Mapping[str, HostMethod], order: bytes) -> None:
    """Has a copy that was started take its moment."""
    for step in ("hold", "cut", "release"):
        await methods[f"backup.{step}"](order)


def test_one_copy_at_a_time_for_who_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store,) = filled(tmp_path / "data", 1).values()
    methods = backup_methods(store)
    order, other = order_of(tmp_path / "copy"), order_of(tmp_path / "other")

    async def asked() -> None:
        await methods["backup.start"](order)
        with pytest.raises(BackupInProgress, match="is being copied to"):
            await methods["backup.start"](other)
        with pytest.raises(BackupStopped, match="replaced"):
            await methods["backup.progress"](other)
        await methods["backup.cancel"](other)
        await begun(methods, order)
        done = await ended(methods["backup.progress"], order)
        assert done.copy is not None
        assert done.done == done.total == done.copy.bytes
        await methods["backup.cancel"](order)
        assert (tmp_path / "copy").exists(), "a copy that is whole is the coordinator's"
        monkeypatch.setattr(host_backup, "LEASE_S", -1.0)
        await methods["backup.start"](other)
        with pytest.raises(BackupStopped, match="nobody has asked"):
            await ended(methods["backup.progress"], other)

    asyncio.run(asked())
    assert not (tmp_path / "other").exists()
    store.close()


def test_a_cancelled_copy_is_gone_on_return(tmp_path: Path) -> None:
    (store,) = filled(tmp_path / "data", 1).values()
    methods = backup_methods(store)
    order = order_of(tmp_path / "copy")

    async def asked() -> None:
        await methods["backup.start"](order)
        await methods["backup.cancel"](order)
        assert not (tmp_path / "copy").exists()
        with pytest.raises(BackupStopped, match="was cancelled"):
            await methods["backup.progress"](order)

    asyncio.run(asked())
    store.close()


def test_a_bug_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (store,) = filled(tmp_path / "data", 1).values()

    def broken(store: LmdbStore, target: Path, *, watch: object, cut: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(host_backup, "back_up", broken)
    methods = backup_methods(store)
    order = order_of(tmp_path / "copy")

    async def asked() -> None:
        await methods["backup.start"](order)
        with pytest.raises(InternalError, match="ZeroDivisionError: ours"):
            await ended(methods["backup.progress"], order)

    asyncio.run(asked())
    assert "the copy of store 0 failed" in caplog.text
    store.close()


def test_commits_wait_while_it_begins_and_no_longer(tmp_path: Path) -> None:
    (store,) = filled(tmp_path / "data", 1).values()
    committer = ThreadCommitter(store)
    methods = backup_methods(store, committer.run)
    order = order_of(tmp_path / "copy")

    async def asked() -> CopyProgress:
        await methods["backup.start"](order)
        await methods["backup.hold"](order)
        written = asyncio.ensure_future(committer.run(lambda: write(store, event(EVENTS + 1))))
        await methods["backup.cut"](order)
        assert not written.done(), "it is held"
        await methods["backup.release"](order)
        await written
        return await ended(methods["backup.progress"], order)

    copy = asyncio.run(asked()).copy
    assert copy is not None
    assert copy.positions[0].offset == store.durable(0).offset - 1
    committer.close()
    store.close()


def test_who_is_held_for_too_long_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (store,) = filled(tmp_path / "data", 1).values()
    committer = ThreadCommitter(store)
    methods = backup_methods(store, committer.run)
    order = order_of(tmp_path / "copy")
    monkeypatch.setattr(host_backup, "HOLD_S_MAX", 0.0)

    async def asked() -> None:
        await methods["backup.start"](order)
        await methods["backup.hold"](order)
        await committer.run(lambda: write(store, event(EVENTS + 1)))
        with pytest.raises(BackupStopped, match="was held for 0 s"):
            await methods["backup.release"](order)
        await methods["backup.cancel"](order)

    asyncio.run(asked())
    assert not (tmp_path / "copy").exists()
    committer.close()
    store.close()
