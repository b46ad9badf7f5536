"""The processes of a run on this machine: each holds a file in the run's scratch folder open.

The file is named for the process and says the name of its actor. A controller that takes over from
a killed one finds the others through it, and so does the reaper, which ends what is left: a file
says who *was* there, and that the process holds it open says that it still is. So an id that was
given to another process confuses nobody.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from actorkalix_cluster.rayhost.reaper import holds_open
from actorkalix_cluster.rayhost.sockets import Peer

_PREFIX = "member."


class Member(msgspec.Struct, frozen=True):
    """A process of the run.

    Attributes:
        name: of its actor.
        peer: its id, and a pidfd that whoever asked has to close.
    """

    name: str
    peer: Peer


def enter(scratch: Path, name: str) -> int:
    """This process belongs to the run until the file descriptor that is returned is closed."""
    member = os.open(
        scratch / f"{_PREFIX}{os.getpid()}", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600
    )
    os.write(member, name.encode())
    return member


def present(scratch: Path) -> list[Member]:
    """The members that live, this process left out; files of those that do not are removed."""
    found: list[Member] = []
    for file in scratch.glob(f"{_PREFIX}*"):
        pid = int(file.name.removeprefix(_PREFIX))
        if pid == os.getpid():
            continue
        name = file.read_text()
        peer = _opened(pid, file)
        if peer is None:
            file.unlink(missing_ok=True)
        else:
            found.append(Member(name, peer))
    return found


def _opened(pid: int, file: Path) -> Peer | None:
    """The process with a pidfd, if it is the one that holds the file open."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    if holds_open(Path(f"/proc/{pid}"), str(file)):
        return Peer(pid, pidfd)
    os.close(pidfd)
    return None
