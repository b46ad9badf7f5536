"""Makes the stores of a data folder what a run wants them to be, before any host starts.

Where the right number of stores is there, with one home table and nothing begun, that is read and
nothing more (`_settled`). Everything else, from the first store to moves between many, is done by
`settling` in a child process: damaged pages can kill who reads them, and it should not be this one.
The child holds what it is given to inherit, tells what it does in lines of JSON, and dies with
this process; a kill of either is repaired by the next start, see `placement.moves`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

import actorkalix
import actorkalix_cluster
import actorkalix_storage
from actorkalix.errors import (
    ActorkalixError,
    InternalError,
    PreparationEnded,
    StoredDataDamaged,
    catalog,
)
from actorkalix.runtime.config import Moving
from actorkalix.runtime.layout import found as found
from actorkalix.runtime.layout import is_marked, is_store
from actorkalix.runtime.layout import store_folder as store_folder
from actorkalix.runtime.settling import (
    STORES_MAX,
    Failed,
    Moved,
    Opening,
    Said,
    Wanted,
    check_hosts,
)
from actorkalix.runtime.settling import Prepared as Prepared
from actorkalix_cluster.placement import SHARDS_DEFAULT
from actorkalix_cluster.placement.moves import decide, plan, ring_of
from actorkalix_cluster.rayhost.launch import python_path
from actorkalix_storage.api import StoreError
from actorkalix_storage.lmdbstore import read_homes, read_identity

CHILD = "actorkalix.runtime.settling:main"

_FAULTS = {signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}
"""How reading damaged pages ends a process."""


def prepare(
    data: Path,
    service: str,
    *,
    shards: int = SHARDS_DEFAULT,
    hosts: int | None = None,
    report: Callable[[Moving], None],
    inherit: tuple[int, ...] = (),
) -> Prepared:
    """Make the stores and move shards, until `hosts` stores have them all.

    Args:
        data: the data folder, taken by this process.
        service: whose it is.
        shards: of a service that has no store yet; stores that are there know their number.
        hosts: 1 to 64, at most one a shard; None for as many as there are, or one, or as many as a
            run wanted that was killed while it moved shards.
        report: is told how moving goes on, some times a second.
        inherit: file descriptors that the child holds too (the folder's lock).

    Durability: what is returned is on disk.

    Raises:
        InvalidCommandLine: so many hosts cannot be.
        ForeignFolder, FolderInUse, UnsupportedFormat, FolderUnusable, StoreFull: as they say.
        StoredDataDamaged: a store is damaged, or reading it has ended the child.
        PreparationEnded: the child was ended from outside.
    """
    if hosts is not None:
        check_hosts(hosts, STORES_MAX)
    settled = _settled(data, service, hosts)
    if settled is not None:
        return settled
    wanted = Wanted(str(data.absolute()), service, shards, hosts)
    return _by_child(wanted, report, inherit)


def _settled(data: Path, service: str, hosts: int | None) -> Prepared | None:
    """What is there, if that is all that is wanted; None where the child has to look or to act."""
    if is_marked(data) or is_store(data):
        return None
    stores = found(data)
    if not stores or [*stores] != [*range(hosts or len(stores))]:
        return None
    try:
        identities = [read_identity(folder) for folder in stores.values()]
        tables = {number: read_homes(folder) for number, folder in stores.items()}
        table = decide(tables)
    except StoreError:
        return None  # the child meets it too, and says it better
    whose = identities[0]
    alike = [msgspec.structs.replace(whose, number=number) for number in stores]
    if table is None or identities != alike or whose.service != service:
        return None
    if set(tables.values()) != {table} or plan(table, ring_of(len(stores))).moves:
        return None
    folders = {number: str(folder) for number, folder in stores.items()}
    return Prepared(whose.cluster, whose.lineage, whose.shards, table, folders)


# ---- the child ----------------------------------------------------------------------------
def _by_child(
    wanted: Wanted, report: Callable[[Moving], None], inherit: tuple[int, ...]
) -> Prepared:
    """Let a child do it, and pass on what it tells."""
    at, last = wanted.data, None
    with _started(wanted, inherit) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                match last := _said(line):
                    case Opening(folder):
                        at = folder
                    case Moved(done, of, records):
                        report(Moving(done, of, records))
                    case _:
                        pass
        except BaseException:
            child.kill()
            raise
    match last:
        case Prepared():
            return last
        case Failed(number, message):
            raise catalog().get(number, ActorkalixError)(message)
        case _:
            raise _death(child.returncode, at)


def _started(wanted: Wanted, inherit: tuple[int, ...]) -> subprocess.Popen[bytes]:
    ours = python_path(actorkalix, actorkalix_cluster, actorkalix_storage)
    paths = [*ours, *filter(None, [os.environ.get("PYTHONPATH")])]
    module = CHILD.partition(":")[0]
    request = msgspec.json.encode(wanted).decode()
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(os.getpid()), request],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        pass_fds=inherit,
        start_new_session=True,  # Ctrl-C in the terminal is for this process alone
    )


def _said(line: bytes) -> Said | None:
    try:
        said: Said = msgspec.json.decode(line, type=Said)
    except msgspec.MsgspecError:
        return None  # it was killed in the middle of the line
    return said


def _death(code: int, at: str) -> ActorkalixError:
    """Why there is no answer."""
    who = f"the process that prepares the stores ended at {at}"
    if code >= 0:
        return InternalError(f"{who}, with {code} and no answer; what it printed says why")
    how = signal.Signals(-code).name
    if -code in _FAULTS:
        return StoredDataDamaged(f"{at}: reading it ended a process by {how}; verify it")
    return PreparationEnded(f"{who}, by {how}; the next start goes on from there")
