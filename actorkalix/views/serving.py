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
from actorkalix.views.files import SUFFIX

LOOK_EVERY_S = 0.05
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
        self._again_s = 0.0
        self._said = "nothing keeps it yet"

    def __call__(self) -> str:
        """The URI of the file.

        Raises:
            ViewIncomplete: there is none that is whole; the message says how far it is.
        """
        try:
            changed = os.stat(self._name).st_mtime_ns
        except OSError:
            changed = 0
        if changed != self._changed or self._monotonic_s() >= self._again_s:
            self._look(changed)
        if not self._uri:
            raise ViewIncomplete(f"the view {self._view!r} is not complete: {self._said}")
        return self._uri

    def _look(self, changed: int) -> None:
        self._uri, self._said, settled = "", "nothing keeps it yet", False
        for number, path in enumerate(newest_first(self._folder)):
            uri = uri_of(path)
            ready, said = _looked_at(uri)
            if ready:
                self._uri, settled = uri, number == 0
                break
            if number == 0:
                self._said = said
        young = abs(self._now_ns() - changed) < YOUNG_NS
        self._changed = changed
        wait_s = float("inf") if settled and not young else LOOK_EVERY_S
        self._again_s = self._monotonic_s() + wait_s


def newest_first(folder: Path) -> list[Path]:
    """Files of all generations."""
    found = [path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal()]
    return sorted(found, key=lambda path: -int(path.stem))


def uri_of(path: Path) -> str:
    """For reading alone."""
    return f"file:{quote(str(path))}?mode=ro"


def _looked_at(uri: str) -> tuple[bool, str]:
    """Whether a file is whole; and how far it is."""
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            meta = dict(db.execute('SELECT "key", "value" FROM "$meta"').fetchall())
            if meta.get("ready") == "1":
                return True, ""
            passed, newest = db.execute(
                'SELECT sum("offset"), sum(max("offset", "newest")) FROM "$positions"'
            ).fetchone()
    except sqlite3.Error:
        return False, "its file is being made"
    if not newest:
        return False, "it is being built"
    return False, f"it is being built, {passed:,} of {newest:,} records are read"
