"""What was taken, for people: cells, a Markdown table, plots of the curves as PNG and SVG."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .rows import CommitPoint, EntitiesPoint, Result, Row, Target

P = TypeVar("P", bound=Result)
Taken = dict[str, Sequence[Result]]
"""All that a run has taken, by the names of the benchmarks."""

INK, SECOND, THIRD, GRID = "#1f4e79", "#c55a11", "#6f6f6f", "#d9d9d9"
SIZE_INCHES = (7.0, 4.0)
DPI = 150

HEAD = (
    *("what", "durable", "payload", "in flight", "percentile", "figure", "p99"),
    *("beside", "its figure", "ratio", "to reach", ""),
)
_DURABLE = {True: "yes", False: "no", None: "-"}
RIGHT = frozenset(("payload", "in flight", "figure", "p99", "its figure", "ratio"))


def of_kind(taken: Taken, kind: type[P]) -> list[P]:
    """The results of a kind, in order."""
    return [each for some in taken.values() for each in some if isinstance(each, kind)]


def cells(row: Row) -> tuple[str, ...]:
    """A row in the order of `HEAD`."""
    return (
        row.what,
        _DURABLE[row.durable],
        f"{row.payload_bytes} B" if row.payload_bytes else "-",
        f"{row.connections:,}" if row.connections else "-",
        row.percentile or "-",
        _figure(row.value, row.unit),
        "-" if row.p99_ms is None else _figure(row.p99_ms, "ms"),
        row.beside or "-",
        "-" if row.other is None else _figure(row.other, row.unit),
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        _wanted(row) or "-",
        verdict(row),
    )


def verdict(row: Row) -> str:
    """Whether a row reaches its targets."""
    return {True: "met", False: "missed", None: ""}[row.met]


def line(row: Row) -> str:
    """A row in one line."""
    how = [
        f"{row.connections:,} in flight" if row.connections else "",
        f"{row.payload_bytes} bytes" if row.payload_bytes else "",
        {True: "durable", False: "not durable", None: ""}[row.durable],
        row.percentile,
    ]
    said = ", ".join(filter(None, how))
    value = _figure(row.value, row.unit)
    p99 = "" if row.p99_ms is None else f", p99 {_figure(row.p99_ms, 'ms')}"
    parts = [f"{row.what}{f' ({said})' if said else ''}: {value}{p99}"]
    if row.other is not None and row.ratio is not None:
        parts.append(f"{row.ratio:.2f} x of {_figure(row.other, row.unit)} ({row.beside})")
    elif row.beside:
        parts.append(f"beside {row.beside}")
    if row.targets:
        parts.append(f"to reach {_wanted(row)}: {verdict(row)}")
    return "; ".join(parts)


def markdown(rows: Sequence[Row]) -> str:
    """The table; `|` and line ends are in no cell."""
    rules = ["---:" if name in RIGHT else "---" for name in HEAD]
    lines = [HEAD, rules, *(cells(row) for row in rows)]
    return "".join(f"| {' | '.join(each)} |\n" for each in lines)


def write_report(folder: Path, taken: Taken, machine: str) -> list[Path]:
    """Write table and plots of what was taken; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    rows, commits = of_kind(taken, Row), of_kind(taken, CommitPoint)
    if rows:
        table = folder / "benchmarks.md"
        table.write_text(f"{machine}\n\n{markdown(rows)}", encoding="utf-8")
        files.append(table)
    if commits:
        files += _plot(folder / "group-commit", _draw_commits, commits)
    if entities := of_kind(taken, EntitiesPoint):
        files += _plot(folder / "entities", _draw_entities, entities)
        files += _plot(folder / "entities-rate", _draw_rates, entities)
    return files


def _figure(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def _wanted(row: Row) -> str:
    return ", ".join(_words(target, row.unit) for target in row.targets)


def _words(target: Target, unit: str) -> str:
    sign = "≤" if target.at_most else "≥"
    if target.of == "ratio":
        return f"{sign} {target.bound:g} x"
    plus = "+ " if target.of == "excess" else ""
    return f"{sign} {plus}{target.bound:,g} {unit}"


# ---- plots ----------------------------------------------------------------------------------
def _plot(path: Path, draw: Callable[[Any, list[P]], None], points: list[P]) -> list[Path]:
    # Imported here, for only a report needs it; by name, for it ships no types that are strict.
    figures = _figures()
    figure = figures.Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes, points)
    axes.minorticks_off()
    axes.margins(y=0.1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    files = [path.with_suffix(suffix) for suffix in (".png", ".svg")]
    for file in files:
        figure.savefig(file, dpi=DPI, facecolor="white")
    return files


def _figures() -> Any:
    """The module of matplotlib that draws without a screen.

    Raises:
        SystemExit: it is not there; the message says what to install.
    """
    try:
        return importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise SystemExit(
            "scripts/bench --report draws plots with matplotlib, which is not installed: "
            "`pip install 'actorkalix[bench]'`, or leave --report out"
        ) from error


def _draw_commits(axes: Any, points: list[CommitPoint]) -> None:
    clients = [point.clients for point in points]
    axes.plot(clients, [point.rate for point in points], color=INK, marker="o")
    axes.plot(clients, [point.commits for point in points], color=SECOND, marker="o")
    _label(axes, clients[-1], points[-1].rate, "durable commands/s", INK)
    _label(axes, clients[-1], points[-1].commits, "commits/s (fsync)", SECOND)
    for point in points:
        axes.annotate(
            f"{point.p50_ms:.2g} ms",
            (point.clients, point.rate),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=INK,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(clients, [f"{count:,}" for count in clients])
    axes.set_xlim(clients[0] / 1.5, clients[-1] * 16)
    axes.set_xlabel("callers, one command in flight each (on the points: median latency)")
    axes.set_title("Group commit: the more wait, the more share a sync", loc="left", fontsize=11)


def _draw_entities(axes: Any, points: list[EntitiesPoint]) -> None:
    counts = [point.entities for point in points]
    for name, color, above, costs in (
        ("open the store", THIRD, 0, [point.open_ms for point in points]),
        ("first command, cold", SECOND, 6, [point.cold_ms for point in points]),
        ("next command, warm", INK, -6, [point.warm_ms for point in points]),
    ):
        axes.plot(counts, costs, color=color, marker="o")
        _label(axes, counts[-1], costs[-1], name, color, above)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set_xlim(counts[0] / 1.5, counts[-1] * 20)
    axes.set_xlabel("entities on disk")
    axes.set_ylabel("ms, median")
    axes.set_title("Cost against number of entities, in process", loc="left", fontsize=11)


def _draw_rates(axes: Any, points: list[EntitiesPoint]) -> None:
    counts = [point.entities for point in points]
    memory = [max(point.bytes_each, 1.0) for point in points]
    axes.plot(counts, [point.rate for point in points], color=INK, marker="o")
    axes.plot(counts, memory, color=SECOND, marker="o")
    _label(axes, counts[-1], points[-1].rate, "commands/s", INK)
    _label(axes, counts[-1], memory[-1], "bytes of an entity in memory", SECOND)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set_xlim(counts[0] / 1.5, counts[-1] * 40)
    axes.set_xlabel("entities on disk")
    axes.set_title("Rate and memory against number of entities", loc="left", fontsize=11)


def _label(axes: Any, x: float, y: float, text: str, color: str, above: int = 0) -> None:
    """A line's name at its end: no legend to look up; `above` parts names of lines that meet."""
    axes.annotate(
        text, (x, y), xytext=(8, above), textcoords="offset points", va="center", color=color
    )
