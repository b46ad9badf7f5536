"""The benchmarks run, at sizes that measure nothing (HTTP: tests/e2e/test_bench.py)."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import pytest

from scripts.benchmarks import __main__ as bench
from scripts.benchmarks.group_commit import bench_group_commit


@pytest.fixture(autouse=True)
def folders_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_group_commit(tmp_path: Path) -> None:
    (point,) = bench_group_commit(clients=(2,), seconds=0.05, keys=3)
    assert point.clients == 2
    assert point.rate >= point.commits > 0
    assert 0 < point.p50_ms <= point.p99_ms
    assert list(tmp_path.iterdir()) == [], "its stores are gone"


def test_the_command_prints_a_table_and_appends_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "bench" / "results.jsonl"
    monkeypatch.setattr(bench, "RESULTS", results)
    tiny = functools.partial(bench_group_commit, clients=(1, 2), keys=3)
    monkeypatch.setattr(bench, "bench_group_commit", tiny)
    for _ in range(2):
        bench.main(["group-commit", "--seconds", "0.02"])
    assert "clients" in capsys.readouterr().out
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert [[point["clients"] for point in line["group_commit"]] for line in lines] == [[1, 2]] * 2
    assert lines[0]["machine"]["cores"] >= 1
    assert "http" not in lines[0]
