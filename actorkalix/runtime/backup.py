"""Backup of a whole service: every host copies its own store, one coordinator makes it a backup.

The coordinator (`ServiceBackup`) runs where the admin port is served, or on the command line over a
folder at rest (`at_rest`). It asks the hosts through `ports.HostCalls` (`host_backup`); each copies
its store into the target, all as they are at one moment, for which their commits are held. A backup
is finished when the coordinator has written `backup.json` (`backup_format`); until then there is
none.

What may happen on the way, and what follows:

    a store cannot be copied      all copies are cancelled and removed, the error says why
    a host ends                   its copy ends with it; as above
    nobody wants the events more  as above (the asking side went away)
    the coordinator ends          hosts give up when nobody has asked for a minute, and remove their
                                  copies; a folder without `backup.json` may remain
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import msgspec

from actorkalix.errors import (
    ActorkalixError,
    BackupInProgress,
    BackupStopped,
    FolderUnusable,
    ForeignFolder,
    OwnerAway,
    TargetUnusable,
    catalog,
)
from actorkalix.ports import HostCalls, HostMethod
from actorkalix.runtime.backup_format import (
    UNFINISHED,
    Manifest,
    file_of,
    lineage_hex,
    write_manifest,
)
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.host_backup import CopyOrder, CopyProgress, backup_methods
from actorkalix.runtime.layout import found, is_marked, store_folder
from actorkalix_storage.api import HomeTable, StoreError
from actorkalix_storage.lmdbstore import open_store, read_identity
from actorkalix_storage.lmdbstore.backup import StoreCopy
from actorkalix_storage.lmdbstore.environment import DATA_FILE

POLL_S = 0.25
STILL_POLLS = 20  # polls without progress after which it is told all the same
CANCEL_S_MAX = 10.0

R = TypeVar("R")
Sleep = Callable[[float], Awaitable[object]]


class Copying(msgspec.Struct, frozen=True, tag_field="event", tag="copying"):
    """A store's copy goes on: `done` bytes of `total`, which may still change by a little."""

    store: int
    done: int
    total: int


class BackedUp(msgspec.Struct, frozen=True, tag_field="event", tag="backed_up"):
    """The backup is finished and on disk.

    Attributes:
        target: its folder.
        service: whose it is.
        stores: their number.
        bytes: of all copies.
        seconds: how long it took.
        damaged: shards that were not served, with what was found; they are copied as they are.
    """

    target: str
    service: str
    stores: int
    bytes: int
    seconds: float
    damaged: dict[int, str]


BackupEvent = Copying | BackedUp


class ServiceBackup:
    """Takes backups of a service, one at a time.

    Args:
        calls: reaches the hosts.
        data: the data folder; a backup must not lie in it.
        sleep: waits a number of seconds between two looks.
    """

    def __init__(self, calls: HostCalls, data: Path, *, sleep: Sleep = asyncio.sleep) -> None:
        self._calls = calls
        self._data = data
        self._sleep = sleep
        self._busy = False
        self._removal: asyncio.Task[None] | None = None

    async def __call__(self, target: str) -> AsyncGenerator[BackupEvent]:
        """Take a backup; it is cancelled and removed when the iteration ends early.

        Args:
            target: absolute path of a folder that is empty or not there.

        Durability: all of it is on disk when `BackedUp` is told.

        Raises:
            BackupInProgress: another one is being taken.
            TargetUnusable: the target has something in it, lies in the data folder, or cannot be
                written.
            OwnerAway: the host of a store is not there now.
            BackupStopped: too little space, too much growth, or a host ended.
            StoredDataDamaged: a store cannot be copied.
        """
        if self._busy or (self._removal is not None and not self._removal.done()):
            raise BackupInProgress("another backup of this service is being taken or removed")
        self._busy = True
        try:
            async with contextlib.aclosing(self._taken(Path(target))) as events:
                async for event in events:
                    yield event
        finally:
            self._busy = False

    async def _taken(self, target: Path) -> AsyncGenerator[BackupEvent]:
        since = time.monotonic()
        taken = datetime.now(UTC).isoformat(timespec="milliseconds")
        stores = self._calls.stores()
        is_new = await asyncio.to_thread(_make_target, target, self._data)
        try:
            await _all(self._call(store, "start", target) for store in stores)
            for step in ("hold", "cut", "release"):  # all copies begin while nobody writes
                await _all(self._call(store, step, target) for store in stores)
            copies: dict[int, StoreCopy] = {}
            async with contextlib.aclosing(self._followed(stores, target, copies)) as events:
                async for event in events:
                    yield event
            manifest = _manifest(taken, [copies[store] for store in stores])
            await asyncio.to_thread(write_manifest, target, manifest)
        except BaseException as error:
            # A task of its own: whoever cancels us may do so again at every await.
            self._removal = asyncio.create_task(self._give_up(stores, target, is_new, error))
            await asyncio.shield(self._removal)
            raise
        size = sum(store.bytes for store in manifest.stores)
        damaged = {s: what for store in manifest.stores for s, what in store.damaged.items()}
        seconds = round(time.monotonic() - since, 3)
        yield BackedUp(str(target), manifest.service, len(stores), size, seconds, damaged)

    async def _followed(
        self, stores: Iterable[int], target: Path, copies: dict[int, StoreCopy]
    ) -> AsyncGenerator[Copying]:
        """Progress until every store is in `copies`."""
        told: dict[int, Copying] = {}
        polls = 0
        waiting: list[int] = list(stores)
        while waiting:
            answers = await _all(self._call(store, "progress", target) for store in waiting)
            polls += 1
            for store, answer in zip(waiting, answers, strict=True):
                progress = msgspec.msgpack.decode(answer, type=CopyProgress)
                event = Copying(store, progress.done, progress.total)
                if told.get(store) != event or polls % STILL_POLLS == 0:
                    told[store] = event
                    yield event
                if progress.copy is not None:
                    copies[store] = progress.copy
            waiting = [store for store in waiting if store not in copies]
            if waiting:
                await self._sleep(POLL_S)

    async def _call(self, store: int, method: str, target: Path) -> bytes:
        order = msgspec.msgpack.encode(CopyOrder(str(store_folder(target, store))))
        try:
            return await self._calls.call(store, f"backup.{method}", order)
        except OwnerAway as error:
            if method == "start":
                raise
            said = f"store {store}: its host went away while it was copied: {error}"
            raise BackupStopped(said) from error

    async def _give_up(
        self, stores: Iterable[int], target: Path, is_new: bool, error: BaseException
    ) -> None:
        """Stop and remove everything; a host that does not answer has ended, or gives up itself."""

        async def cancelled(store: int) -> None:
            with contextlib.suppress(ActorkalixError, TimeoutError):
                async with asyncio.timeout(CANCEL_S_MAX):
                    await self._call(store, "cancel", target)

        await asyncio.gather(*(cancelled(store) for store in stores))
        left = await asyncio.to_thread(_removed, stores, target, is_new)
        if left and isinstance(error, ActorkalixError | OSError):
            raise BackupStopped(f"{error}; what was written is left in {target}: {left}") from error
        if isinstance(error, OSError):
            raise BackupStopped(f"{target}: {error.strerror or error}") from error


