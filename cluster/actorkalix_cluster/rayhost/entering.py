"""How a process that Ray has started for a host becomes one of the run's."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from actorkalix_cluster.rayhost import members
from actorkalix_cluster.rayhost.actors import Making
from actorkalix_cluster.rayhost.process import die_with
from actorkalix_cluster.rayhost.sockets import take

log = logging.getLogger("actorkalix.tasks")

RAYS_MARKS = (":task_name:", ":job_id:", ":actor_name:")


def enter(making: Making, what: str) -> None:
    """Belong to the run as its other processes do; see `process`. On the main thread.

    A run that was started in the background ignores SIGINT (nohup), and so would this process. But
    an interrupt is how Ray cancels: it calls Python's handler of that signal, if there is one.

    Args:
        making: of the run.
        what: the process is, for its name.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path[:] = [path for path in sys.path if path not in making.unwanted_paths]
    global _member  # open as long as the process lives
    _member = members.enter(Path(making.scratch), f"{making.prefix}{what}-{os.getpid()}")
    try:
        taken = take(Path(making.handover), making.ticket)
    except OSError:  # the run process stands still
        log.warning("what this process prints goes to Ray's files", exc_info=True)
        return
    for listening in taken.listening:
        os.close(listening)
    threading.Thread(target=die_with, args=(taken.run,), name="run-watch", daemon=True).start()
    log_file = os.fdopen(taken.log, "wb", buffering=0)
    sys.stdout = sys.stderr = Printed(log_file, errors="replace", line_buffering=True)


_member = -1


class Printed(io.TextIOWrapper):
    """What works print, without what Ray prints at the start of each task for its own log files."""

    def write(self, text: str) -> int:
        """Write it, unless it is a mark of Ray's."""
        return len(text) if text.startswith(RAYS_MARKS) else super().write(text)
