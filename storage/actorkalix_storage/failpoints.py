"""Failpoints: places at which a test lets the process die, stop, or meet a failing disk.

They are named by the environment variable `ACTORKALIX_FAILPOINTS`, read when this module is
imported; without it a place costs one call that does nothing. Its grammar:

    <place>=<action>[@<N>][?<file>] [; ...]   e.g.  commit.before_sync=crash@3;homes.after_sync=stop

`crash` is SIGKILL to itself, `stop` is SIGSTOP; `enospc` and `eio` raise what LMDB would raise,
so they are for places inside a transaction: what follows is what follows from a real one. With
`@N` it happens at the N-th time that the place is reached, once; otherwise every time.

Each process counts for itself, so a crash while a store is opened would befall every process that
takes the place of the one before. With `?<file>`, an absolute path, it happens only while that file
is there, and takes it away first: one file stands for one time, whichever process comes to it. Who
makes the file says from when on, and sees that the place was reached when it is gone.

Places are named <operation>.<moment>: `before_sync` is with all rows put and nothing committed,
`after_sync` durable and not answered.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from typing import NamedTuple

VARIABLE = "ACTORKALIX_FAILPOINTS"

_IN_TRANSACTION = (
    "commit.before_sync",
    "open.before_sync",
    "seal.before_sync",
    "receive.before_sync",
    "homes.before_sync",
    "drop.before_sync",
    "checkpoint.slice",
    "compaction.slice",
    "snapshot.piece",
    "ahead.piece",
    "sweep.slice",
)
_OUTSIDE = (
    "commit.begin",
    "commit.before_write",
    "commit.after_sync",
    "open.before_epochs",
    "open.after_sync",
    "open.after_epochs",
    "seal.after_sync",
    "receive.after_sync",
    "homes.after_sync",
    "drop.middle",
    "drop.after_sync",
)
PLACES = frozenset((*_IN_TRANSACTION, *_OUTSIDE))


def _crash(place: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop(place: str) -> None:
    # To this thread, that it stands still here: one to the process may be taken by another thread,
    # and this one goes on until that has happened.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def _no_space(place: str) -> None:
    _fail(place, errno.ENOSPC)


def _broken_disk(place: str) -> None:
    _fail(place, errno.EIO)


def _fail(place: str, code: int) -> None:
    import lmdb  # the store in memory has these places too, and does without

    error = lmdb.Error(f"failpoint {place}: {os.strerror(code)}")
    vars(error)["code"] = code  # where the binding puts it
    raise error


_ACTIONS: dict[str, Callable[[str], None]] = {
    "crash": _crash,
    "stop": _stop,
    "enospc": _no_space,
    "eio": _broken_disk,
}
_RAISING = ("enospc", "eio")


class _Armed(NamedTuple):
    """One failpoint.

    Attributes:
        place, action: where and what.
        at: which time that the place is reached, 0 for every time.
        file: that it takes away when it happens, or "" for none.
    """

    place: str
    action: str
    at: int
    file: str


class Failpoints:
    """The failpoints that a text names.

    Args:
        text: see the grammar above; "" for none.

    Raises:
        ValueError: a place, an action, a number or a file is none; the message says what is.
    """

    def __init__(self, text: str) -> None:
        self._armed: dict[str, list[_Armed]] = {}
        self._hits: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(";"))):
            armed = _parsed(part)
            self._armed.setdefault(armed.place, []).append(armed)

    def hit(self, place: str) -> None:
        """Do what is asked for at a place, now that it is reached."""
        assert place in PLACES, f"{place} is not among the places"
        count = self._hits[place] = self._hits.get(place, 0) + 1
        for armed in self._armed.get(place, ()):
            if armed.at in (0, count) and _taken(armed.file):
                _ACTIONS[armed.action](place)


def _taken(file: str) -> bool:
    """Take the file away; False when it is not there (any more)."""
    try:
        if file:
            os.unlink(file)
    except FileNotFoundError:
        return False
    return True


def _parsed(part: str) -> _Armed:
    place, _, what = part.partition("=")
    what, has_file, file = what.partition("?")
    action, has_number, number = what.partition("@")
    if place not in PLACES:
        raise ValueError(f"{VARIABLE}: no place {place!r}; there are {', '.join(sorted(PLACES))}")
    if action not in _ACTIONS:
        raise ValueError(f"{VARIABLE}: no action {action!r}; there are {', '.join(_ACTIONS)}")
    if action in _RAISING and place not in _IN_TRANSACTION:
        raise ValueError(
            f"{VARIABLE}: {action} needs a place inside a transaction, not {place!r}: "
            f"{', '.join(_IN_TRANSACTION)}"
        )
    if has_number and not (number.isascii() and number.isdigit() and int(number) > 0):
        raise ValueError(f"{VARIABLE}: {part!r}: after @ comes a number from 1 on")
    if has_file and not os.path.isabs(file):
        raise ValueError(f"{VARIABLE}: {part!r}: after ? comes the absolute path of a file")
    return _Armed(place, action, int(number) if has_number else 0, file)


_failpoints = Failpoints(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def hit(place: str) -> None:
    """The program has come to a place."""
    if _failpoints is not None:
        _failpoints.hit(place)
