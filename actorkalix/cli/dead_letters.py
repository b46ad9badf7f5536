"""`actorkalix dead-letters`: what consumers have given up; shown, handled again, forgotten."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output, utc
from actorkalix.cli.source import opened, running
from actorkalix.consumer_views import DeadLetterView
from actorkalix.errors import InvalidCommandLine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

FAILURE_CHARACTERS = 60  # of a failure in the table; `show` and --json have all of it


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """List, show, replay or drop, by the word that was typed."""
    if arguments.action == "list":
        return asyncio.run(_list(arguments, output))
    if arguments.id is None:
        raise InvalidCommandLine(
            f"actorkalix dead-letters {arguments.action} ID: the id is missing; "
            "`actorkalix dead-letters` lists them"
        )
    actions = {"show": _show, "replay": _replay, "drop": _drop}
    return asyncio.run(actions[arguments.action](arguments, output))


async def _list(arguments: argparse.Namespace, output: Output) -> int:
    consumer = arguments.id or ""
    async with opened(arguments, output) as inspect:
        page = await inspect.consuming.dead_letters(
            consumer, page=arguments.page, limit=arguments.limit
        )
    if output.as_json:
        output.document(page)
        return Exit.OK
    if page.letters:
        output.show(_table(page.letters))
        output.note("one with its payload: actorkalix dead-letters show ID")
    else:
        output.note(f"there are no dead letters{' beyond this' if arguments.page else ''}")
    if page.next_page:
        output.note(f"there are more: --page {page.next_page}")
    return Exit.OK


async def _show(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments, output) as inspect:
        letter = await inspect.consuming.dead_letter(arguments.id)
    if output.as_json:
        output.document(letter)
        return Exit.OK
    named = f"{letter.type} v{letter.type_version} " if letter.type else ""
    output.show(
        f"{letter.component} {letter.entity!r}, {letter.kind} {letter.sequence_number} {named}"
        f"of {utc(letter.time_ms)}",
        f"{letter.consumer} failed {letter.attempts} times, from {utc(letter.since_ms)} "
        f"to {utc(letter.failed_ms)}: {letter.failure}",
    )
    if letter.note:
        output.note(letter.note)
    else:
        output.show(msgspec.json.format(msgspec.json.encode(letter.payload), indent=2).decode())
    if letter.metadata:
        output.show(f"metadata {msgspec.json.encode(letter.metadata).decode()}")
    output.note(f"actorkalix dead-letters replay {letter.id}, or drop {letter.id}")
    return Exit.OK


async def _replay(arguments: argparse.Namespace, output: Output) -> int:
    async with running(arguments) as service:
        replayed = await service.consuming.replay(arguments.id)
    if output.as_json:
        output.document(replayed)
    elif replayed.handled:
        output.show(f"{arguments.id} is handled and gone")
    else:
        output.note(f"{arguments.id} failed again and stays: {replayed.failure}")
    return Exit.OK if replayed.handled else Exit.FINDING


async def _drop(arguments: argparse.Namespace, output: Output) -> int:
    async with running(arguments) as service:
        dropped = await service.consuming.drop(arguments.id)
    if output.as_json:
        output.document(dropped)
    elif dropped.dropped:
        output.show(f"{arguments.id} is dropped")
    else:
        output.note(f"there is no dead letter {arguments.id}; `actorkalix dead-letters` lists them")
    return Exit.OK if dropped.dropped else Exit.FINDING


def _table(letters: Iterable[DeadLetterView]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("id", "component", "entity", "number", "given up", "attempts", "failure"):
        table.add_column(title, overflow="fold", no_wrap=title in ("id", "given up"))
    for one in letters:
        table.add_row(
            *(one.id, one.component, one.entity, str(one.sequence_number)),
            *(utc(one.failed_ms), str(one.attempts), one.failure[:FAILURE_CHARACTERS]),
        )
    return table
