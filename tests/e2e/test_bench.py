"""The HTTP benchmark runs against the real thing, at a size that measures nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from scripts.benchmarks.http import bench_http


def test_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = bench_http(connections=(1,), seconds=0.2, rounds=1, keys=3)
    assert [row.what for row in rows] == [
        "empty handler",
        "durable command",
        "durable command, one hot key",
        "query of a live entity",
    ]
    for row in rows:
        assert row.failed == 0
        assert row.rate > 0
        assert 0 < row.p50_ms <= row.p99_ms
    assert rows[0].ratio == 1
