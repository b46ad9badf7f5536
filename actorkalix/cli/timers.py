"""`actorkalix timers`: the named timers of a service, and cancelling one."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output, utc
from actorkalix.cli.source import opened, running
from actorkalix.errors import InvalidCommandLine
from actorkalix.ports import TimerView

if TYPE_CHECKING:
    from rich.console import RenderableType

FAILURE_CHARACTERS = 60  # of a failure in the table; --json has all of it


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """List timers, or cancel the one that is named."""
    if arguments.action is None:
        return asyncio.run(_list(arguments, output))
    if arguments.name is None:
        raise InvalidCommandLine("actorkalix timers cancel NAME: the name is missing")
    return asyncio.run(_cancel(arguments, output))


async def _list(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments, output) as inspect:
        page = await inspect.timers(page=arguments.page, limit=arguments.limit)
    if output.as_json:
        output.document(page)
        return Exit.OK
    if page.timers:
        output.show(_table(page.timers))
    else:
        output.note(f"there are no timers{' beyond this' if arguments.page else ''}")
    if page.next_page:
        output.note(f"there are more: --page {page.next_page}")
    return Exit.OK


async def _cancel(arguments: argparse.Namespace, output: Output) -> int:
    async with running(arguments) as service:
        cancelled = await service.cancel_timer(arguments.name)
    if output.as_json:
        output.document(cancelled)
    elif cancelled.cancelled:
        output.show(f"timer {arguments.name} is cancelled")
    else:
        output.note(f"there is no timer {arguments.name}")
    return Exit.OK if cancelled.cancelled else Exit.FINDING


def _table(timers: list[TimerView]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("name", "next", "every", "calls", "attempts that failed"):
        table.add_column(title, overflow="fold", no_wrap=title == "next")
    for timer in sorted(timers, key=lambda each: (each.next_ms, each.name)):
        target = f"{timer.component} {timer.entity}".rstrip()
        table.add_row(
            timer.name,
            utc(timer.next_ms),
            _period(timer),
            f"{target}.{timer.method}",
            f"{timer.attempt}, {timer.failure[:FAILURE_CHARACTERS]}" if timer.attempt else "",
        )
    return table


def _period(timer: TimerView) -> str:
    if timer.cron:
        return f"{timer.cron} {timer.zone}"
    return f"{timer.every_ms / 1000:g} s" if timer.every_ms else "once"
