"""Where the processes of a run write their log: to the run's standard error."""

from __future__ import annotations

import logging
import sys
from typing import TextIO


class _ToStderr(logging.StreamHandler[TextIO]):
    """Ours among the handlers of the root."""


def log_to_stderr() -> None:
    """Send log lines to the stream that the run process gave us; of uvicorn's, warnings."""
    to_stderr = _ToStderr(sys.stderr)
    to_stderr.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    for before in [each for each in root.handlers if isinstance(each, _ToStderr)]:
        root.removeHandler(before)  # a worker may be made more than once
    root.addHandler(to_stderr)
    logging.getLogger("actorkalix").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
