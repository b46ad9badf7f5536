"""What `scripts/bench --report` writes: a table, and plots where there is something that draws."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.benchmarks.report import write_report
from scripts.benchmarks.rows import CommitPoint, EntitiesPoint, Row

ROW = Row(what="memory", unit="bytes", value=812)


def test_a_report_has_a_table_and_plots(tmp_path: Path) -> None:
    commits = [CommitPoint(1, 100.0, 100.0, 1.0, 2.0), CommitPoint(2, 190.0, 95.0, 1.1, 2.0)]
    few = EntitiesPoint(10, 1.0, 0.5, 0.4, 9.0, 900.0)
    costs = [few, EntitiesPoint(100, 2.0, 0.6, 0.4, 9.0, 0.0)]
    folder = tmp_path / "a" / "report"
    files = write_report(folder, {"row": [ROW], "gc": commits, "entities": costs}, "2 cores")
    assert [file.name for file in files] == [
        "benchmarks.md",
        "group-commit.png",
        "group-commit.svg",
        "entities.png",
        "entities.svg",
        "entities-rate.png",
        "entities-rate.svg",
    ]
    assert files[0].read_text(encoding="utf-8").startswith("2 cores\n\n| what |")
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in files[2].read_text(encoding="utf-8")
    assert write_report(folder, {}, "") == []


def test_where_nothing_draws_the_report_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    commits = [CommitPoint(1, 100.0, 100.0, 1.0, 2.0)]
    with pytest.raises(SystemExit, match=r"pip install 'actorkalix\[bench\]'"):
        write_report(tmp_path, {"gc": commits}, "")
