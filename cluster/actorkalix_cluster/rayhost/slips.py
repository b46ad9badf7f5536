"""Notes of what a worker has started: a worker that is killed cannot tell any more.

A slip is a small file in the run's scratch folder, one for each slot of a host. The worker writes
the number of the errand and of the works that it has started, before it starts one: with one
pwrite, some microseconds, and it outlives the process. The host reads it when the worker is gone.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

_FORM = struct.Struct("<QQ")  # errand, works started


class Slip:
    """A slip as the worker writes it; made by the host with `blank`."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY)

    def note(self, errand: int, started: int) -> None:
        """So many works of the errand are started from now on."""
        os.pwrite(self._file, _FORM.pack(errand, started), 0)

    def close(self) -> None:
        """Nothing more is started."""
        os.close(self._file)


def blank(path: Path) -> None:
    """A slip on which nothing is noted."""
    path.write_bytes(_FORM.pack(0, 0))


def started(path: Path, errand: int) -> int:
    """How many works of an errand were started."""
    try:
        noted, count = _FORM.unpack(path.read_bytes())
    except (OSError, struct.error):
        return 2**63  # it cannot be told, so all may have been
    return int(count) if noted == errand else 0
