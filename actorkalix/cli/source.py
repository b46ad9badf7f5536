"""Where inspecting commands look: a running service's admin port, else its folder at rest.

A folder's note (`runtime.presence`) says where its service answers. A note may be left over from a
killed process, so the service is asked for its store's lineage before it is believed.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
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
from actorkalix_storage.api import StoreError

if TYPE_CHECKING:
    from actorkalix.ports import Inspect
    from actorkalix.runtime.loading import Loaded
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
            store = _open(folder, loaded)
            stack.callback(store.close)
            output.note(f"reading the folder {folder} at rest")
            service = loaded.service if loaded else None
            yield StoreInspection(
                store,
                service.descriptor if service else None,
                folder=folder,
                limits=service.limits if service else None,
            )
        else:
            raise InvalidCommandLine(
                f"no service answers at {USUAL_ADMIN}: say where to look with --service, --data "
                "or --admin"
            )


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
    return running if lineage in (None, status.get("lineage")) else None


def _lineage(folder: Path) -> str:
    from actorkalix_storage.lmdbstore import read_identity

    try:
        return lineage_text(read_identity(folder))
    except StoreError:
        return ""


def _open(folder: Path, loaded: Loaded | None) -> Store:
    from actorkalix_storage.lmdbstore import open_store, read_identity

    if not folder.exists():
        raise FolderUnusable(f"there is no folder {folder}: nothing has run on it yet")
    try:
        identity = read_identity(folder)
        return open_store(
            folder,
            service=loaded.service.name if loaded else identity.service,
            shards=identity.shards,
            cluster=identity.cluster,
            number=identity.number,
            create=False,
        )
    except StoreError as error:
        raise catalog().get(error.number, ActorkalixError)(str(error)) from error
