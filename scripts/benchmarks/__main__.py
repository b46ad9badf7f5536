"""`scripts/bench`: runs benchmarks, prints a line for each row, adds one of JSON to the results."""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from .report import Taken, line, of_kind, write_report
from .rows import CommitPoint, EntitiesPoint, Row, Setting
from .suite import SUITE

RESULTS = Path(__file__).parents[2] / ".bench" / "results.jsonl"
QUICK: dict[str, Any] = {
    "rounds": 1,
    "seconds": 0.3,
    "clients": (1, 16, 256),
    "entities": (1_000, 10_000),
    "cold": 100,
    "idle": 5_000,
    "storm": 5_000,
    "events": 2_099,
    "large": 2_000_000,
    "flood_s": 3.0,
    "updates": 20_000,
    "view_events": 10_000,
    "view_rows": 20_000,
    "view_pages": 100,
    "workflows": 500,
    "peer_workflows": 20,
}
"""Shows in a minute or two that everything runs; its figures mean little."""

S = TypeVar("S", bound=msgspec.Struct)


def main(arguments: list[str] | None = None) -> None:
    """Run what was asked for; without arguments those of the command line."""
    chosen = _parser().parse_args(arguments)
    if chosen.list:
        print(*SUITE, sep="\n")
        return
    names = chosen.only or [*SUITE]
    setting = _setting(chosen)
    console = Console(stderr=chosen.json, soft_wrap=True, highlight=False)
    taken = _take(names, setting, console)
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "setting": msgspec.to_builtins(setting, enc_hook=str),
        "results": msgspec.to_builtins(taken),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")
    if chosen.json:
        print(json.dumps(result))
    else:
        _show(console, taken)
    if chosen.report is not None:
        for written in write_report(chosen.report, taken, _described(machine, setting)):
            console.print(f"written: {written}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", choices=[*SUITE], metavar="NAME", help="this one; and another")
    add("--list", action="store_true", help="print the names")
    add("--quick", action="store_true", help="small sizes: shows that all of it runs")
    add("--rounds", type=int, help="measurements of each figure, which is their median (5)")
    add("--seconds", type=float, help="of a measurement (2)")
    add("--entities", type=int, help="on disk, at most (1000000)")
    add(
        "--updates",
        type=int,
        help="while the data file is looked at (2000000; 10000000 takes long)",
    )
    add("--report", type=Path, metavar="DIR", help="write a Markdown table and plots there")
    add("--json", action="store_true", help="print the results as one line of JSON")
    return parser


def _setting(chosen: argparse.Namespace) -> Setting:
    setting = Setting(scratch=RESULTS.parent / "scratch", **(QUICK if chosen.quick else {}))
    changes: dict[str, Any] = {}
    if chosen.rounds is not None:
        changes["rounds"] = chosen.rounds
    if chosen.seconds is not None:
        changes["seconds"] = chosen.seconds
    if chosen.updates is not None:
        changes["updates"] = chosen.updates
    if chosen.entities is not None:
        below = (count for count in setting.entities if count < chosen.entities)
        changes["entities"] = (*below, chosen.entities)
    return msgspec.structs.replace(setting, **changes)


def _take(names: list[str], setting: Setting, console: Console) -> Taken:
    taken: Taken = {}
    for name, take in SUITE.items():
        if name in names:
            taken[name] = take(setting)
            for row in of_kind({name: taken[name]}, Row):
                console.print(line(row))
    return taken


def _show(console: Console, taken: Taken) -> None:
    """Tables of the curves; rows had their lines as they came."""
    _show_curve(console, "Group commit, in process", of_kind(taken, CommitPoint))
    _show_curve(console, "Entities on disk, in process", of_kind(taken, EntitiesPoint))


def _show_curve(console: Console, title: str, points: list[S]) -> None:
    if not points:
        return
    table = Table(title=title)
    names = points[0].__struct_fields__
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for point in points:
        table.add_row(*(_cell(getattr(point, name)) for name in names))
    console.print(table)


def _cell(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2f}"


def _described(machine: dict[str, Any], setting: Setting) -> str:
    return (
        f"{machine['cores']} cores, of which the load generator has its share; "
        f"Python {machine['python']}, Linux {machine['kernel']}; "
        f"medians of {setting.rounds} rounds of {setting.seconds:g} s."
    )


if __name__ == "__main__":
    main()
