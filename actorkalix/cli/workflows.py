"""`actorkalix workflows`: list, show, suspend, resume, terminate, restart, resolve."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output, utc
from actorkalix.cli.source import opened, running
from actorkalix.errors import InvalidCommandLine
from actorkalix.workflow_views import Action, ControlOrder, Moment, WorkflowRow, WorkflowView

if TYPE_CHECKING:
    from rich.console import RenderableType

FAILURE_CHARACTERS = 60  # of a failure in a table; --json has all of it


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Do what was typed."""
    action = arguments.action
    if action == "list":
        return asyncio.run(_list(arguments, output))
    if action in ("diagram", "check"):
        from actorkalix.cli import workflow_code

        return workflow_code.execute(arguments, output)
    if arguments.component is None or arguments.id is None:
        raise InvalidCommandLine(f"actorkalix workflows {action} COMPONENT ID: one is missing")
    if action == "show":
        return asyncio.run(_show(arguments, output))
    return asyncio.run(_control(arguments, output))


async def _list(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments, output) as inspect:
        page = await inspect.workflows.workflows(
            arguments.component or "",
            status=arguments.status or "",
            page=arguments.page,
            limit=arguments.limit,
        )
    if output.as_json:
        output.document(page)
        return Exit.OK
    if page.workflows:
        output.show(_table(page.workflows))
    else:
        output.note(f"there are no workflows{' beyond this' if arguments.page else ''}")
    if page.next_page:
        output.note(f"there are more: --page {page.next_page}")
    return Exit.OK


async def _show(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments, output) as inspect:
        view = await inspect.workflows.workflow(
            arguments.component,
            arguments.id,
            after=arguments.after,
            limit=min(1_000, max(arguments.limit, 100)),
        )
    known = view.row.sequence_number > 0
    if output.as_json:
        output.document(view)
    elif known:
        output.show(*_shown(view))
    else:
        output.note(f"nothing is stored of {arguments.component} {arguments.id!r}")
    if view.note:
        output.note(view.note)
    if view.more:
        output.note(f"there is more: --after {view.moments[-1].sequence_number}")
    return Exit.OK if known else Exit.FINDING


async def _control(arguments: argparse.Namespace, output: Output) -> int:
    action: Any = arguments.action
    assert action in get_args(Action), action
    if action == "resolve" and arguments.promise is None:
        raise InvalidCommandLine(
            "actorkalix workflows resolve COMPONENT ID PROMISE [JSON]: the promise is missing"
        )
    try:
        value = None if arguments.value is None else msgspec.json.decode(arguments.value)
    except msgspec.DecodeError as problem:
        raise InvalidCommandLine(f"the value is no JSON: {problem}") from problem
    order = ControlOrder(
        *(arguments.component, arguments.id, action, arguments.reason, arguments.step),
        *(arguments.promise or "", value, arguments.anew),
    )
    async with running(arguments) as service:
        done = await service.workflows.control(order)
    if action == "resume" and done.status in ("paused", "waiting"):
        output.note("resume undoes suspend alone; a pause ends by a command, a wait by `resolve`")
    if output.as_json:
        output.document(done)
    else:
        output.show(f"{done.component} {done.workflow_id} is {done.status.replace('_', ' ')}")
    return Exit.OK


# ---- for people -------------------------------------------------------------------------------
def _table(rows: list[WorkflowRow]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("workflow", "id", "status", "step", "started", "changed", "what about it"):
        table.add_column(title, overflow="fold", no_wrap=title in ("started", "changed"))
    for row in rows:
        table.add_row(
            *(row.component, row.workflow_id, row.status.replace("_", " "), row.step),
            *(utc(row.started_ms), utc(row.changed_ms), _about(row)),
        )
    return table


def _about(row: WorkflowRow) -> str:
    said = [row.reason] if row.reason else []
    if row.failure and row.failure != row.reason:  # of one that has failed it is the reason
        attempt = f"attempt {row.attempt}: " if row.attempt else ""
        said.append(f"{attempt}{row.failure[:FAILURE_CHARACTERS]}")
    if row.next_ms and row.status in ("retrying", "paused", "waiting"):
        said.append(f"until {utc(row.next_ms)}")
    elif row.next_ms and row.status in ("ended", "failed", "timed_out", "terminated"):
        said.append(f"deleted {utc(row.next_ms)}")
    return ", ".join(said)


def _shown(view: WorkflowView) -> list[RenderableType]:
    from rich.text import Text

    row = view.row
    facts = [row.status.replace("_", " ")]
    facts += [f"before: {view.suspended_in}"] if view.suspended_in else []
    facts += [f"step {row.step}"] if row.step else []
    facts += [f"times out {utc(view.deadline_ms)}"] if view.deadline_ms else []
    facts += [f"waits for {', '.join(view.promises)}"] if view.promises else []
    facts += [f"{view.undo} undo call{'s' * (view.undo > 1)}"] if view.undo else []
    facts += [f"children {', '.join(view.children)}"] if view.children else []
    facts += [f"started by {view.parent}"] if view.parent else []
    facts += [about] if (about := _about(row)) else []
    head = Text.assemble((f"{row.component} {row.workflow_id}  ", "bold"), " · ".join(facts))
    state = "" if view.state is None else f"state {msgspec.json.encode(view.state).decode()}"
    return [head, *([state] if state else []), _timeline(view.moments)]


def _timeline(moments: tuple[Moment, ...]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("record", "time", "took", "what happened", "then"):
        table.add_column(title, overflow="fold", no_wrap=title in ("record", "time", "took"))
    for moment in moments:
        table.add_row(
            *(str(moment.sequence_number), utc(moment.time_ms), _took(moment)),
            *(_happened(moment), _then(moment)),
        )
    return table


def _took(moment: Moment) -> str:
    if not moment.ended_ms:
        return ""
    took_ms = moment.ended_ms - moment.began_ms
    return f"{took_ms} ms" if took_ms < 10_000 else f"{took_ms / 1000:.1f} s"


def _happened(moment: Moment) -> str:
    said = moment.did.replace("_", " ")
    if moment.did == "child_started" and moment.failure:
        said = "child not started"
    if moment.did == "command":
        return f"command {moment.what}"
    if moment.step:
        said = f"{moment.step}, attempt {moment.attempt}: {said.removeprefix('attempt ')}"
    elif moment.what:
        said = f"{said}: {moment.what}"
    return f"{said}: {moment.failure}" if moment.failure else said


def _then(moment: Moment) -> str:
    busy = moment.status in ("running", "retrying", "suspended")
    said = moment.status.replace("_", " ")
    said = f"{said} {moment.next_step}" if busy and moment.next_step else said
    return f"{said}: {moment.reason}" if moment.reason else said
