"""Checks in a child process: a damaged page may kill who reads it, and its death is a finding."""

from __future__ import annotations

import enum
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from actorkalix_storage.api import Unreadable

from .environment import DATA_FILE
from .folder import FolderLock

DAMAGES_MAX = 100
CHECK_SECONDS_MAX = 3_600


class Check(enum.Enum):
    """What a child looks at."""

    TAIL = "tail"  # the log after the checkpoint, and what opening reads
    FULL = "full"  # every page, every record, every row
    LIVE = "live"  # every record and row, while another process writes


class Findings(msgspec.Struct, frozen=True):
    """What a check has found.

    Attributes:
        ok: no damage.
        fatal: the structure cannot be trusted, or reading it has killed the child.
        records: frames looked at.
        rows: rows looked at.
        shards: shards with records.
        first: the first damage, in words.
        damages: all damages, at most 100.
    """

    ok: bool
    fatal: bool = False
    records: int = 0
    rows: int = 0
    shards: int = 0
    first: str = ""
    damages: tuple[str, ...] = ()


def verify(path: str | os.PathLike[str], *, live: bool = False) -> Findings:
    """Check a whole store: pages, checksums, offsets, epochs, versions, and tables against the log.

    Args:
        path: the store's folder.
        live: leave out the pages, so that another process may have the store open.

    Raises:
        StoreInUse: it is open elsewhere and `live` is False.
        Unreadable: there is no store.
    """
    folder = Path(path)
    if not (folder / DATA_FILE).exists():
        raise Unreadable(f"{folder}: there is no store")
    if live:
        return run_check(folder, Check.LIVE)
    lock = FolderLock(folder, "verify")
    try:
        return run_check(folder, Check.FULL)
    finally:
        lock.release(clean=lock.was_closed)


def run_check(folder: Path, check: Check) -> Findings:
    """Run a check in a child process."""
    command, environ = child_of("check", check.value, str(folder))
    try:
        child = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CHECK_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _dead(f"the check did not end within {CHECK_SECONDS_MAX} s")
    if child.returncode < 0:
        return _dead(f"reading it ended a process by {signal_name(-child.returncode)}")
    try:
        return msgspec.json.decode(child.stdout, type=Findings)
    except msgspec.MsgspecError:
        words = child.stderr.decode(errors="replace").strip().splitlines()
        return _dead(f"the check failed: {words[-1] if words else child.returncode}")


def child_of(module: str, *words: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a process that runs a module of this package."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    name = f"actorkalix_storage.lmdbstore.{module}"
    command = [sys.executable, "-P", "-m", name, *words]
    return command, {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _dead(reason: str) -> Findings:
    return Findings(ok=False, fatal=True, first=reason, damages=(reason,))


def signal_name(number: int) -> str:
    """As SIGBUS."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
