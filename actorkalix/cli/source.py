"""Where inspecting commands look: a running service's admin port, else its folder at rest.

A folder's note (`runtime.presence`) says where its service answers. A note may be left over from a
killed process, so the service is asked for its store's lineage before it is believed.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from actorkalix.cli.admin import AdminInspection
from actorkalix.cli.output import Output
from actorkalix.errors import (
    ActorkalixError,
    AdminUnreachable,
    FolderUnusable,
    InvalidCommandLine,
    catalog,
)
from actorkalix.runtime import presence
from actorkalix.runtime.config import ADMIN_PORT, LOOPBACK
from actorkalix.runtime.inspection import StoreInspection, lineage_text
from actorkalix.runtime.layout import found, is_store
from actorkalix_cluster.placement.moves import decide
from actorkalix_storage.api import HomeTable, StoreError

if TYPE_CHECKING:
    from actorkalix.ports import Inspect
    from actorkalix.runtime.fanout import ClusterInspection
    from actorkalix.runtime.loading import Loaded
    from actorkalix.runtime.view_listing import ServiceViews
    from actorkalix.view_listing import Views
    from actorkalix_storage.api import Store

USUAL_ADMIN = f"http://{LOOPBACK}:{ADMIN_PORT}"

PROBE_TIMEOUT_S = 2.0
"""Until a service that is said to run must have answered."""


@asynccontextmanager
async def opened(arguments: argparse.Namespace, output: Output) -> AsyncGenerator[Inspect]:
    """What `--service`, `--data` and `--admin` name; which it was is said on stderr.

    Raises:
        AdminUnreachable: `--admin` was given and no service answers there.
        InvalidCommandLine: nothing was named, and no service answers at the usual place.
        ServiceNotLoaded, FolderUnusable, FolderInUse, ForeignFolder: as they say.
    """
    loaded = _loaded(arguments)
    folder = Path(arguments.data) if arguments.data else loaded.data if loaded else None
    async with AsyncExitStack() as stack:
        running = await _running(arguments.admin, folder, stack)
        if running is not None:
            output.note(f"reading the running service at {running.url}")
            yield running
        elif folder is not None:
            inspection = _at_rest(folder, loaded, stack)
            output.note(f"reading the folder {folder} at rest")
            yield inspection
        else:
            raise InvalidCommandLine(
                f"no service answers at {USUAL_ADMIN}: say where to look with --service, --data "
                "or --admin"
            )


@asynccontextmanager
async def opened_views(arguments: argparse.Namespace, output: Output) -> AsyncGenerator[Views]:
    """Views of what `--service`, `--data` and `--admin` name, as `opened`.

    Raises: as `opened`; InvalidCommandLine, too, where the code is missing that says what views
        a folder at rest has.
    """
    from actorkalix.cli.view_admin import AdminViews

    loaded = _loaded(arguments)
    folder = Path(arguments.data) if arguments.data else loaded.data if loaded else None
    async with AsyncExitStack() as stack:
        running = await _running(arguments.admin, folder, stack)
        if running is not None:
            yield AdminViews(running)
        elif folder is None:
            raise AdminUnreachable(
                f"no service runs at {USUAL_ADMIN}; a folder at rest is named by --service MODULE "
                "and --data"
            )
        elif loaded is None:
            raise InvalidCommandLine(
                f"no service runs on {folder}; at rest the code says which views there are: name "
                "it, --service module:service"
            )
        else:
            views = _views_at_rest(folder, loaded, stack)
            output.note(f"reading the folder {folder} at rest")
            yield views


@asynccontextmanager
async def running(arguments: argparse.Namespace) -> AsyncGenerator[AdminInspection]:
    """The running service that `--service`, `--data` and `--admin` name.

    Raises:
        AdminUnreachable: no service answers there.
        ServiceNotLoaded: as it says.
    """
    loaded = _loaded(arguments)
    folder = Path(arguments.data) if arguments.data else loaded.data if loaded else None
    async with AsyncExitStack() as stack:
        service = await _running(arguments.admin, folder, stack)
        if service is None:
            where = f"on the folder {folder}" if folder is not None else f"at {USUAL_ADMIN}"
            raise AdminUnreachable(f"no service runs {where}")
        yield service


def folder_of(arguments: argparse.Namespace) -> Path | None:
    """The data folder that `--data` or `--service` names.

    Raises:
        ServiceNotLoaded: as it says.
    """
    if arguments.data:
        return Path(arguments.data)
    loaded = _loaded(arguments)
    return loaded.data if loaded else None


def _loaded(arguments: argparse.Namespace) -> Loaded | None:
    if arguments.service is None:
        return None
    from actorkalix.runtime.loading import load, resolve

    return load(resolve(arguments.service, arguments.app_dir))


async def _running(
    admin: str | None, folder: Path | None, stack: AsyncExitStack
) -> AdminInspection | None:
    """The service at the named address, on the folder, or at the usual address; else None."""
    if admin is not None:
        running = await stack.enter_async_context(AdminInspection(admin))
        await running.status()
        return running
    lineage = None
    if folder is not None:
        note = presence.find(folder)
        if note is None:
            return None
        admin, lineage = note.admin_url, _lineage(folder)
    probe = AdminInspection(admin or USUAL_ADMIN, timeout_s=PROBE_TIMEOUT_S)
    running = await stack.enter_async_context(probe)
    try:
        status = await running.status()
    except AdminUnreachable:
        return None
    return running if lineage in (None, status.lineage) else None


def _lineage(folder: Path) -> str:
    from actorkalix_storage.lmdbstore import read_identity

    try:
        return next((lineage_text(read_identity(each)) for each in found(folder).values()), "")
    except StoreError:
        return ""


def _at_rest(folder: Path, loaded: Loaded | None, stack: AsyncExitStack) -> ClusterInspection:
    """All stores of a folder, open in this process until `stack` closes them."""
    from actorkalix.runtime.fanout import ClusterInspection, LocalCalls, inspect_methods

    stores, folders = stores_of(folder, loaded, stack), found(folder)
    try:
        homes = _homes(folder, stores)
    except StoreError as error:
        raise catalog().get(error.number, ActorkalixError)(str(error)) from error
    service = loaded.service if loaded else None
    descriptor = service.descriptor if service else None
    limits = service.limits if service else None
    inspections = {
        number: StoreInspection(store, descriptor, folder=folders[number], limits=limits)
        for number, store in stores.items()
    }
    calls = LocalCalls({number: inspect_methods(each) for number, each in inspections.items()})
    identity = next(iter(stores.values())).identity
    return ClusterInspection(calls, lambda: homes, descriptor, identity=identity)


def _views_at_rest(folder: Path, loaded: Loaded, stack: AsyncExitStack) -> ServiceViews:
    """The files of views as they are, and how far they are from what is stored."""
    from actorkalix.runtime.fanout import LocalCalls
    from actorkalix.runtime.layout import views_folder
    from actorkalix.runtime.state_scan import scan_methods
    from actorkalix.runtime.view_listing import ServiceViews
    from actorkalix.runtime.view_places import heads_of

    stores, service = stores_of(folder, loaded, stack), loaded.service
    try:
        homes = _homes(folder, stores)
    except StoreError as error:
        raise catalog().get(error.number, ActorkalixError)(str(error)) from error
    calls = LocalCalls(
        {
            number: scan_methods(StoreInspection(store, service.descriptor, limits=service.limits))
            for number, store in stores.items()
        }
    )
    newest = {
        shard: place
        for number, store in stores.items()
        for shard, place in heads_of(store, homes.of_store(number)).items()
    }
    return ServiceViews(service.descriptor, views_folder(folder), calls, newest)


def stores_of(
    folder: Path, loaded: Loaded | None, stack: ExitStack | AsyncExitStack
) -> dict[int, Store]:
    """The stores of a folder at rest by number, open until `stack` closes them.

    Raises:
        FolderUnusable, FolderInUse, ForeignFolder: as they say.
    """
    if not folder.exists():
        raise FolderUnusable(f"there is no folder {folder}: nothing has run on it yet")
    folders = found(folder)
    if not folders:
        raise FolderUnusable(f"{folder}: there is no store")
    stores: dict[int, Store] = {}
    try:
        for number, each in folders.items():
            stores[number] = store = _open(each, loaded)
            stack.callback(store.close)
    except StoreError as error:
        raise catalog().get(error.number, ActorkalixError)(str(error)) from error
    return stores


def _open(folder: Path, loaded: Loaded | None) -> Store:
    from actorkalix_storage.lmdbstore import open_store, read_identity

    identity = read_identity(folder)
    return open_store(
        folder,
        service=loaded.service.name if loaded else identity.service,
        shards=identity.shards,
        cluster=identity.cluster,
        number=identity.number,
        create=False,
    )


def _homes(folder: Path, stores: Mapping[int, Store]) -> HomeTable:
    """Which of the stores has a shard.

    One store of a data folder, opened alone, is asked for itself; what is elsewhere is away.
    """
    tables = {number: store.homes() for number, store in stores.items()}
    table = next(iter(tables.values())) if is_store(folder) else decide(tables)
    if table is not None:
        return table
    number, store = next(iter(stores.items()))  # of version 0.1; or all of them are empty
    return HomeTable(1, ((number,),) * store.identity.shards)
