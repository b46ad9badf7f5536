"""`actorkalix backup` and `actorkalix restore`: a whole service into a folder, and back.

A service that runs is asked through its admin port and writes the backup itself; the stores of a
folder at rest are copied from here. A restore is made from here, with nothing running.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.cli.source import folder_of, running
from actorkalix.errors import AdminUnreachable, BackupStopped
from actorkalix.ports import BackupOrder
from actorkalix.runtime.backup import BackedUp, BackupEvent, Copying, at_rest
from actorkalix.runtime.restore import (
    Checked,
    Checking,
    Restored,
    RestoreEvent,
    Writing,
    check,
    restore,
)

if TYPE_CHECKING:
    from rich.progress import TaskID

    from actorkalix.cli.admin import AdminInspection

EVENT_S_MAX = 120.0
"""Between two events of a running service; without progress it tells one every 5 s."""

Event = BackupEvent | RestoreEvent
Progress = Copying | Checking | Writing


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Back up or restore; `Exit.FINDING` when the stored data itself is damaged."""
    if arguments.command == "backup":
        target = os.path.abspath(arguments.target)  # the service may run in another folder
        return asyncio.run(_back_up(arguments, output, target))
    return _restore(arguments, output)


# ---- backup ----------------------------------------------------------------------------------
async def _back_up(arguments: argparse.Namespace, output: Output, target: str) -> int:
    last: BackupEvent | None = None
    with _Teller(output).shown() as tell:
        async with _events(arguments, output, target) as events, aclosing(events):
            async for last in events:
                tell(last)
    if not isinstance(last, BackedUp):
        raise BackupStopped("the service ended before the backup was whole; there is none")
    if not output.as_json:
        output.show(
            f"backed up {last.service} to {last.target}: {_stores(last.stores)}, "
            f"{last.bytes:,} bytes, {last.seconds:.1f} s"
        )
    return _named(last.damaged, output)


@asynccontextmanager
async def _events(
    arguments: argparse.Namespace, output: Output, target: str
) -> AsyncGenerator[AsyncGenerator[BackupEvent]]:
    """A backup by the running service, or of its folder at rest."""
    folder = folder_of(arguments)
    async with AsyncExitStack() as stack:
        try:
            service = await stack.enter_async_context(running(arguments))
        except AdminUnreachable:
            if arguments.admin is not None or folder is None:
                raise
            backup = stack.enter_context(at_rest(folder))
            output.note(f"copying the folder {folder} at rest")
            yield backup(target)
        else:
            output.note(f"asking the running service at {service.url}")
            yield _asked(service, target)


async def _asked(service: AdminInspection, target: str) -> AsyncGenerator[BackupEvent]:
    lines = service.lines("backup", BackupOrder(target), wait_s=EVENT_S_MAX)
    async with aclosing(lines):
        async for line in lines:
            yield msgspec.json.decode(line, type=BackupEvent)


# ---- restore ---------------------------------------------------------------------------------
def _restore(arguments: argparse.Namespace, output: Output) -> int:
    backup, data = Path(arguments.backup), Path(arguments.data)
    events = check(backup, data) if arguments.dry_run else restore(backup, data)
    last: RestoreEvent | None = None
    with _Teller(output).shown() as tell, closing(events):
        for last in events:
            tell(last)
    assert isinstance(last, Checked | Restored)
    if not output.as_json:
        facts = f"{_stores(last.stores)}, {last.shards:,} shards, {last.bytes:,} bytes"
        if isinstance(last, Checked):
            output.show(
                f"{last.backup} is a whole backup of {last.service}, taken {last.taken}: {facts}, "
                f"{last.records:,} records, {last.seconds:.1f} s"
            )
        else:
            output.show(f"restored {last.service} to {last.data}: {facts}, {last.seconds:.1f} s")
            output.note(
                f"this is {last.service} as it was {last.taken}; serve it with "
                f"`actorkalix run SERVICE --data {last.data}`"
            )
    return _named(last.damaged, output)


# ---- telling ---------------------------------------------------------------------------------
class _Teller:
    """Events as JSON lines, or as bars on a terminal: one for each store and what is done to it."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bars = None if output.as_json else output.bars()
        self._tasks: dict[tuple[type[Progress], int], TaskID] = {}

    def __call__(self, event: Event) -> None:
        if self._bars is None:
            self._output.line(event)
        elif isinstance(event, Progress):
            key = (type(event), event.store)
            if key not in self._tasks:
                what = type(event).__name__.lower()
                self._tasks[key] = self._bars.add_task(f"{what} store {event.store}")
            # Before the child has looked at the store its size is not known.
            total = event.total or None
            self._bars.update(self._tasks[key], completed=event.done, total=total)

    @contextmanager
    def shown(self) -> Generator[_Teller]:
        """Keep the bars on the terminal while the block runs."""
        if self._bars is None:
            yield self
        else:
            with self._bars:
                yield self


def _stores(count: int) -> str:
    return f"{count:,} store{'' if count == 1 else 's'}"


def _named(damaged: dict[int, str], output: Output) -> int:
    for shard, what in sorted(damaged.items()):
        output.note(f"shard {shard} was damaged when the backup was taken: {what}")
    return Exit.FINDING if damaged else Exit.OK
