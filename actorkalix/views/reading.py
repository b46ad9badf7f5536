"""Reading a view's file: connections that cannot write or leave it, with an end to every query.

Theory of operation. A query that finds its rows by an index takes some microseconds, less than
handing it to a thread and back. So a query runs at once, where it is asked, with a budget
(`INLINE_STEPS`) that ends it before anybody notices; only one that exceeds it is asked again on a
thread, where it has until its deadline. A query that was too much goes to a thread from then on.

A connection is opened read-only (`mode=ro`), refuses writes a second time (`query_only`), and an
authorizer lets it read tables of this file and call the functions that queries are made of, and
nothing else: no ATTACH, no PRAGMA, no extension, nothing of `sqlite_schema`. Statements come from
our compiler, parameters are bound; this is the second wall behind that.

A read transaction is one statement, or a few of one moment: rows are fetched before anything else
is done. One that lasts is ended when it makes the writer's log grow too large (`holding`).

Used from one event loop; the threads are this module's own.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from actorkalix.errors import Overloaded, QueryTooLarge, QueryTooSlow, ViewIncomplete
from actorkalix.limits import VIEW_LOG_BYTES_MAX, VIEW_READ_MS

from .holding import Holding

log = logging.getLogger("actorkalix.views")

T = TypeVar("T")

Rows = list[tuple[Any, ...]]
Parameters = Mapping[str, Any] | Sequence[Any]
Read = Callable[[str, Parameters], Rows]
"""All rows of one SELECT with its parameters."""
Opening = Callable[[], str]
"""The URI of the file that is served now; raises ViewIncomplete while there is none."""

STEP = 1_000
"""Instructions of SQLite's machine between two looks at the budget: some 20 microseconds."""
INLINE_STEPS = 4
BUSY_MS = 2_000  # a writer holds the lock for no longer than a commit takes
CACHE_KIB = 8_192  # of each connection; the system's cache has the rest
STATEMENTS = 256  # prepared ones of each connection

FUNCTIONS = frozenset(
    (
        *("abs", "avg", "coalesce", "count", "group_concat", "hex", "ifnull", "iif", "instr"),
        *("json", "json_array", "json_array_length", "json_each", "json_extract"),
        *("json_group_array", "json_group_object", "json_object", "json_quote", "json_type"),
        *("json_valid", "length", "like", "lower", "ltrim", "match", "max", "min", "nullif"),
        *("replace", "round", "row_number", "rtrim", "substr", "substring", "sum", "total"),
        *("trim", "typeof", "upper", "glob", "->", "->>", "cast", "dense_rank", "rank", "lag"),
        *("lead", "first_value", "last_value", "unicode", "quote", "sign", "bm25"),
        *("strftime", "date", "datetime", "unixepoch", "printf", "format", "subtype"),
    )
)
"""Functions of SQLite's that a statement may call: none touches a file or allocates without end."""

OWN = "ak_"  # ours begin so

_READS = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE))


TOO_LONG = (
    f"the query took more than {VIEW_READ_MS} ms while the view was written so much that its log "
    f"has outgrown {VIEW_LOG_BYTES_MAX >> 20} MiB"
)


class TooMuch(Exception):
    """A query used up its budget."""


class Reader:
    """One connection; see the module. One thread at a time.

    Args:
        uri: of the file, as `file:...`.
        prepare: is given the connection before it is locked up, to make functions known; their
            names begin with `ak_`.
    """

    def __init__(
        self,
        uri: str,
        prepare: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        self._until = 0.0
        self._steps = 0
        self._holding = Holding((uri,))
        self._harmed = False
        self._db = sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS,
            timeout=BUSY_MS / 1000,
        )
        if prepare is not None:
            prepare(self._db)
        self._db.execute("PRAGMA query_only = 1")
        self._db.execute("PRAGMA trusted_schema = 0")
        self._db.execute("PRAGMA temp_store = 2")  # sorts in memory, and no file of their own
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._db.set_authorizer(self._authorized)
        self._db.set_progress_handler(self._looked, STEP)

    def run(
        self, work: Callable[[Read], T], *, until: float, steps: int = 0, snapshot: bool = False
    ) -> T:
        """What work makes of what it reads.

        Args:
            work: is given a function that gives the rows of one SELECT.
            until: by `time.monotonic`, when reading is ended.
            steps: instructions that all of it may use, in thousands; 0 without end.
            snapshot: it reads more than once, and all of that is to be of one moment.

        Raises:
            TooMuch: it used more steps.
            QueryTooSlow: it took too long, or the writer's log has grown too large meanwhile.
            sqlite3.Error: the file is damaged, or a statement is wrong.
        """
        self._until, self._steps, self._harmed = until, steps, False
        self._holding.begin(time.monotonic())
        try:
            if not snapshot:
                return work(self._read)
            self._db.execute("BEGIN")
            try:
                return work(self._read)
            finally:
                self._db.rollback()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            if steps:
                raise TooMuch from None
            if self._harmed:
                raise QueryTooSlow(TOO_LONG) from None
            raise QueryTooSlow("the query took longer than it may") from None

    def _read(self, sql: str, parameters: Parameters) -> Rows:
        cursor = self._db.execute(sql, parameters)
        try:
            return cursor.fetchall()
        finally:
            cursor.close()

    def version(self) -> int:
        """A number that is another one when the file has changed since it was asked last."""
        self._until, self._steps = time.monotonic() + 1, 0
        found: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        return found

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _looked(self) -> int:
        if self._steps:
            self._steps -= 1
            if not self._steps:
                return 1
        now = time.monotonic()
        self._harmed = self._holding.harms(now)
        return int(self._harmed or now > self._until)

    def _authorized(
        self, action: int, first: str | None, second: str | None, base: str | None, _: str | None
    ) -> int:
        # FTS5 asks for these two when it declares the shape of its tables. Nothing is written, and
        # by `mode=ro`, `query_only` and SQLite's own rule for this table nothing can be.
        if first == "sqlite_master" and (
            action == sqlite3.SQLITE_UPDATE or (action == sqlite3.SQLITE_READ and second == "ROWID")
        ):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            own = base in (None, "", "main") and not (first or "").lower().startswith("sqlite_")
            return sqlite3.SQLITE_OK if own else sqlite3.SQLITE_DENY
        if action in _READS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            name = (second or "").lower()
            known = name in FUNCTIONS or name.startswith(OWN)
            return sqlite3.SQLITE_OK if known else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_TRANSACTION:  # BEGIN, for a snapshot; it can lock nothing
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first == "data_version" and second is None:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY


