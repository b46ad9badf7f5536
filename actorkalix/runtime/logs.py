"""Where the processes of a run write their log: to the run's standard error."""

from __future__ import annotations

import logging
import sys


def log_to_stderr() -> None:
    """Send log lines to the stream that the run process gave us; of uvicorn's, warnings."""
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(to_stderr)
    logging.getLogger("actorkalix").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
