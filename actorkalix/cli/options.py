"""What the options of several commands have in common: where to look, pages, numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

from actorkalix.runtime.config import ADMIN_PORT

SERVICE_HELP = "as shop:service or path/to/shop.py:service"


class Command(NamedTuple):
    """A command.

    Attributes:
        name: as typed.
        summary: one line in the list of commands.
        function: `module:execute`, imported when the command is typed; it takes the options and
            an `Output` and returns an exit code.
        options: adds its options to its parser.
    """

    name: str
    summary: str
    function: str
    options: Callable[[argparse.ArgumentParser], None]


def pages(sub: argparse.ArgumentParser, what: str) -> None:
    """A page of a long list."""
    sub.add_argument(
        "--limit", type=count, default=100, metavar="N", help=f"{what} of a page (%(default)s)"
    )
    sub.add_argument("--page", default="", metavar="TOKEN", help="as the page before printed it")


def app_dir(sub: argparse._ActionsContainer) -> None:
    """Where the service's code is."""
    sub.add_argument(
        "--app-dir", metavar="DIR", help="folder in which modules are looked for (here)"
    )


def source(sub: argparse.ArgumentParser) -> None:
    """Which service, and by which way."""
    where = sub.add_argument_group(
        "where to look",
        "A service that runs is asked through its admin port, a folder at rest is opened. Without "
        "any of these the service at the usual admin port of this machine is asked.",
    )
    where.add_argument("--service", metavar="SERVICE", help=f"the service's code, {SERVICE_HELP}")
    where.add_argument(
        "--data", metavar="DIR", help="its data folder; the code is not needed to look into it"
    )
    where.add_argument(
        "--admin", metavar="URL", help=f"its admin address, as http://127.0.0.1:{ADMIN_PORT}"
    )
    app_dir(where)


def port_number(text: str) -> int:
    """A port; 0 is any."""
    return between(text, 0, 65535, "a port")


def hosts_number(text: str) -> int:
    """How many hosts."""
    return between(text, 1, 64, "a number of hosts")


def store_number(text: str) -> int:
    """Which store."""
    return between(text, 0, 2**31 - 1, "a store's number")


def count(text: str) -> int:
    """How many on a page."""
    return between(text, 1, 1000, "a number")


def offset(text: str) -> int:
    """A sequence number."""
    return between(text, 0, 2**63 - 1, "a sequence number")


def seed(text: str) -> int:
    """A seed."""
    return between(text, 0, 2**63 - 1, "a seed")


def runs(text: str) -> int:
    """How many runs."""
    return between(text, 1, 1_000_000, "a number of runs")


def up_to(most: int) -> Callable[[str], int]:
    """A number of 1 to `most`."""
    return lambda text: between(text, 1, most, "a number")


def between(text: str, low: int, high: int, noun: str) -> int:
    """A whole number between two, both included.

    Raises:
        ArgumentTypeError: it is none; says what would be.
    """
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {noun} of {low} to {high}")
    return int(text)
