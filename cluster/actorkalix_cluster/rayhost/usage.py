"""What a process of this machine uses (proc(5)): memory and processor time."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Usage(msgspec.Struct, frozen=True):
    """Memory and time of a process.

    Attributes:
        memory_bytes: resident, what it shares with others included.
        cpu_s: seconds of processor time since it began.
    """

    memory_bytes: int = 0
    cpu_s: float = 0.0


def usage_of(pid: int) -> Usage:
    """What a process uses now; nothing when it is not there.

    Args:
        pid: its id on this machine.
    """
    process = Path("/proc") / str(pid)
    try:
        resident = int((process / "statm").read_text().split()[1])
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return Usage()
    return Usage(resident * _PAGE, (int(fields[11]) + int(fields[12])) / _TICKS)
