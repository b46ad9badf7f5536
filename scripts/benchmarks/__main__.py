"""`scripts/bench`: runs benchmarks, prints tables, adds a JSON line to `.bench/results.jsonl`."""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from .group_commit import bench_group_commit
from .http import bench_http

RESULTS = Path(__file__).parents[2] / ".bench" / "results.jsonl"


def show(console: Console, title: str, rows: list[Any]) -> None:
    """One table, a column a field."""
    table = Table(title=title)
    names = rows[0].__struct_fields__
    for name in names:
        table.add_column(name.replace("_", " "), justify="left" if name == "what" else "right")
    for row in rows:
        table.add_row(*(_cell(getattr(row, name), name) for name in names))
    console.print(table)


def _cell(value: Any, name: str) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if name != "rate" and name != "commits" else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main(arguments: list[str] | None = None) -> None:
    """Run what was asked for; without arguments those of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    everything = ["group-commit", "http"]
    parser.add_argument("what", nargs="*", default=everything, help=", ".join(everything))
    parser.add_argument("--rounds", type=int, default=5, help="of HTTP; figures are medians")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds a measurement")
    chosen = parser.parse_args(arguments)
    console = Console()
    taken: dict[str, Any] = {}
    if "group-commit" in chosen.what:
        taken["group_commit"] = bench_group_commit(seconds=chosen.seconds)
        title = "Group commit, in process: clients -> durable commands/s"
        show(console, title, taken["group_commit"])
    if "http" in chosen.what:
        taken["http"] = bench_http(rounds=chosen.rounds, seconds=chosen.seconds)
        title = "HTTP on one machine with its load generator (12 byte body, fsync before reply)"
        show(console, title, taken["http"])
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
    line = {"at": datetime.now(UTC).isoformat(), "machine": machine, **msgspec.to_builtins(taken)}
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
