"""`actorkalix entities`, `state` and `events`: what a service's store holds."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output, utc
from actorkalix.cli.source import opened
from actorkalix.ports import EntityView, EventView

if TYPE_CHECKING:
    from rich.console import RenderableType


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Print ids, a state or changes, by the command that was typed."""
    commands = {"entities": _entities, "state": _state, "events": _events}
    return asyncio.run(commands[arguments.command](arguments, output))


async def _entities(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments, output) as inspect:
        page = await inspect.entities(
            arguments.component, page=arguments.page, limit=arguments.limit
        )
    if output.as_json:
        output.document(page)
        return Exit.OK
    for entity in page.ids:
        output.show(entity)
    if not page.ids:
        output.note(
            f"{arguments.component} has no entities{' beyond this' if arguments.page else ''}"
        )
    if page.next_page:
        output.note(f"there are more: --page {page.next_page}")
    return Exit.OK


async def _state(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments, output) as inspect:
        view = await inspect.state(arguments.component, arguments.entity)
    if output.as_json:
        output.document(view)
    elif view.exists:
        output.note(_facts(view))
        output.show(_json(view.state))
    if not view.exists:
        output.note(_nothing_of(arguments))
    if view.note:
        output.note(view.note)
    return Exit.OK if view.exists else Exit.FINDING


async def _events(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments, output) as inspect:
        views = await inspect.events(
            arguments.component,
            arguments.entity,
            after=arguments.after,
            limit=arguments.limit,
            with_state=arguments.with_state,
        )
        known = bool(views) or (await inspect.state(arguments.component, arguments.entity)).exists
    for view in views:
        if output.as_json:
            output.line(view)
        else:
            output.show(*_shown(view, arguments.with_state))
    if len(views) >= arguments.limit:
        output.note(f"there may be more: --after {views[-1].sequence_number}")
    elif not known:
        output.note(_nothing_of(arguments))
    elif not views:
        output.note(f"there are no changes beyond {arguments.after}")
    return Exit.OK if known else Exit.FINDING


def _nothing_of(arguments: argparse.Namespace) -> str:
    return f"nothing is stored of {arguments.component} {arguments.entity!r}"


def _facts(view: EntityView) -> str:
    facts = [f"{view.component} {view.entity!r}", f"sequence number {view.sequence_number}"]
    facts += ["deleted"] if view.deleted else []
    facts += [f"expires {utc(view.expires_ms)}"] if view.expires_ms else []
    return " · ".join([*facts, f"shard {view.shard}"])


def _shown(view: EventView, with_state: bool) -> list[RenderableType]:
    from rich.text import Text

    named = f"{view.type} v{view.type_version}" if view.type else ""
    facts = [named, utc(view.time_ms), f"shard {view.shard} offset {view.offset}"]
    facts += ["with a key"] if view.has_key else []
    head = Text.assemble(
        (f"{view.sequence_number:>6} ", "bold"),
        f"{view.kind}  ",
        (" · ".join(fact for fact in facts if fact), "dim"),
    )
    lines: list[RenderableType] = [head]
    if view.payload is not None:
        lines.append(f"       {_json(view.payload, indent=0)}")
    if view.metadata:
        lines.append(f"       metadata {_json(view.metadata, indent=0)}")
    if with_state:
        lines.append(f"       state    {_json(view.state, indent=0)}")
    return lines


def _json(value: Any, indent: int = 2) -> str:
    encoded = msgspec.json.encode(value)
    return (msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()
