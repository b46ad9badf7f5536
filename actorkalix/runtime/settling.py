"""The child process of `stores.prepare`: `python -m actorkalix.runtime.settling <parent> <wanted>`.

It has all stores of a data folder open at once, which nobody else ever has, and in this order

    moves a store of version 0.1 into its folder -> opens what is there -> decides which home table
    counts and what has to move -> makes the stores that are missing -> moves (`shardhost.moving`)
    -> closes all -> removes the stores beyond those that are wanted

says what it does in lines of JSON, the last of which is `Prepared` or `Failed`. The mark in the
folder stands from before the first change until after the last, so that the next start looks again
after a kill, also where tables already agree and only leftovers are to be dropped.

A store beyond the wanted ones is removed only here: its shards were dropped, and the table, which
all others have, names it nowhere.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from actorkalix.errors import ActorkalixError, FolderUnusable, InvalidCommandLine
from actorkalix.runtime import layout
from actorkalix_cluster.placement.moves import Plan, begin, decide, plan, ring_of
from actorkalix_cluster.shardhost import moving
from actorkalix_storage.api import ForeignStore, HomeTable, Store, StoreError, StoreIdentity
from actorkalix_storage.lmdbstore import LmdbStore, open_store, read_identity

STORES_MAX = 64
TOLD_EVERY_S = 0.2

_PR_SET_PDEATHSIG = 1  # prctl(2)


class Wanted(msgspec.Struct, frozen=True):
    """What the child is asked for.

    Attributes:
        data: the data folder, absolute.
        service: whose it is.
        shards: of a service that has no store yet.
        hosts: how many stores there are to be; None for as many as there are, or one.
    """

    data: str
    service: str
    shards: int
    hosts: int | None


class Opening(msgspec.Struct, frozen=True, tag="opening"):
    """A store is about to be touched."""

    folder: str


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """So many shards are copied, and so many records."""

    done: int
    of: int
    records: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It was given up: an error by its number."""

    number: str
    message: str


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """The stores of a service, as hosts may open them.

    Attributes:
        cluster, lineage, shards: the same in all stores.
        homes: which store has a shard; the same in all stores.
        stores: folder of each store, by number.
    """

    cluster: str
    lineage: int
    shards: int
    homes: HomeTable
    stores: dict[int, str]


Said = Opening | Moved | Failed | Prepared
Tell = Callable[[Said], object]


def main() -> None:
    """Do what the command line says; the outcome is the last line."""
    _die_with(int(sys.argv[1]))
    wanted = msgspec.json.decode(sys.argv[2], type=Wanted)
    try:
        _say(settle(wanted, _say))
    except (StoreError, ActorkalixError) as error:
        _say(Failed(error.number, str(error)))
    except OSError as error:
        message = f"{error.filename or wanted.data} cannot be written: {error.strerror}"
        _say(Failed(FolderUnusable.number, message))


def settle(wanted: Wanted, tell: Tell) -> Prepared:
    """Make, move and remove until the folder is as it is wanted.

    Args:
        wanted: what.
        tell: is told what happens.

    Durability: everything is on disk when this returns; after a kill call it again.

    Raises:
        InvalidCommandLine: so many hosts cannot be.
        ForeignFolder, StoreError: as they say.
        OSError: the folder cannot be written.
    """
    data = Path(wanted.data)
    data.mkdir(parents=True, exist_ok=True)
    layout.upgrade(data, wanted.service)
    with ExitStack() as stack:
        opened = _Stores(wanted, tell, stack)
        stores = opened.stores
        hosts = _hosts(wanted, data, stores)
        check_hosts(hosts, opened.shards)
        table = decide({number: store.homes() for number, store in stores.items()})
        if table is None:
            table = begin(ring_of(hosts), opened.shards, _filled(stores))
        planned = plan(table, ring_of(hosts))
        moving.check(stores, planned)
        layout.put_mark(data, layout.Mark(hosts))
        for number in range(hosts):
            if number not in stores:
                opened.open(number)
        _move(stores, table, planned, tell)
        whose = stores[0].identity
    for number in [number for number in stores if number >= hosts]:
        assert not planned.table.of_store(number), f"store {number} is a home"
        layout.remove(layout.store_folder(data, number))
    layout.remove_mark(data)
    folders = {number: str(layout.store_folder(data, number)) for number in range(hosts)}
    return Prepared(whose.cluster, whose.lineage, whose.shards, planned.table, folders)


def check_hosts(hosts: int, shards: int) -> None:
    """Refuse a number of hosts that cannot be.

    Raises:
        InvalidCommandLine: it is below 1, above 64 or above the number of shards.
    """
    most = min(STORES_MAX, shards)
    if not 1 <= hosts <= most:
        why = f": the service has {shards} shards" if shards < STORES_MAX else ""
        raise InvalidCommandLine(f"--hosts: {hosts} is not in 1 to {most}{why}")


class _Stores:
    """All stores of a data folder, open; `stack` closes them.

    Attributes:
        stores: by number.
        shards: number of shards of the service.
    """

    def __init__(self, wanted: Wanted, tell: Tell, stack: ExitStack) -> None:
        self._data = Path(wanted.data)
        self._service = wanted.service
        self._tell = tell
        self._stack = stack
        self._whose: StoreIdentity | None = None
        self.stores: dict[int, LmdbStore] = {}
        self.shards = wanted.shards
        folders = layout.found(self._data)
        for number, folder in folders.items():
            self._tell(Opening(str(folder)))
            if self._whose is None:
                self._whose = read_identity(folder)
                self.shards = self._whose.shards
            self.open(number)

    def open(self, number: int) -> None:
        """Open a store, or make it one of the same service."""
        folder = layout.store_folder(self._data, number)
        store = open_store(
            folder,
            service=self._service,
            shards=self.shards,
            cluster=self._whose.cluster if self._whose is not None else None,
            number=number,
            lineage=self._whose.lineage if self._whose is not None else None,
        )
        self._stack.callback(store.close)
        self._whose = self._whose or store.identity
        if store.identity.lineage != self._whose.lineage:
            raise ForeignStore(
                f"{folder} has another history than the stores beside it, though it is of the same "
                f"service: put each store where it came from, or restore a backup"
            )
        self.stores[number] = store


def _hosts(wanted: Wanted, data: Path, stores: Mapping[int, Store]) -> int:
    """How many stores there are to be."""
    if wanted.hosts is not None:
        return wanted.hosts
    mark = layout.get_mark(data)
    return mark.hosts if mark is not None else max(stores, default=0) + 1


def _filled(stores: Mapping[int, Store]) -> list[int]:
    """Numbers of the stores that have records."""
    return [
        number
        for number, store in stores.items()
        if any(store.durable(shard).offset for shard in range(store.identity.shards))
    ]


def _move(stores: Mapping[int, Store], table: HomeTable, planned: Plan, tell: Tell) -> None:
    told_s = -TOLD_EVERY_S

    def report(progress: moving.Progress) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if now_s - told_s >= TOLD_EVERY_S or progress.done == progress.of:
            told_s = now_s
            tell(Moved(progress.done, progress.of, progress.records))

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    moving.perform(stores, table, planned, report, now_ms=now_ms)


def _say(said: Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


def _die_with(parent: int) -> None:
    """Be killed when the process that started this one ends, however it ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it has ended before
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
