"""The files of a view: one for each generation, of which one is written and one is served.

Theory of operation. A view has a folder, and in it a file for each generation, numbered. What makes
the rows has a fingerprint (handlers, rows, sources); a file says of which it is.

    found at the start                        what follows
    a file of this fingerprint                it is written and served
    a whole file of another one               a new file is written beside it; the old one is served
                                              until the new one is whole, then it is deleted
    a file that was never whole, of another   deleted
    a damaged file                            moved aside (`*.damaged`), a new one is written
    nothing, or a file that somebody deletes  a new one is written
    a mark that the view was away (`away`)    as of another fingerprint: records that it had not
                                              seen may be gone

A lock on the folder keeps other processes from writing; who does not get it raises `ViewBusy`.
Readers need no lock: they ask `served` and open the file read-only.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import msgspec

from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.limits import VIEW_LOG_BYTES_MAX
from actorkalix_cluster.shardhost.feeding import pack_answer, unpack_batch

from .positions import meta_in
from .projection import Projection, passes

log = logging.getLogger("actorkalix.views")

BUSY_S = 5.0  # a reader holds nothing for so long, and another writer has no business here
CACHE_KIB = 65_536  # pages of the writer's; the indexes of a million rows
SUFFIX = ".sqlite"
LOCK, AWAY = "lock", "away"
_BESIDE = ("", "-wal", "-shm")


class ViewBusy(Exception):
    """Another process writes the view."""


class Served(msgspec.Struct, frozen=True):
    """What queries are asked of.

    Attributes:
        uri: of the file, for `sqlite3.connect(..., uri=True)`.
        whole: all shards were read to their ends once since it was begun.
        current: it is what is written; else it is of an older generation and does not change.
    """

    uri: str
    whole: bool
    current: bool


def folder_of(views: Path, view: str) -> Path:
    """The folder of a view's files.

    Args:
        views: folder of all views.
        view: its id.
    """
    return views / quote(view, safe="")


def mark_away(views: Path, present: Iterable[str]) -> None:
    """Mark the views that have files and do not run: what they miss now may be cleaned."""
    there = {quote(view, safe="") for view in present}
    for folder in sorted(views.iterdir()) if views.is_dir() else ():
        if folder.is_dir() and folder.name not in there:
            (folder / AWAY).touch()


def connect_writer(uri: str, **options: Any) -> sqlite3.Connection:
    """A connection for a projection: what it commits is on disk.

    Raises:
        sqlite3.DatabaseError: it is no such file, or damaged.
    """
    connection: sqlite3.Connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=BUSY_S, check_same_thread=False, **options
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    # A log that readers made grow is cut down when it begins anew.
    connection.execute(f"PRAGMA journal_size_limit={VIEW_LOG_BYTES_MAX // 4}")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


class ViewFiles:
    """See the head of this file. One thread at a time.

    Args:
        folder: of the view, see `folder_of`; made when it is not there.
        component: the view's descriptor.
        fresh: makes names of generations, no two the same.
        on_applied: is called when rows may have changed, or another file is served.

    Raises:
        ViewBusy: another process writes it.
        OSError: the folder cannot be used.
        sqlite3.OperationalError: the disk is full, or fails.
    """

    def __init__(
        self,
        folder: Path,
        component: ComponentDescriptor,
        *,
        fresh: Callable[[], str] = lambda: secrets.token_hex(8),
        on_applied: Callable[[], object] | None = None,
    ) -> None:
        assert component.view is not None, "the component is a view"
        self.id = component.component_id
        self._folder = folder
        self._component, self._view = component, component.view
        self._fresh = fresh
        self._on_applied = on_applied
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder / LOCK)
        self._old: Path | None = None  # served until the current one is whole
        self._path = folder
        self._inode = 0
        self.projection = self._start()

    # ---- life ---------------------------------------------------------------------------------
    def _start(self) -> Projection:
        """Find the file to write, and the one to serve meanwhile."""
        away = self._folder / AWAY
        if away.exists():
            log.warning("view %s did not run for some time: it is made anew", self.id)
        current: Path | None = None
        for path in self._files():
            meta = self._looked_at(path)
            if meta is None:
                continue
            is_ours = meta.get("fingerprint") == self._view.fingerprint and not away.exists()
            if is_ours and current is None:
                current = path
            elif (meta.get("ready") == "1" and self._old is None and current is None) or (
                meta.get("ready") == "1" and self._old is None and not self._is_whole(current)
            ):
                self._old = path
            else:
                _delete(path)
        projection = self._open(current or self._next())
        away.unlink(missing_ok=True)
        if current is None and self._old is not None:
            log.warning(
                "view %s is made anew beside %s, which is served meanwhile", self.id, self._old.name
            )
        self._switch(projection)
        return projection

    def _files(self) -> list[Path]:
        """Files of all generations, the newest first."""
        found = [path for path in self._folder.glob(f"*{SUFFIX}") if path.stem.isdecimal()]
        return sorted(found, key=lambda path: -int(path.stem))

    def _next(self) -> Path:
        newest = max((int(path.stem) for path in self._files()), default=0)
        return self._folder / f"{newest + 1:06d}{SUFFIX}"

    def _looked_at(self, path: Path) -> dict[str, str] | None:
        """What a file says of itself; None when it is moved aside, for it is damaged."""
        try:
            connection = connect_writer(_uri(path))
            try:
                connection.execute("PRAGMA quick_check(1)").fetchone() if _unclean(path) else None
                return meta_in(connection)
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            if passes(error):
                raise
            self._put_aside(path, error)
            return None

    def _is_whole(self, path: Path | None) -> bool:
        meta = None if path is None else self._looked_at(path)
        return meta is not None and meta.get("ready") == "1"

    def _open(self, path: Path) -> Projection:
        connection = connect_writer(_uri(path))
        try:
            projection = Projection(
                connection, self._component, self._view, generation=self._fresh()
            )
        except BaseException:
            connection.close()
            raise
        self._path, self._inode = path, os.stat(path).st_ino
        projection.on_applied = self._on_applied
        return projection

    def _put_aside(self, path: Path, error: object) -> None:
        """A damaged file is kept for whoever wants to know why; the newest one alone."""
        aside = self._folder / f"{self.id_in_path}.damaged"
        log.error(
            "AK4012 view %s: its file %s is damaged (%s); it lies in %s now, the view is made anew",
            *(self.id, path.name, error, aside.name),
        )
        for end in _BESIDE:
            beside = Path(f"{path}{end}")
            if beside.exists():
                os.replace(beside, f"{aside}{end}")

    @property
    def id_in_path(self) -> str:
        """The view's id as names of files have it."""
        return self._folder.name

    def close(self) -> None:
        """Close the file and let others write it."""
        self.projection.close()
        self._lock.close()

    # ---- batches ------------------------------------------------------------------------------
    def apply(self, batch: bytes) -> bytes:
        """Take a batch; see `Projection.apply`.

        Raises:
            msgspec.DecodeError: it is none.
            OSError: a new file was needed and could not be made.
        """
        if not self._is_there():
            log.error("AK4012 view %s: its file is gone, the view is made anew", self.id)
            self._begin_anew()
        try:
            answer = self.projection.apply(unpack_batch(batch))
        except sqlite3.DatabaseError as error:
            if passes(error):
                raise
            self.projection.close()
            self._put_aside(self._path, error)
            self._begin_anew()
            answer = self.projection.apply(unpack_batch(batch))
        self._switch(self.projection)
        return pack_answer(answer)

    def _is_there(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            return False

    def _begin_anew(self) -> None:
        self.projection.close()
        self.projection = self._open(self._next())

    def _switch(self, projection: Projection) -> None:
        """When the file that is written is whole, the old one goes."""
        if self._old is None or not projection.ready:
            return
        old, self._old = self._old, None
        log.warning("view %s: %s is whole and served now", self.id, self._path.name)
        _delete(old)
        if self._on_applied is not None:
            self._on_applied()

    # ---- for operators and readers ------------------------------------------------------------
    @property
    def served(self) -> Served:
        """The file that queries are asked of."""
        if self._old is not None:
            return Served(_uri(self._old), whole=True, current=False)
        return Served(_uri(self._path), whole=self.projection.ready, current=True)

    def rebuild(self) -> None:
        """Make the view anew, beside what there is."""
        whole, path = self.projection.ready, self._path
        new = self._next()
        self.projection.close()
        if whole:
            if self._old is not None:
                _delete(self._old)
            self._old = path
        self.projection = self._open(new)
        if not whole:
            _delete(path)


def _locked(path: Path) -> IO[bytes]:
    """The lock of a folder, held until it is closed or the process ends.

    Raises:
        ViewBusy: another process has it.
    """
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ViewBusy(f"another process writes the view in {path.parent}") from None
    return file


def _uri(path: Path) -> str:
    return f"file:{quote(str(path))}"


def _unclean(path: Path) -> bool:
    """Who had it open did not close it: the log beside it has something in it."""
    wal = Path(f"{path}-wal")
    return wal.exists() and wal.stat().st_size > 0


def _delete(path: Path) -> None:
    for end in reversed(_BESIDE):
        Path(f"{path}{end}").unlink(missing_ok=True)
