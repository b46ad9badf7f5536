"""What a process prints reaches the run's log, without what Ray prints for itself."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from pathlib import Path

import pytest

from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.entering import Printed, enter


def test_rays_marks_are_left_out() -> None:
    raw = io.BytesIO()
    printed = Printed(raw, write_through=True)
    printed.write(":task_name:run\n")
    printed.write("hello\n")
    assert raw.getvalue() == b"hello\n"


def test_a_process_whose_run_stands_still_is_a_member_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "path", ["/unwanted", *sys.path])
    before = signal.getsignal(signal.SIGINT)
    try:
        with caplog.at_level(logging.WARNING):
            enter(
                Making("p/", "n", str(tmp_path), str(tmp_path / "none"), b"", ("/unwanted",)), "x"
            )
    finally:
        signal.signal(signal.SIGINT, before)
    assert "/unwanted" not in sys.path
    assert (tmp_path / f"member.{os.getpid()}").read_text() == f"p/x-{os.getpid()}"
    assert "Ray's files" in caplog.text
