"""What becomes of a view's queries: SQLite's statements, their plans, the indexes; and notes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from actorkalix.describe.descriptors import ComponentDescriptor, TableDescriptor, described
from actorkalix.view_listing import Explained, QueryView, StatementView
from actorkalix.views.memory import MemoryView
from actorkalix.views.serving import uri_of
from actorkalix.viewsql.explaining import scanned
from actorkalix.viewsql.functions import install
from actorkalix.viewsql.query import Query


def explained(component: ComponentDescriptor, path: Path | None) -> Explained:
    """What becomes of a view's queries; blocks.

    Args:
        component: the view's descriptor.
        path: of its newest file; None plans with an empty one.
    """
    view = component.view
    assert view is not None, "the component is a view"
    memory = MemoryView(component) if path is None else None
    uri = memory.uri if memory is not None else uri_of(path) if path is not None else ""
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            install(db)
            queries = tuple(
                QueryView(
                    name,
                    query.query.text,
                    tuple(_planned(db, query.query, one) for one in query.query.sqlite),
                )
                for name, query in view.queries.items()
            )
    finally:
        if memory is not None:
            memory.close()
    indexes = dict.fromkeys(
        index.create for query in view.queries.values() for index in query.query.indexes
    )
    notes = tuple(note for table in view.tables.values() for note in _notes(table))
    return Explained(component.component_id, queries, tuple(indexes), notes)


def _planned(db: sqlite3.Connection, query: Query, sql: str) -> StatementView:
    try:
        rows = db.execute(f"EXPLAIN QUERY PLAN {sql}", _Nulls()).fetchall()
    except sqlite3.Error as error:
        return StatementView(sql, (f"no plan: {error}",), ())
    steps = tuple(str(row[3]) for row in rows)
    return StatementView(sql, steps, scanned(query, sql, steps))


class _Nulls(dict[str, None]):
    """Every parameter of a statement is NULL."""

    def __missing__(self, name: str) -> None:
        return None


def _notes(table: TableDescriptor) -> list[str]:
    """What making the table anew would not bring back."""
    notes: list[str] = []
    source = described(table.source)
    if table.on_delete is not None:
        notes.append(
            f"{table.name}: rows that {table.on_delete.name} keeps of deleted entities are gone "
            "after a rebuild, once those are cleaned"
        )
    if source is None:
        notes.append(f"{table.name}: messages that are not kept any more are not read again")
    elif source.kind == "value":
        notes.append(f"{table.name}: of each entity only the newest state is read again")
    return notes