@contextlib.contextmanager
def at_rest(data: Path) -> Generator[ServiceBackup]:
    """Takes backups of a data folder that no service has open.

    Raises:
        FolderUnusable: there is no store in it, or a run was killed while it moved shards.
        FolderInUse, ForeignFolder, UnsupportedFormat, StoredDataDamaged: as they say.
    """
    if is_marked(data):
        raise FolderUnusable(
            f"{data}: a run was killed while it moved shards between stores; start the service "
            "once, which ends that"
        )
    with contextlib.ExitStack() as stack:
        methods: dict[int, Mapping[str, HostMethod]] = {}
        try:
            for folder in found(data).values():
                whose = read_identity(folder)
                store = open_store(
                    folder,
                    service=whose.service,
                    shards=whose.shards,
                    cluster=whose.cluster,
                    number=whose.number,
                    create=False,
                )
                stack.callback(store.close)
                methods[whose.number] = backup_methods(store)
        except StoreError as error:
            raise catalog().get(error.number, ActorkalixError)(str(error)) from error
        if not methods:
            raise FolderUnusable(f"{data}: there is no store")
        yield ServiceBackup(LocalCalls(methods), data)


async def _all(calls: Iterable[Awaitable[R]]) -> list[R]:
    """All answers, or the first error when all have ended."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    good: list[R] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        good.append(answer)
    return good


def _make_target(target: Path, data: Path) -> bool:
    """Make the folder, which must be empty and not in the data folder; whether it is new."""
    if not target.is_absolute():
        raise TargetUnusable(f"{target}: give an absolute path, the service runs elsewhere")
    if target.resolve().is_relative_to(data.resolve()):
        raise TargetUnusable(f"{target} lies in the data folder {data}: choose one outside")
    try:
        if target.is_dir():
            if any(target.iterdir()):
                raise TargetUnusable(f"{target} has something in it: choose an empty folder")
            if not os.access(target, os.W_OK | os.X_OK):
                raise TargetUnusable(f"{target}: no permission to write")
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(mode=0o700)
    except OSError as error:
        raise TargetUnusable(f"{target}: {error.strerror or error}") from error
    return True


def _removed(stores: Iterable[int], target: Path, is_new: bool) -> str:
    """Remove what a backup has written; why something of it is left, or ""."""
    try:
        (target / UNFINISHED).unlink(missing_ok=True)
        for store in stores:
            folder = store_folder(target, store)
            if folder.exists():
                (folder / DATA_FILE).unlink(missing_ok=True)
                folder.rmdir()
        if is_new:
            target.rmdir()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _manifest(taken: str, copies: list[StoreCopy]) -> Manifest:
    first = copies[0].identity
    homes: HomeTable | None = None
    for copy in copies:
        same = msgspec.structs.replace(copy.identity, number=first.number) == first
        if not same:
            raise ForeignFolder(
                f"store {copy.identity.number} is of another data folder than {first.number}: "
                f"{copy.identity}, not {first}"
            )
        if copy.homes is not None and (homes is None or copy.homes.version > homes.version):
            homes = copy.homes
    there = {copy.identity.number for copy in copies}
    missing = [store for store in homes.stores() if store not in there] if homes else []
    if missing:
        raise FolderUnusable(f"store {missing[0]} is missing: it is the home of shards")
    return Manifest(
        actorkalix=metadata.version("actorkalix"),
        taken=taken,
        service=first.service,
        cluster=first.cluster,
        lineage=lineage_hex(first.lineage),
        shards=first.shards,
        homes=homes,
        stores=tuple(file_of(copy) for copy in copies),
    )
