"""`actorkalix views`: what the views of a service are at, and acting on one of them.

What only looks is answered by a running service, or from the files of one at rest.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output, utc
from actorkalix.cli.source import opened_views, running
from actorkalix.cli.view_admin import AdminViews
from actorkalix.errors import InvalidCommandLine, UnknownRoute, ViewIncomplete
from actorkalix.view_listing import Explained, ParkedRowView, ViewView

if TYPE_CHECKING:
    from rich.console import RenderableType

FAILURE_CHARACTERS = 60  # of a failure in the table; --json has all of it


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """List views, or do something about one."""
    action, view = arguments.action, arguments.view
    if action != "list" and view is None:
        raise InvalidCommandLine(
            f"actorkalix views {action} VIEW: the view is missing; `actorkalix views` lists them"
        )
    if action == "list" and view is not None:
        raise InvalidCommandLine(f"actorkalix views list lists all of them, not {view!r} alone")
    if (action == "export") != (arguments.parquet is not None):
        raise InvalidCommandLine(
            "--parquet FILE is for `actorkalix views export`, and needed there"
        )
    return asyncio.run(_DOES[action](arguments, output))


async def _list(arguments: argparse.Namespace, output: Output) -> int:
    async with opened_views(arguments, output) as there:
        views = await there.listed()
    if output.as_json:
        output.document(views)
        return Exit.OK
    if not views:
        output.note("the service has no views")
        return Exit.OK
    output.show(_table(views))
    for one in views:
        if one.state in ("building", "incomplete"):
            output.note(f"{one.view} is being built: {_progress(one)}")
        if one.failure:
            output.note(f"{one.view} takes nothing now: {one.failure}")
        if one.parked:
            output.note(f"what is parked: actorkalix views parked {one.view}")
        if one.state == "inactive":
            output.note(f"files of no view of the code: actorkalix views drop {one.view}")
    return Exit.OK


async def _parked(arguments: argparse.Namespace, output: Output) -> int:
    async with opened_views(arguments, output) as there:
        found = await there.parked(arguments.view, limit=arguments.limit)
    if output.as_json:
        output.document(found)
    elif found:
        output.show(_subjects(found))
    else:
        output.note(f"nothing is parked for {arguments.view}")
    return Exit.OK


async def _explain(arguments: argparse.Namespace, output: Output) -> int:
    async with opened_views(arguments, output) as there:
        found = await there.explained(arguments.view)
    if output.as_json:
        output.document(found)
        return Exit.OK
    output.show("\n".join(_explained(found)))
    for query in found.queries:
        for table in dict.fromkeys(table for one in query.statements for table in one.scans):
            output.note(f"{query.name} scans all of {table}")
    for note in found.notes:
        output.note(note)
    return Exit.OK


async def _drop(arguments: argparse.Namespace, output: Output) -> int:
    async with running(arguments) as service:
        dropped = await AdminViews(service).drop(arguments.view)
    if output.as_json:
        output.document(dropped)
    elif dropped.dropped:
        output.show(f"the files of {dropped.view} are deleted")
    else:
        output.note(f"there are no files of a view {dropped.view!r}")
    return Exit.OK if dropped.dropped else Exit.FINDING


async def _rebuild(arguments: argparse.Namespace, output: Output) -> int:
    async with running(arguments) as service:
        order = await AdminViews(service).rebuild(arguments.view)
    if output.as_json:
        output.document(order)
    else:
        output.show(f"{order.view} is made anew; what there is is served until that is whole")
    return Exit.OK


async def _export(arguments: argparse.Namespace, output: Output) -> int:
    from actorkalix.cli.exporting import export

    async with opened_views(arguments, output) as there:
        views = await there.listed()
    view = next((one for one in views if one.view == arguments.view), None)
    if view is None:
        raise UnknownRoute(f"the service has no view {arguments.view!r}")
    if not view.file:
        raise ViewIncomplete(f"the view {view.view!r} has no file that is whole")
    names = [table.name for table in view.tables]
    wanted = arguments.table or (names[0] if len(names) == 1 else "")
    table = next((one for one in view.tables if one.name == wanted), None)
    if table is None:
        raise InvalidCommandLine(f"--table is one of {', '.join(names)}")
    with output.working(f"writing {arguments.parquet}"):
        written = export(Path(view.file), table, Path(arguments.parquet))
    if output.as_json:
        output.document(written)
    else:
        output.show(f"{written.rows:,} rows of {view.view}.{table.name} are in {written.file}")
    return Exit.OK


_DOES = {
    "list": _list,
    "explain": _explain,
    "parked": _parked,
    "rebuild": _rebuild,
    "drop": _drop,
    "export": _export,
}


def _progress(one: ViewView) -> str:
    if not one.newest:
        return "nothing is read yet"
    return f"{one.passed:,} of {one.newest:,} records, {100 * one.passed // one.newest} %"


def _table(views: Iterable[ViewView]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    titles = ("view", "state", "rows", "behind", "parked", "handled", "gaps", "size", "process")
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title == "view")
    for one in views:
        rows = ", ".join(
            f"{each.name} {each.rows:,}" if each.rows >= 0 else f"{each.name} ?"
            for each in one.tables
        )
        table.add_row(
            *(one.view, one.state, rows or "-", f"{one.behind:,}", f"{one.parked:,}"),
            *(f"{one.handled:,}", f"{one.gaps:,}", f"{one.bytes / 1e6:,.1f} MB"),
            str(one.pid) if one.pid else "-",
        )
    return table


def _subjects(subjects: Iterable[ParkedRowView]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("table", "subject", "component", "attempts", "since", "failure"):
        table.add_column(title, overflow="fold", no_wrap=title == "since")
    for one in subjects:
        failure = one.failure[:FAILURE_CHARACTERS]
        table.add_row(
            *(one.table, one.subject, one.component, str(one.attempts), utc(one.since_ms), failure)
        )
    return table


def _explained(found: Explained) -> Iterable[str]:
    for query in found.queries:
        yield f"{query.name}"
        yield from (f"    {line.strip()}" for line in query.sql.strip().splitlines())
        for statement in query.statements:
            yield "  SQLite:"
            yield f"    {statement.sql}"
            yield from (f"    · {step}" for step in statement.plan)
        yield ""
    yield "indexes:" if found.indexes else "no indexes"
    yield from (f"    {index}" for index in found.indexes)
