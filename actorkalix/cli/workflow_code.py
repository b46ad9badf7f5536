"""`actorkalix workflows diagram` and `check`: what the code says, and what it would strand."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from actorkalix.cli.exits import Exit
from actorkalix.cli.output import Output
from actorkalix.cli.source import opened, stores_of
from actorkalix.errors import FolderInUse, InvalidCommandLine, UnknownRoute

if TYPE_CHECKING:
    from rich.console import RenderableType

    from actorkalix.describe.descriptors import ComponentDescriptor
    from actorkalix.runtime.workflow_check import Stranded, Verdict
    from actorkalix.workflow_views import WorkflowView

Path_ = tuple[tuple[str, str], ...]
DRAW_S_MAX = 60.0  # for Graphviz: a chart of a hundred steps takes a second
OVER = ("ended", "failed", "timed_out", "terminated", "deleted")
_ENDS = (*OVER, "paused")


def execute(arguments: argparse.Namespace, output: Output) -> int:
    """Draw a workflow, or check a data folder against new code."""
    if arguments.action == "check":
        return _check(arguments, output)
    return asyncio.run(_diagram(arguments, output))


# ---- diagram ----------------------------------------------------------------------------------
async def _diagram(arguments: argparse.Namespace, output: Output) -> int:
    from actorkalix.runtime.workflow_chart import chart_of, dot, mermaid

    workflow = _workflow(arguments)
    chart, taken, at = chart_of(workflow), Path_(), ""
    if arguments.id is not None:
        async with opened(arguments, output) as inspect:
            view = await inspect.workflows.workflow(
                workflow.component_id, arguments.id, after=0, limit=1_000
            )
        taken, at = path_of(view)
        if not view.row.sequence_number:
            output.note(f"nothing is stored of {workflow.component_id} {arguments.id!r}")
    if arguments.svg is not None:
        _draw(dot(chart, taken, at), Path(arguments.svg))
        output.note(f"drawn: {arguments.svg}")
    if output.as_json:
        drawn = mermaid(chart, taken, at)
        output.document({"chart": chart, "taken": taken, "at": at, "mermaid": drawn})
    elif arguments.svg is None:
        print(mermaid(chart, taken, at), end="", flush=True)
    for line in chart.unknown:
        output.note(line)
    return Exit.OK


def _workflow(arguments: argparse.Namespace) -> ComponentDescriptor:
    from actorkalix.runtime.loading import load, resolve
    from actorkalix.runtime.workflow_listing import workflows_in

    if arguments.service is None:
        raise InvalidCommandLine(
            "actorkalix workflows diagram [COMPONENT [ID]] --service SERVICE: the code is missing"
        )
    service = load(resolve(arguments.service, arguments.app_dir)).service.descriptor
    names = workflows_in(service)
    wanted = arguments.component or (names[0] if len(names) == 1 else "")
    if wanted not in names:
        there = ", ".join(names) or "none"
        raise UnknownRoute(f"which workflow? {wanted!r} is none of {service.name}: {there}")
    return service.components[wanted]


def path_of(view: WorkflowView) -> tuple[Path_, str]:
    """Pairs of nodes that an instance has gone from and to, and where it is now."""
    pairs: list[tuple[str, str]] = []
    at = ""
    for moment in view.moments:
        source = f"{moment.what}()" if moment.did == "command" else moment.step or at
        source = "timeout" if moment.did == "timed_out" else source
        if moment.status in _ENDS:
            target = moment.status
        else:
            target = moment.next_step if moment.status in ("running", "retrying") else ""
        stays = source == target and moment.did != "completed"
        if source and target and not stays and moment.did != "attempt_failed":
            pairs.append((source, target))
        at = moment.next_step or at
    row = view.row
    now = row.status if row.status in _ENDS else row.step
    return tuple(dict.fromkeys(pairs)), now if row.sequence_number else ""


def _draw(text: str, file: Path) -> None:
    program = shutil.which("dot")
    if program is None:
        raise InvalidCommandLine(
            "--svg needs Graphviz, and there is no `dot` on the PATH: install the package "
            "graphviz, or draw what is printed without --svg with Mermaid"
        )
    try:
        subprocess.run(
            [program, "-Tsvg", "-o", str(file)],
            input=text.encode(),
            check=True,
            capture_output=True,
            timeout=DRAW_S_MAX,
        )
    except (subprocess.SubprocessError, OSError) as problem:
        said = getattr(problem, "stderr", b"") or str(problem).encode()
        text = said.decode(errors="replace").strip()
        raise InvalidCommandLine(f"Graphviz could not draw {file}: {text}") from problem


# ---- check ------------------------------------------------------------------------------------
def _check(arguments: argparse.Namespace, output: Output) -> int:
    from actorkalix.runtime.loading import load, resolve
    from actorkalix.runtime.workflow_check import checked

    target = arguments.component or arguments.service
    if target is None or arguments.against is None:
        raise InvalidCommandLine(
            "actorkalix workflows check SERVICE --against DATA: one of them is missing"
        )
    loaded = load(resolve(target, arguments.app_dir))
    with ExitStack() as stack:
        try:
            stores = stores_of(Path(arguments.against), loaded, stack)
        except FolderInUse as problem:
            raise FolderInUse(
                f"{arguments.against} is in use, and its histories are read at rest: check what "
                f"`actorkalix restore` makes of a backup of it ({problem})"
            ) from problem
        verdict = checked(stores.values(), loaded.service.descriptor)
    if output.as_json:
        output.document(verdict)
    else:
        _tell(verdict, output, arguments.limit)
    return Exit.FINDING if verdict.stranded else Exit.OK


def _tell(verdict: Verdict, output: Output, limit: int) -> None:
    total = sum(verdict.checked.values())
    by_component = ", ".join(f"{count:,} {name}" for name, count in verdict.checked.items())
    said = f"{total:,} workflows replayed ({by_component or 'none'}), {verdict.running:,} run"
    output.note(said)
    if verdict.stranded:
        over = set(OVER)
        first = sorted(verdict.stranded, key=lambda one: one.status in over)  # those that run
        output.show(_table(first[:limit]))
        output.note(f"{len(first):,} would be stranded by this code")
        if len(first) > limit:
            output.note(f"there are more: --limit {len(first)} shows all, and so does --json")
    else:
        output.show("none would be stranded by this code")


def _table(stranded: Sequence[Stranded]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("workflow", "id", "status", "step", "why"):
        table.add_column(title, overflow="fold", no_wrap=title == "workflow")
    for one in stranded:
        table.add_row(*(one.component, one.workflow_id, one.status, one.step, "\n".join(one.why)))
    return table
