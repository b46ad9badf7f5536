"""Ends what a killed run leaves behind: a process of its own, which waits for the run's end.

Ray ties gcs and raylet to the run process (PR_SET_PDEATHSIG), but the raylet's agents and workers
notice only after seconds that their parent is gone, and some not at all. A process belongs to a run
when it has the run's mark in its environment, or calls itself `ray::...` (setproctitle writes over
the environment) and has a file of the run's scratch folder open.

The reaper inherits the lock of the data folder: a new run gets the folder when the last process of
the old one is gone, not before. It is started as a file by `python -I -S`, so it needs nothing but
the standard library.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

MARK = "ACTORKALIX_SCRATCH"
SWEEP_S_MAX = 10.0  # a process that outlives SIGKILL that long hangs in the kernel


@contextlib.contextmanager
def watching(scratch: Path, inherit: tuple[int, ...] = ()) -> Generator[None]:
    """A reaper that watches this process during the block; at its end nothing is left to reap.

    Args:
        scratch: the run's scratch folder.
        inherit: file descriptors that stay open until the reaper has ended (locks).
    """
    own = os.pidfd_open(os.getpid())
    command = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(own), str(scratch)]
    with subprocess.Popen(
        command,
        pass_fds=(own, *inherit),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal is for the run process alone
    ) as process:
        os.close(own)
        try:
            yield
        finally:
            process.kill()


def sweep(scratch: Path, spare: frozenset[int] = frozenset()) -> int:
    """Kill all processes of the run with this scratch folder, and wait until they are gone.

    Args:
        scratch: the run's scratch folder.
        spare: process ids that are left alone, besides the caller's own.

    Returns:
        How many were killed.
    """
    killed: set[int] = set()
    until = time.monotonic() + SWEEP_S_MAX
    # Again until none is found: what we kill may have been starting others.
    while (found := _members(scratch) - spare - {os.getpid()}) and time.monotonic() < until:
        _kill(found)
        killed |= found
    return len(killed)


def _kill(pids: set[int]) -> None:
    """SIGKILL all, then wait up to a second for their ends."""
    handles: list[int] = []
    for pid in pids:
        with contextlib.suppress(OSError):  # gone already
            handles.append(os.pidfd_open(pid))
            signal.pidfd_send_signal(handles[-1], signal.SIGKILL)
    until = time.monotonic() + 1.0
    for handle in handles:
        select.select([handle], [], [], max(0.0, until - time.monotonic()))
        os.close(handle)


def _members(scratch: Path) -> set[int]:
    return {
        int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _is_member(p, scratch)
    }


def _is_member(process: Path, scratch: Path) -> bool:
    try:
        if f"\0{MARK}={scratch}\0".encode() in b"\0" + (process / "environ").read_bytes():
            return True  # a zombie's is empty, so it is none
        if not (process / "cmdline").read_bytes().startswith(b"ray::"):
            return False
    except OSError:
        return False  # another user's, or gone while we looked
    return holds_open(process, f"{scratch}/")


def holds_open(process: Path, prefix: str) -> bool:
    """Whether a process (its folder in /proc) has a file open whose name begins like this."""
    try:
        return any(os.readlink(fd).startswith(prefix) for fd in (process / "fd").iterdir())
    except OSError:
        return False  # another user's, or gone while we looked


def main(own: int, scratch: Path) -> None:
    """Wait for the end of the process behind the pidfd `own`, then sweep."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    select.select([own], [], [])
    sweep(scratch)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
