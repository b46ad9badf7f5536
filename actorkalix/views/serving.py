"""Which file of a view is served, as any process sees it: the newest one that is whole.

The process that writes a view (`files`) makes, fills and deletes its files; here others find out
which one to read. A file is whole when all shards were read to their ends once. While a new one is
being filled, the old one is served; where there is none, the view is incomplete, and says how far
it is.

That is looked up again when the folder has changed, by its time; and every `LOOK_EVERY_S` while
the newest file is not whole yet, for that happens inside it. A time may stand for two changes, so
a young one is not believed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from actorkalix.errors import ViewIncomplete
from actorkalix.views.files import SUFFIX, folder_of

VIEWS = "views"  # folder of all views in a data folder
LOOK_EVERY_S = 0.05
FRESH_S = 0.002  # a look at a folder is a tenth of a small query
YOUNG_NS = 50_000_000  # clocks of file systems tick each 1 to 10 ms


class Serving:
    """See the module; the `Opening` of a `ReaderPool`.

    Args:
        view: its id, for messages.
        folder: of its files.
        monotonic_s, now_ns: clocks.
    """

    def __init__(
        self,
        view: str,
        folder: Path,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._view = view
        self._folder = folder
        self._name = os.fspath(folder)
        self._monotonic_s = monotonic_s
        self._now_ns = now_ns
        self._uri = ""
        self._changed = 0
        self._again_s = self._fresh_s = 0.0
        self._said = "nothing keeps it yet"

    def __call__(self) -> str:
        """The URI of the file; with its generation, for a file of the same name may follow it.

        Raises:
            ViewIncomplete: there is none that is whole; the message says how far it is.
        """
        now_s = self._monotonic_s()
        if now_s < self._fresh_s:
            return self._uri
        try:
            changed = os.stat(self._name).st_mtime_ns
        except OSError:
            changed = 0
        if changed != self._changed or now_s >= self._again_s:
            self._look(changed)
        if not self._uri:
            raise ViewIncomplete(f"the view {self._view!r} is not complete: {self._said}")
        self._fresh_s = now_s + FRESH_S
        return self._uri

    def _look(self, changed: int) -> None:
        self._uri, self._said, settled = "", "nothing keeps it yet", False
        for number, path in enumerate(newest_first(self._folder)):
            generation, said = _looked_at(uri_of(path))
            if generation:
                self._uri = f"{uri_of(path)}&generation={quote(generation)}"
                settled = number == 0
                break
            if number == 0:
                self._said = said
        young = abs(self._now_ns() - changed) < YOUNG_NS
        self._changed = changed
        wait_s = float("inf") if settled and not young else LOOK_EVERY_S
        self._again_s = self._monotonic_s() + wait_s


def connect(data: str | Path, view: str) -> sqlite3.Connection:
    """A read-only connection to a view, for analyses on the node where it lies.

    With Ray Data (`pip install 'ray[data]'`), also of a service at rest:
    `ray.data.read_sql("SELECT name, size FROM carts", lambda: connect("DATA", "cart-rows"))`.
    Columns are as they are kept: timestamps in microseconds since 1970, decimals as sortable text;
    `$row` has the whole row as JSON. With types, and on any node: `actorkalix views export carts
    --parquet FILE`, then `ray.data.read_parquet("FILE")`.

    Args:
        data: the service's data folder.
        view: id of the view.

    Raises:
        ViewIncomplete: it has no file that is whole.
    """
    serving = Serving(view, folder_of(Path(data) / VIEWS, view))
    return sqlite3.connect(serving(), uri=True, isolation_level=None)


def newest_first(folder: Path) -> list[Path]:
    """Files of all generations."""
    found = [path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal()]
    return sorted(found, key=lambda path: -int(path.stem))


def uri_of(path: Path) -> str:
    """For reading alone."""
    return f"file:{quote(str(path))}?mode=ro"


def _looked_at(uri: str) -> tuple[str, str]:
    """Generation of a file that is whole, else ""; and how far it is."""
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            meta = dict(db.execute('SELECT "key", "value" FROM "$meta"').fetchall())
            if meta.get("ready") == "1":
                return str(meta["generation"]), ""
            passed, newest = db.execute(
                'SELECT sum("offset"), sum(max("offset", "newest")) FROM "$positions"'
            ).fetchone()
    except sqlite3.Error:
        return "", "its file is being made"
    if not newest:
        return "", "it is being built"
    return "", f"it is being built, {passed:,} of {newest:,} records are read"
