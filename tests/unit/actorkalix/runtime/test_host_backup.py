"""A host's part of a backup: one copy at a time, and none that nobody wants."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from actorkalix.errors import BackupInProgress, BackupStopped, InternalError
from actorkalix.ports import HostMethod
from actorkalix.runtime import host_backup
from actorkalix.runtime.host_backup import CopyOrder, CopyProgress, backup_methods
from actorkalix_storage.lmdbstore import LmdbStore
from tests.unit.actorkalix.runtime.backups import filled


def order_of(target: Path) -> bytes:
    return msgspec.msgpack.encode(CopyOrder(str(target)))


async def ended(progress: HostMethod, order: bytes) -> CopyProgress:
    """Asks until there is no more to ask for."""
    while True:
        found = msgspec.msgpack.decode(await progress(order), type=CopyProgress)
        if found.copy is not None:
            return found
        await asyncio.to_thread(int)


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

    def broken(store: LmdbStore, target: Path, *, watch: object) -> None:
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