class ReaderPool:
    """Readers of the file that a view is served from; another one when that is another file.

    Args:
        opening: says which file it is.
        threads: for queries that take their time; 0 for none, all of them run on the loop then.
        waiting_max: queries that may wait for one.
        prepare: see `Reader`.
    """

    def __init__(
        self,
        opening: Opening,
        *,
        threads: int = 4,
        waiting_max: int = 4_096,
        prepare: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        self._opening = opening
        self._prepare = prepare
        self._waiting_max = waiting_max
        self._waiting = 0
        self._executor = ThreadPoolExecutor(threads, "actorkalix-view") if threads else None
        self._own = threading.local()
        self._readers: list[Reader] = []
        self._here: Reader | None = None
        self._uri = ""
        self._slow: set[object] = set()
        self.failures = 0

    # ---- on the loop --------------------------------------------------------------------------
    def reader(self) -> Reader:
        """The connection of this loop, to the file that is served now.

        Raises:
            ViewIncomplete: there is none.
        """
        uri = self._opening()
        if self._here is None or uri != self._uri:
            if self._here is not None:
                self._here.close()
                self._here = None
            self._here = self._opened(uri)
            self._uri = uri
        return self._here

    def version(self) -> tuple[str, int]:
        """Another one when another file is served, or that one has changed.

        Raises:
            ViewIncomplete: there is none.
        """
        try:
            number = self.reader().version()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return self._uri, number

    def at_once(self, key: object, work: Callable[[Read], T], *, snapshot: bool = False) -> T:
        """What work makes of what it reads, if that is little.

        Args:
            key: of the work; once it was too much, it always is.
            work, snapshot: see `Reader.run`.

        Raises:
            TooMuch: it belongs on a thread.
            ViewIncomplete: there is no file, or it is damaged.
        """
        if key in self._slow:
            raise TooMuch
        try:
            return self.reader().run(
                work, until=time.monotonic() + 1, steps=INLINE_STEPS, snapshot=snapshot
            )
        except TooMuch:
            self._slow.add(key)
            raise
        except sqlite3.Error as error:
            raise self._failed(error) from error

    async def aside(
        self, work: Callable[[Read], T], *, timeout_s: float, snapshot: bool = False
    ) -> T:
        """What work makes of what it reads, on a thread.

        Args:
            work, snapshot: see `Reader.run`.
            timeout_s: for all of it, waiting for a thread included.

        Cancellation: it runs on to its end or its deadline, for nobody.

        Raises:
            QueryTooSlow: it took longer.
            Overloaded: too many wait.
            ViewIncomplete: there is no file, or it is damaged.
        """
        if self._waiting >= self._waiting_max:
            raise Overloaded("too many queries wait for this view")
        uri = self._opening()
        until = time.monotonic() + timeout_s
        self._waiting += 1
        try:
            if self._executor is None:
                return self.reader().run(work, until=until, snapshot=snapshot)
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, self._on_thread, uri, work, until, snapshot
            )
        except sqlite3.Error as error:
            raise self._failed(error) from error
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Close all connections; what runs is waited for."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
        for reader in (*self._readers, *([self._here] if self._here is not None else [])):
            reader.close()
        self._readers.clear()
        self._here = None

    # ---- on threads ---------------------------------------------------------------------------
    def _on_thread(self, uri: str, work: Callable[[Read], T], until: float, snapshot: bool) -> T:
        if time.monotonic() > until:
            raise QueryTooSlow("the query waited for a thread for as long as it may take")
        own = self._own
        if getattr(own, "uri", None) != uri:
            old: Reader | None = getattr(own, "reader", None)
            if old is not None:
                old.close()
                with suppress(ValueError):
                    self._readers.remove(old)
            own.uri = None
            own.reader = self._opened(uri)
            own.uri = uri
            self._readers.append(own.reader)
        reader: Reader = own.reader
        return reader.run(work, until=until, snapshot=snapshot)

    def _opened(self, uri: str) -> Reader:
        try:
            return Reader(uri, self._prepare)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> ViewIncomplete:
        self.failures += 1
        log.error("the file of a view cannot be read: %s", error)
        return ViewIncomplete("the view's file cannot be read now; it is built anew if it is lost")


def refuse_more(rows: Rows, rows_max: int, what: str) -> None:
    """Refuse an answer with too many rows.

    Raises:
        QueryTooLarge: it has.
    """
    if len(rows) > rows_max:
        raise QueryTooLarge(
            f"{what} finds more than {rows_max:,} rows: give it a LIMIT, page or stream it"
        )
