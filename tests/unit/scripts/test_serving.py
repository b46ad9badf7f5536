"""Who gets which service of the benchmarks; that services start is shown in tests/e2e."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import pytest

from scripts.benchmarks import serving


def test_a_kept_service_is_started_once_and_ends_before_another_one_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    folders: list[Path] = []

    @contextlib.contextmanager
    def fresh(folder: Path, hosts: int, file: str) -> Generator[tuple[int, int]]:
        folders.append(folder)
        said.append(f"+{file}{hosts}")
        yield len(folders), 0
        said.append(f"-{file}{hosts}")

    monkeypatch.setattr(serving, "_fresh", fresh)
    with serving.kept(tmp_path):
        for hosts, file, port in ((1, "a", 1), (1, "a", 1), (2, "a", 2), (1, "b", 3)):
            with serving.service(hosts=hosts, file=file) as taken:
                assert taken == port
        with serving.service(tmp_path / "mine", file="c") as taken:
            assert taken == 4
    assert said == ["+a1", "-a1", "+a2", "-a2", "+b1", "-b1", "+c1", "-c1"]
    assert len({*folders}) == 4
    with serving.service(file="a"):
        assert said.pop() == "+a1"
    assert said.pop() == "-a1"
