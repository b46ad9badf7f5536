"""Exit codes, the same for every command."""

from __future__ import annotations

import enum

from actorkalix.errors import ActorkalixError


class Exit(enum.IntEnum):
    """What the command came to."""

    OK = 0
    FINDING = 1  # what was looked for is not there, or damage was found
    USAGE = 2  # the command line, or the service's definition
    PLACE = 3  # the data folder or a port
    FAILURE = 4  # it went wrong while running
    INTERRUPTED = 130  # Ctrl-C, as shells count it


HELP = (
    "exit codes: 0 ok, 1 finding or not found, 2 usage or definition, 3 folder or port, 4 failure"
)

# By the beginning of the number, longest first.
_BY_NUMBER = (
    ("AK2003", Exit.FINDING),
    ("AK4001", Exit.FINDING),
    ("AK4002", Exit.FINDING),
    ("AK4008", Exit.FINDING),
    ("AK4009", Exit.FAILURE),
    ("AK4010", Exit.FAILURE),
    ("AK5001", Exit.PLACE),
    ("AK5003", Exit.USAGE),
    ("AK502", Exit.USAGE),
    ("AK1", Exit.USAGE),
    ("AK2", Exit.USAGE),
    ("AK4", Exit.PLACE),
)


def exit_of(error: ActorkalixError) -> Exit:
    """The exit code that an error leads to."""
    return next(
        (code for start, code in _BY_NUMBER if error.number.startswith(start)), Exit.FAILURE
    )
