"""The note that a running service leaves in its data folder, so that other processes find it.

The note is a hint and never a lock: a killed process leaves it behind. Who reads it asks the admin
    address whether the service still answers there; the lock of the store decides who may open it.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

FILE_NAME = "run.json"


class Presence(msgspec.Struct, frozen=True):
    """Where a service answers.

    Attributes:
        service: its name.
        pid: of the `run` process.
        url: of its HTTP API, as `http://127.0.0.1:9000`.
        admin_url: of its admin port.
        started_ms: milliseconds since 1970.
    """

    service: str
    pid: int
    url: str
    admin_url: str
    started_ms: int


def announce(data: Path, presence: Presence) -> None:
    """Write the note in whole or not at all; readable by the folder's owner alone.

    Raises:
        OSError: the folder cannot be written.
    """
    waiting = data / f".{FILE_NAME}.{os.getpid()}"
    waiting.write_bytes(msgspec.json.format(msgspec.json.encode(presence)) + b"\n")
    waiting.chmod(0o600)
    waiting.replace(data / FILE_NAME)


def withdraw(data: Path, pid: int) -> None:
    """Remove the note if it is the one of process `pid`; another's stays."""
    presence = find(data)
    if presence is not None and presence.pid == pid:
        (data / FILE_NAME).unlink(missing_ok=True)


def find(data: Path) -> Presence | None:
    """The note in the folder, or None when there is none that can be read."""
    try:
        return msgspec.json.decode((data / FILE_NAME).read_bytes(), type=Presence)
    except (OSError, msgspec.DecodeError):
        return None
