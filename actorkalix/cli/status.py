"""`actorkalix status`: the processes, stores and shards of a service, once or again and again."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

from actorkalix.cli.admin import AdminInspection
from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output, utc
from actorkalix.cli.source import opened
from actorkalix.errors import AdminUnreachable
from actorkalix.ports import HostView, ServiceStatus, ShardView
from actorkalix.process_listing import ProcessView

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

EVERY_S = 1.0
"""Between two looks of `--watch`."""

AT_REST = "at rest"
NODE_CHARACTERS = 8  # of an id of 56; --json has all of it
GONE = ("away", "fenced")


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Print the status; `Exit.FINDING` when something is away, fenced or damaged."""
    try:
        return asyncio.run(_execute(arguments, output))
    except KeyboardInterrupt:
        if arguments.watch:
            return Exit.OK  # how watching ends
        raise


async def _execute(arguments: argparse.Namespace, output: Output) -> int:
    async with opened(arguments, output) as inspect:
        if arguments.watch and isinstance(inspect, AdminInspection):
            await _watch(_looks(inspect), arguments.shards, output)
        status = await inspect.status()
    if arguments.watch:
        output.note("no service runs on this folder, so nothing changes in it")
    if output.as_json:
        output.document(status)
    else:
        output.show(*shown(status, _now_ms(), every_shard=arguments.shards))
    return Exit.OK if _is_well(status) else Exit.FINDING


def _is_well(status: ServiceStatus) -> bool:
    gone = any(host.state in GONE for host in status.hosts)
    return not (gone or status.damaged or any(store.away for store in status.stores))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


# ---- again and again --------------------------------------------------------------------------
async def _looks(running: AdminInspection) -> AsyncGenerator[ServiceStatus | AdminUnreachable]:
    """The status every second; a service that is away may come back, so that is no end."""
    while True:
        try:
            yield await running.status()
        except AdminUnreachable as error:
            yield error
        await asyncio.sleep(EVERY_S)


async def _watch(
    looks: AsyncGenerator[ServiceStatus | AdminUnreachable], every_shard: bool, output: Output
) -> None:
    """Show each look in place of the one before; on something else than a terminal below it."""
    from rich.console import Group
    from rich.text import Text

    drawing = nullcontext(output.show) if output.as_json else output.redrawing()
    with drawing as draw:
        async for look in looks:
            if output.as_json:
                _line(look, output)
            elif isinstance(look, AdminUnreachable):
                draw(Text(str(look), "red"))
            else:
                draw(Group(*shown(look, _now_ms(), every_shard=every_shard)))


def _line(look: ServiceStatus | AdminUnreachable, output: Output) -> None:
    if isinstance(look, AdminUnreachable):
        output.error(look)
    else:
        output.line(look)


# ---- for a person -----------------------------------------------------------------------------
def shown(status: ServiceStatus, now_ms: int, *, every_shard: bool) -> Iterator[RenderableType]:
    """The status in words and tables.

    Args:
        status: of a service.
        now_ms: milliseconds since 1970; ages are counted from it.
        every_shard: list each shard, too.
    """
    from rich.text import Text

    facts = f"{status.shards:,} shards · homes version {status.homes_version}"
    yield Text.assemble("service ", (status.service, "bold"), (f"  {facts}", "dim"))
    yield Text(f"cluster {status.cluster} · lineage {status.lineage}", "dim")
    if status.controller_pid:
        standby = f"standby {status.standby_pid}" if status.standby_pid else "no standby"
        yield Text(f"controller {status.controller_pid} · {standby}", "dim")
    yield _stores(status, now_ms)
    if status.processes:
        yield _processes(status.processes)
    for store in status.stores:
        if store.folder:
            size = sum(store.files.values()) / 1e6
            yield Text(f"store {store.store} lies in {store.folder}, {size:,.1f} MB", "dim")
    for trouble in _troubles(status):
        yield Text(trouble, "red")
    if every_shard:
        yield _shards(status)


def _troubles(status: ServiceStatus) -> Iterator[str]:
    told = {host.store for host in status.hosts if host.reason}
    for host in status.hosts:
        if host.reason:
            yield f"store {host.store}: {host.reason}"
        if host.held_ms:
            held_s = host.held_ms / 1000
            yield f"store {host.store}: {host.held_by} has held its loop for {held_s:.1f} s"
    yield from (
        f"store {s.store}: {s.away}" for s in status.stores if s.away and s.store not in told
    )
    for shard, what in status.damaged.items():
        yield f"shard {shard} is damaged and not served: {what}"


def _table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=True)
    return table


def _stores(status: ServiceStatus, now_ms: int) -> Table:
    """A line a store: its host, what it holds."""
    columns = ("store", "host", "state", "since", "deaths", "shards", "epochs", "records", "newest")
    table = _table(
        *columns, right=("store", "host", "since", "deaths", "shards", "records", "newest")
    )
    hosts = {host.store: host for host in status.hosts}
    opened: dict[int, list[ShardView]] = {store.store: [] for store in status.stores}
    for shard in status.opened:
        opened[shard.store].append(shard)
    for number in sorted({*hosts, *opened}):
        host = hosts.get(number)
        table.add_row(
            str(number),
            *_host_cells(host, now_ms),
            *_shard_cells(opened.get(number, []), now_ms),
            style="red" if host is not None and host.state in GONE else "",
        )
    return table


def _processes(processes: Iterable[ProcessView]) -> Table:
    """A line a process of a view or a dedicated entity."""
    columns = ("process", "of", "state", "pid", "node", "memory", "cpu", "store", "deaths")
    table = _table(*columns, right=("pid", "memory", "cpu", "store", "deaths"))
    for one in processes:
        whom = f"{one.component} {one.entity!r}" if one.entity else one.component
        table.add_row(
            *(one.kind, whom, one.state, str(one.pid or ""), one.node[:NODE_CHARACTERS]),
            f"{one.memory_bytes / 1e6:,.0f} MB" if one.memory_bytes else "",
            f"{one.cpu_s:,.1f} s" if one.pid else "",
            *(str(one.store), str(one.deaths or "")),
        )
    return table


def _host_cells(host: HostView | None, now_ms: int) -> tuple[str, str, str, str]:
    """host, state, since, deaths."""
    if host is None:
        return "", AT_REST, "", ""
    since = _age(now_ms - host.since_ms) if host.since_ms else ""
    return str(host.pid or ""), host.state, since, str(host.deaths or "")


def _shard_cells(shards: list[ShardView], now_ms: int) -> tuple[str, str, str, str]:
    """shards, epochs, records, newest."""
    if not shards:
        return "", "", "", ""
    epochs = sorted({shard.epoch for shard in shards})
    between = str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]}-{epochs[-1]}"
    records = sum(shard.offset for shard in shards)
    newest = max(shard.time_ms for shard in shards)
    return f"{len(shards):,}", between, f"{records:,}", _age(now_ms - newest)


def _age(ms: int) -> str:
    """In the largest unit of which there are two; a clock that went back says nothing."""
    seconds = max(0, ms // 1000)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _shards(status: ServiceStatus) -> Table:
    table = _table(
        *("shard", "store", "epoch", "offset", "newest record", "note"),
        right=("shard", "store", "epoch", "offset"),
    )
    for shard in status.opened:
        note = "damaged" if shard.shard in status.damaged else "sealed" if shard.sealed else ""
        table.add_row(
            *(str(shard.shard), str(shard.store), str(shard.epoch), f"{shard.offset:,}"),
            *(utc(shard.time_ms), note),
        )
    return table
