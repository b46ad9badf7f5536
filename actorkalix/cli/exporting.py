"""A table of a view as a Parquet file; pyarrow is loaded for that alone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from actorkalix.errors import InvalidCommandLine, ViewIncomplete
from actorkalix.view_listing import TableView
from actorkalix.viewsql.shapes import ColumnKind
from actorkalix.viewsql.values import from_sqlite

ROWS = 10_000  # of a part, which is read at a time


class Exported(msgspec.Struct, frozen=True):
    """What was written."""

    file: str
    rows: int


def export(path: Path, table: TableView, target: Path) -> Exported:
    """Write a table; the file is there whole or not at all.

    Args:
        path: of the view's file.
        table: its name and columns.
        target: file to be; one that is there is replaced.

    Raises:
        InvalidCommandLine: pyarrow is not installed, or the target cannot be written.
        ViewIncomplete: the file cannot be read here.
    """
    arrow, parquet = _pyarrow()
    fields = [("subject", arrow.string())]
    fields += [(one.name, _type_of(arrow, ColumnKind[one.kind])) for one in table.columns]
    schema = arrow.schema(fields)
    part = target.with_name(f".{target.name}.part")
    rows = 0
    try:
        with parquet.ParquetWriter(str(part), schema) as writer:
            for some in _pages(path, table):
                columns = [
                    [_value(kind, row[place]) for row in some]
                    for place, kind in enumerate(_kinds(table))
                ]
                writer.write_table(arrow.table(columns, schema=schema))
                rows += len(some)
        os.replace(part, target)
    except OSError as error:
        raise InvalidCommandLine(
            f"{target} cannot be written: {error.strerror or error}"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return Exported(str(target.resolve()), rows)


def _pyarrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise InvalidCommandLine(
            "--parquet needs pyarrow: pip install 'actorkalix[parquet]'"
        ) from None


def _pages(path: Path, table: TableView) -> Iterator[list[tuple[Any, ...]]]:
    """Rows by subject; each page is a read of its own, so no writer waits for it."""
    names = ", ".join(_quoted(name) for name in ("$subject", *(one.name for one in table.columns)))
    sql = (
        f'SELECT {names} FROM {_quoted(table.name)} WHERE "$subject" > ? '
        f'ORDER BY "$subject" LIMIT {ROWS}'
    )
    after = ""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
            while some := db.execute(sql, (after,)).fetchall():
                yield some
                after = some[-1][0]
    except sqlite3.Error as error:
        raise ViewIncomplete(f"{path} cannot be read here: {error}") from error


def _kinds(table: TableView) -> list[ColumnKind]:
    return [ColumnKind.TEXT, *(ColumnKind[one.kind] for one in table.columns)]


def _value(kind: ColumnKind, value: Any) -> Any:
    if value is None:
        return None
    if kind is ColumnKind.BOOL:
        return bool(value)
    if kind is ColumnKind.DECIMAL:
        return str(from_sqlite(kind, value))
    return from_sqlite(kind, value) if kind is ColumnKind.TIMESTAMP else value


def _type_of(arrow: Any, kind: ColumnKind) -> Any:
    """Decimals are text: they have as many digits as they like."""
    return {
        ColumnKind.INTEGER: arrow.int64(),
        ColumnKind.FLOAT: arrow.float64(),
        ColumnKind.BOOL: arrow.bool_(),
        ColumnKind.TIMESTAMP: arrow.timestamp("us", tz="UTC"),
        ColumnKind.BYTES: arrow.binary(),
    }.get(kind, arrow.string())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
