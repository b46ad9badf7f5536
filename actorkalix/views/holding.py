"""How long a read may hold up the log of a view's file.

Theory of operation. While a statement reads, SQLite keeps what was written since it began: the log
beside the file (`-wal`) grows, and is used from its beginning again when nobody reads what is in
it. A stream reads pages by key, each a transaction of its own; but an answer is of one moment, so
its transaction lasts as long as it takes to find its rows. Up to `VIEW_READ_MS` nobody asks. Then
the log is looked at, and a read goes on while it harms nobody: once the log is larger than
`VIEW_LOG_BYTES_MAX` it is ended, as if its time were over. So a view that is not written is asked
for as long as `view_query_timeout` says, and one that is written much never has a log that outgrows
it. To end all reads after `VIEW_READ_MS` would take queries away that are right to take a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import unquote

from actorkalix.limits import VIEW_LOG_BYTES_MAX, VIEW_READ_MS

LOOK_S = 0.05
"""Between two looks at the log: what is written meanwhile is a few megabytes."""


def log_of(uri: str) -> str:
    """Path of the log of a file, by its `file:` URI; "" where there is none, as in memory."""
    path, _, options = uri.removeprefix("file:").partition("?")
    return "" if "mode=memory" in options else f"{unquote(path)}-wal"


class Holding:
    """See the head of this file; for one read at a time.

    Args:
        uris: of the files that are read.
    """

    def __init__(self, uris: Iterable[str]) -> None:
        self._logs = [log for uri in uris if (log := log_of(uri))]
        self._look = 0.0

    def begin(self, now: float) -> None:
        """A read begins at this time, by `time.monotonic`."""
        self._look = now + VIEW_READ_MS / 1000

    def harms(self, now: float) -> bool:
        """Whether the read has to end."""
        if now < self._look:
            return False
        self._look = now + LOOK_S
        return any(_size(log) > VIEW_LOG_BYTES_MAX for log in self._logs)


def _size(log: str) -> int:
    try:
        return os.stat(log).st_size
    except OSError:
        return 0  # nothing was written since the file was closed
