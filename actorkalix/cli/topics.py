"""`actorkalix topics`: the topics of a running service, and publishing to one."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

import msgspec

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.cli.source import running
from actorkalix.errors import InvalidCommandLine
from actorkalix.ports import PublishOrder, TopicView

if TYPE_CHECKING:
    from rich.console import RenderableType


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """List topics, or publish a message."""
    if arguments.action is None:
        return asyncio.run(_list(arguments, output))
    if arguments.name is None or arguments.message is None:
        raise InvalidCommandLine("actorkalix topics publish NAME JSON: one of them is missing")
    try:
        value = msgspec.json.decode(arguments.message)
    except msgspec.DecodeError as problem:
        raise InvalidCommandLine(f"the message is no JSON: {problem}") from problem
    order = PublishOrder(value, arguments.subject, arguments.id, arguments.type)
    return asyncio.run(_publish(arguments, order, output))


async def _list(arguments: argparse.Namespace, output: Output) -> int:
    async with running(arguments) as service:
        topics = await service.topics()
    if output.as_json:
        output.document(topics)
    elif topics:
        output.show(_table(topics))
    else:
        output.note("the service names no topics")
    return Exit.OK


async def _publish(arguments: argparse.Namespace, order: PublishOrder, output: Output) -> int:
    async with running(arguments) as service:
        published = await service.publish(arguments.name, order)
    if output.as_json:
        output.document(published)
    else:
        where = f"partition {published.partition}, message {published.number}"
        where = where if published.number else "queued for its broker"
        output.show(f"published to {published.topic}, {where}")
    return Exit.OK


def _size(size: int) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1_024:
            return f"{size:,} {unit}"
        size //= 1_024
    return f"{size:,} TiB"


def _kept(topic: TopicView) -> str:
    days, seconds = divmod(topic.kept_s, 86_400)
    age = f"{days} d" if days and not seconds else f"{topic.kept_s:,} s"
    return f"{age}, {_size(topic.bytes_max)}"


def _table(topics: list[TopicView]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("topic", "broker", "messages", "size", "partitions in use", "dropped", "kept"):
        table.add_column(title, overflow="fold")
    for topic in topics:
        used = sum(size > 0 for size in topic.partitions)
        table.add_row(
            *(topic.name, topic.broker, f"{sum(topic.partitions):,}", _size(topic.bytes)),
            *(f"{used} of {len(topic.partitions)}", f"{topic.dropped:,}", _kept(topic)),
        )
    return table
