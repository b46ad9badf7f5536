"""`actorkalix consumers`: who reads the logs and how far they are, and trying again."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output, utc
from actorkalix.cli.source import opened, running
from actorkalix.consumer_views import ConsumerView, ParkedView
from actorkalix.errors import InvalidCommandLine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

FAILURE_CHARACTERS = 60  # of a failure in the table; --json has all of it


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """List consumers, show one, or have one try again."""
    if arguments.consumer == "retry":
        if arguments.retried is None:
            raise InvalidCommandLine(
                "actorkalix consumers retry CONSUMER: the consumer is missing; "
                "`actorkalix consumers` lists them"
            )
        return asyncio.run(_retry(arguments, output))
    if arguments.retried is not None:
        raise InvalidCommandLine(
            f"actorkalix consumers {arguments.consumer}: one consumer at a time, "
            f"not {arguments.retried!r} too; or `actorkalix consumers retry {arguments.consumer}`"
        )
    if arguments.entity:
        raise InvalidCommandLine(
            "--entity is for `actorkalix consumers retry CONSUMER --entity ID`"
        )
    return asyncio.run(_list(arguments, output))


async def _list(arguments: argparse.Namespace, output: Output) -> int:
    wanted = arguments.consumer or ""
    async with opened(arguments, output) as inspect:
        found = await inspect.consuming.consumers(wanted, limit=arguments.limit)
    if output.as_json:
        output.document(found[0] if wanted else found)
        return Exit.OK
    if found:
        output.show(_table(found))
    else:
        output.note("there are no consumers")
    for one in found:
        if wanted:
            _show_subjects(one, output)
        elif one.parked:
            output.note(f"what is parked: actorkalix consumers {one.consumer}")
        elif one.gap:
            output.note(f"{one.consumer} has missed {one.gap}")
    return Exit.OK


def _show_subjects(one: ConsumerView, output: Output) -> None:
    if one.failure:
        output.note(f"last failure, {utc(one.failed_ms)}: {one.failure}")
    if one.gap:
        output.note(f"missed {one.gaps} times, the last: {one.gap}")
    if not one.subjects:
        output.note("nothing is parked")
        return
    output.show(_parked(one.subjects))
    if one.parked > len(one.subjects):
        output.note(f"{one.parked - len(one.subjects)} more are parked: --limit, up to 1000")
    output.note(f"to try them now: actorkalix consumers retry {one.consumer} [--entity ID]")


async def _retry(arguments: argparse.Namespace, output: Output) -> int:
    consumer, entity = arguments.retried, arguments.entity
    async with running(arguments) as service:
        retried = await service.consuming.retry(consumer, entity)
    found = retried.subjects > 0
    if output.as_json:
        output.document(retried)
    elif found:
        output.show(f"{consumer} tries {retried.subjects} parked subjects now")
        output.note(f"what became of them: actorkalix consumers {consumer}")
    elif entity:
        output.note(
            f"{entity!r} is not parked for {consumer}, or is being tried; "
            f"`actorkalix consumers {consumer}` lists what is"
        )
    else:
        output.note(f"nothing is parked for {consumer}")
    return Exit.OK if found or not entity else Exit.FINDING


def _table(consumers: Iterable[ConsumerView]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    titles = ("consumer", "source", "shards", "behind", "parked", "handled", "failed", "given up")
    for title in (*titles, "last failure"):
        table.add_column(title, overflow="fold", no_wrap=title == "consumer")
    for one in consumers:
        failure, waiting = one.failure[:FAILURE_CHARACTERS], one.waiting
        paused = f"waits as a whole until {utc(one.paused_until_ms)}: "
        table.add_row(
            *(one.consumer, one.source or "-", f"{one.shards:,}"),
            f"{one.behind:,}" + (f", {waiting:,} in memory" if waiting else ""),
            *(f"{one.parked:,}", f"{one.handled:,}", f"{one.failures:,}", f"{one.dead_letters:,}"),
            f"{paused if one.paused_until_ms else ''}{failure}",
        )
    return table


def _parked(subjects: Iterable[ParkedView]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("component", "entity", "attempts", "since", "failure"):
        table.add_column(title, overflow="fold", no_wrap=title == "since")
    for one in subjects:
        failure = one.failure[:FAILURE_CHARACTERS]
        table.add_row(one.component, one.entity, str(one.attempts), utc(one.since_ms), failure)
    return table
