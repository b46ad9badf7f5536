"""Log lines of a run's processes go to the stream that is standard error when they begin."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from actorkalix.runtime.logs import log_to_stderr


def test_log_lines_go_to_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before = list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in ("actorkalix", "uvicorn")}
    try:
        log_to_stderr()
        log_to_stderr()  # made again: each line is there once all the same
        logging.getLogger("actorkalix.some").info("said")
        logging.getLogger("uvicorn.error").info("not said")
    finally:
        root.handlers[:] = before
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    assert stream.getvalue().endswith("INFO actorkalix.some: said\n")
    assert stream.getvalue().count("said") == 1
