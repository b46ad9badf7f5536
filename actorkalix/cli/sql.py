"""`actorkalix sql`: a SELECT over views and live states of a service, running or at rest."""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from typing import TYPE_CHECKING

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.cli.source import opened_views
from actorkalix.errors import InvalidCommandLine
from actorkalix.view_listing import SqlFound, SqlOrder, SqlTable

if TYPE_CHECKING:
    from rich.console import RenderableType

CELL_CHARACTERS = 80  # of a value in the table; --json and --csv have all of it


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Ask a statement, or list the tables."""
    if arguments.tables:
        return asyncio.run(_tables(arguments, output))
    if not (arguments.sql or "").strip():
        raise InvalidCommandLine(
            'actorkalix sql "SELECT ...": the statement is missing; `actorkalix sql --tables` '
            "lists what it may ask"
        )
    if arguments.csv and output.as_json:
        raise InvalidCommandLine("--csv or --json, not both")
    return asyncio.run(_ask(arguments, output))


async def _tables(arguments: argparse.Namespace, output: Output) -> int:
    async with opened_views(arguments, output) as there:
        tables = await there.sql_tables()
    if output.as_json:
        output.document(tables)
    elif tables:
        output.show(_table_of(tables))
    else:
        output.note("there is nothing that could be asked")
    return Exit.OK


async def _ask(arguments: argparse.Namespace, output: Output) -> int:
    async with opened_views(arguments, output) as there:
        found = await there.sql(SqlOrder(arguments.sql, arguments.limit))
    if output.as_json:
        output.document(found)
        return Exit.OK
    if arguments.csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(found.columns)
        writer.writerows(found.rows)
        sys.stdout.flush()
    elif found.rows:
        output.show(_rows(found))
    else:
        output.note("no rows")
    if found.more:
        output.note(f"there are more rows than {arguments.limit:,}: --limit, up to 100000")
    return Exit.OK


def _rows(found: SqlFound) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for place, title in enumerate(found.columns):
        numbers = all(isinstance(row[place], int | float | None) for row in found.rows)
        table.add_column(title, overflow="fold", justify="right" if numbers else "left")
    for row in found.rows:
        table.add_row(*(Text(_shown(value)) for value in row))
    return table


def _shown(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= CELL_CHARACTERS else text[:CELL_CHARACTERS] + "…"


def _table_of(tables: list[SqlTable]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("table", "of", "columns"):
        table.add_column(title, overflow="fold", no_wrap=title == "table")
    for one in tables:
        table.add_row(one.name, one.of, ", ".join(one.columns))
    return table
