"""`actorkalix run`: says what `runtime.serve` does while it does it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from actorkalix.cli.components import info_of, route_lines
from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.errors import InvalidCommandLine
from actorkalix.runtime import config as said
from actorkalix.runtime.config import RunConfig, RunEvent
from actorkalix.runtime.loading import load, resolve
from actorkalix.runtime.serve import run

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

    from actorkalix.cli.components import ServiceInfo


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    if arguments.grpc_port is not None:
        output.note(
            f"gRPC comes with a later version: nothing listens on port {arguments.grpc_port}"
        )
    if arguments.view_nodes is not None and arguments.address is None:
        raise InvalidCommandLine(
            "--view-nodes is for a cluster of several nodes: name it by --address"
        )
    config = RunConfig(
        service=arguments.service,
        app_dir=arguments.app_dir,
        address=arguments.host_address,
        port=arguments.port,
        admin_port=arguments.admin_port,
        data=arguments.data,
        hosts=arguments.hosts,
        ray=arguments.address,
        view_nodes=arguments.view_nodes,
        dev=arguments.dev,
    )
    teller = Teller(config, output)
    code = run(config, teller.tell)
    return Exit.INTERRUPTED if code else Exit.OK


class Teller:
    """Turns what a run reports into lines for a person, or into JSON lines."""

    def __init__(self, config: RunConfig, output: Output) -> None:
        self._config = config
        self._output = output
        self._moving: tuple[Progress, TaskID] | None = None

    def tell(self, event: RunEvent) -> None:
        """Print one event as it happens."""
        if self._output.as_json:
            self._output.line(event)
            return
        self._draw(event)
        shown = self._shown(event)
        if shown:
            self._output.show(*shown)

    def _draw(self, event: RunEvent) -> None:
        """A bar while shards move."""
        if not isinstance(event, said.Moving) or event.done == event.of:
            if self._moving is not None:
                self._moving[0].stop()
                self._moving = None
            return
        if self._moving is None:
            bars = self._output.bars(of_bytes=False)
            self._moving = bars, bars.add_task("shards move", total=event.of)
            bars.start()
        bars, task = self._moving
        bars.update(task, completed=event.done)

    def _shown(self, event: RunEvent) -> list[RenderableType]:
        match event:
            case said.Starting(service, _, None):
                return [f"starting {service} on a Ray of its own"]
            case said.Starting(service, _, ray):
                return [f"starting {service} on the Ray at {ray}"]
            case said.Waiting(data):
                return [f"the run before in {data} was killed; waiting for the rest of it to end"]
            case said.Serving():
                loaded = load(resolve(self._config.service, self._config.app_dir))
                return serving(event, info_of(loaded.service.descriptor))
            case said.HostDied(store, pid, reason):
                return [f"host {pid} of store {store} died: {reason}; another takes its place"]
            case said.Restarted(store, pid, away_s):
                return [f"store {store} is served again, by host {pid}, {away_s:.1f} s later"]
            case said.StoreFenced(store, reason):
                return [f"store {store} is served no more until the next start: {reason}"]
            case said.Replacing(store, pid):
                return [f"host {pid} of store {store} is being replaced"]
            case said.ControllerDied(pid, reason):
                return [f"controller {pid} died: {reason}; hosts serve on, another takes its place"]
            case said.ControllerBack(pid):
                return [f"there is a controller again: process {pid}"]
            case said.Draining(grace_s):
                return [f"draining: requests in flight have {grace_s:g} s (Ctrl-C cuts that short)"]
            case said.Stopped(True):
                return ["stopped; every request in flight was answered"]
            case said.Moving(done, of, records) if done == of:
                return [f"{of:,} shards have moved, {records:,} records"]
            case said.Moving():
                return []
            case said.Stopped():
                return ["stopped at once; requests in flight were not answered"]


def serving(event: said.Serving, service: ServiceInfo) -> list[RenderableType]:
    """The block that says what runs where."""
    from rich.table import Table
    from rich.text import Text

    where = Table.grid(padding=(0, 2))
    where.add_column(style="dim")
    where.add_column(overflow="fold")
    where.add_row("  http", event.url)
    where.add_row("  admin", f"{event.admin_url}  (health, metrics, inspection)")
    where.add_row("  data", f"{event.data}  ({event.shards:,} shards, {event.durability})")
    hosts = [f"host {store} {pid}" for store, pid in event.hosts.items()]
    others = [f"{name} {pid}" for name, pid in event.pids.items() if name != "host"]
    where.add_row("  processes", ", ".join([*hosts, *others]))
    where.add_row("  ray logs", event.ray_logs)
    for store, reason in sorted(event.fenced.items()):
        where.add_row(Text("  fenced", "bold red"), f"store {store} is not served: {reason}")
    for shard, reason in sorted(event.damaged.items()):
        where.add_row(Text("  damaged", "bold red"), f"shard {shard} is not served: {reason}")
    routes = Table.grid(padding=(0, 2))
    for component in service.components:
        routes.add_row(Text(f"\n  {component.id}", "bold"), f"\n{component.kind.replace('_', ' ')}")
        for handler in component.handlers:
            routes.add_row(f"    {handler.name}", route_lines(handler.routes))
    return [
        Text.assemble(
            ("●", "green"), " ", (event.service, "bold"), f" serves ({event.seconds:.1f} s)"
        ),
        where,
        routes,
        "\nCtrl-C drains and stops.",
    ]
