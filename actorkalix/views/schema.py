"""The tables of a view's file, and what the file says of itself."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

from actorkalix.describe.descriptors import ViewDescriptor
from actorkalix.limits import VIEW_REMOVED_MAX
from actorkalix.viewsql.indexes import INDEX

from . import parked, positions, tables
from .positions import meta_in, put_meta
from .tables import TableFold

if TYPE_CHECKING:
    from actorkalix.viewsql.query import Query

log = logging.getLogger("actorkalix.views")

PRUNED_EVERY = 1_000
"""Transactions between two looks whether there are too many notes of removed rows."""


def prepare(
    connection: sqlite3.Connection,
    view: ViewDescriptor,
    folds: Iterable[TableFold],
    generation: str,
) -> None:
    """Make what a file lacks: all of it, or what queries were added for.

    Args:
        connection: to the file, without a transaction.
        view: whose file it is.
        folds: of its tables.
        generation: what a new file calls itself.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        there = {name for (name,) in connection.execute('SELECT "name" FROM "sqlite_schema"')}
        for statement in (*positions.CREATE, *parked.CREATE, *tables.CREATE):
            connection.execute(statement)
        for fold in folds:
            _prepare_table(connection, fold, there)
        indexes = [index for query in compiled(view) for index in query.indexes]
        _drop_unwanted(connection, there, {index.name for index in indexes})
        for index in indexes:
            connection.execute(index.create)
        if "generation" not in meta_in(connection):
            put_meta(
                connection, generation=generation, fingerprint=view.fingerprint, seq=0, ready=0
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _drop_unwanted(connection: sqlite3.Connection, there: set[str], wanted: set[str]) -> None:
    """Each index is written with every row, so those that no query asks for any more go."""
    for name in sorted(name for name in there - wanted if name.startswith(INDEX)):
        quoted = name.replace('"', '""')
        connection.execute(f'DROP INDEX "{quoted}"')
        log.info("no query needs the index %r any more: it is dropped", name)


def _prepare_table(connection: sqlite3.Connection, fold: TableFold, there: set[str]) -> None:
    missing = fold.storage.missing(there) if fold.name in there else ()
    for statement in (*fold.storage.idle(there), *fold.storage.create):
        connection.execute(statement)
    if fold.keeps_removed:
        connection.execute(fold.index)
    for search in missing:
        for subject, value in connection.execute(search.select).fetchall():
            for statement, parameters in search.fill(subject, value):
                connection.execute(statement, parameters)


def compiled(view: ViewDescriptor) -> list[Query]:
    """The queries of a view that have a plan."""
    return [one.query for one in view.queries.values() if one.query is not NotImplemented]


def followed_in(view: ViewDescriptor) -> set[str]:
    """Tables whose changes are streamed."""
    return {
        name
        for one in view.queries.values()
        if one.stream_updates and one.query is not NotImplemented
        for name in one.query.tables
    }


def note_change(connection: sqlite3.Connection, seq: int) -> None:
    """Rows have changed, in the transaction of this number."""
    put_meta(connection, seq=seq)
    if seq % PRUNED_EVERY:
        return
    # The newest notes stay; `removed_from` says from where on all are there.
    row = connection.execute(
        'SELECT "seq" FROM "$removed" ORDER BY "seq" DESC LIMIT 1 OFFSET ?', (VIEW_REMOVED_MAX,)
    ).fetchone()
    if row is not None:
        connection.execute('DELETE FROM "$removed" WHERE "seq"<=?', row)
        put_meta(connection, removed_from=row[0])


def note_ready(connection: sqlite3.Connection, view: str, shards: int) -> bool:
    """When all shards were read to their ends once, the view is whole; whether it is.

    Args:
        connection: in a transaction.
        view: its id, for the log.
        shards: of the service.
    """
    meta = meta_in(connection)
    if meta.get("shards") != str(shards):
        put_meta(connection, shards=shards)
    if meta.get("ready") == "1":
        return True
    select = 'SELECT count(*) FROM "$positions" WHERE "offset">="newest"'
    if connection.execute(select).fetchone()[0] >= shards:
        put_meta(connection, ready=1)
        log.info("view %s is whole", view)
        return True
    return False
