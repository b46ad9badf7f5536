"""What may be typed: the commands, their options, and what is said when none of them fits."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, NoReturn

from actorkalix.cli.exits import HELP
from actorkalix.errors import InvalidCommandLine
from actorkalix.runtime.config import ADMIN_PORT, LOOPBACK, PORT

from .look_parser import LOOKING
from .options import (
    SERVICE_HELP,
    Command,
    app_dir,
    count,
    hosts_number,
    port_number,
    runs,
    seed,
    source,
    store_number,
    up_to,
)
from .view_parser import VIEWING
from .workflow_parser import WORKFLOWS

GRPC_PORT = 9001


class _Help(argparse.HelpFormatter):
    """Commands and options with room beside them."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)
        # argparse forgets the indentation of commands when it measures them, and breaks the line.
        self._action_max_length = 16


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are errors of ours instead of exits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise InvalidCommandLine(f"{self.prog}: {message}")


def parse(typed: Sequence[str]) -> argparse.Namespace:
    """Read a command line.

    Returns:
        The options, with `command` (None when only help is wanted) and `function`.

    Raises:
        InvalidCommandLine: it cannot be read, or the command comes with a later version; the
            message says why and what is near.
    """
    for word in typed:
        if not word.isascii() and any("\ud800" <= char <= "\udfff" for char in word):
            raise InvalidCommandLine(f"{word!r} is not UTF-8")
    named = next((word for word in typed if not word.startswith("-")), None)
    if named in LATER:
        raise InvalidCommandLine(f"`actorkalix {named}` comes with a later version")
    names = [command.name for command in COMMANDS]
    if named is not None and named not in names and typed[0] == named:
        near = difflib.get_close_matches(named, names, n=1)
        hint = f"did you mean `actorkalix {near[0]}`?" if near else f"there is {', '.join(names)}"
        raise InvalidCommandLine(f"there is no command {named!r}; {hint}")
    return parser().parse_args(typed)


def parser() -> Parser:
    """The parser of the whole command line."""
    top = Parser(
        prog="actorkalix",
        description="Durable entities, written as plain Python classes, on Ray.",
        epilog=HELP,
    )
    top.set_defaults(command=None, function="", json=False)
    top.add_argument("--version", action="store_true", help="print the version")
    commands = top.add_subparsers(metavar="COMMAND", title="commands")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name, help=command.summary, description=_sentence(command.summary), epilog=HELP
        )
        sub.set_defaults(command=command.name, function=command.function)
        command.options(sub)
        sub.add_argument(
            "--json", action="store_true", help="print JSON on stdout and nothing else"
        )
    return top


def _run(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("service", metavar="SERVICE", help=SERVICE_HELP)
    sub.add_argument(
        "--port", type=port_number, default=PORT, help="of the HTTP API; 0 is any (%(default)s)"
    )
    sub.add_argument(
        "--grpc-port", type=port_number, help=f"of the gRPC API of a later version ({GRPC_PORT})"
    )
    sub.add_argument(
        "--admin-port",
        type=port_number,
        default=ADMIN_PORT,
        help="health, metrics, inspection (%(default)s)",
    )
    sub.add_argument(
        "--host-address",
        default=LOOPBACK,
        metavar="ADDRESS",
        help="address to listen on (%(default)s: this machine alone)",
    )
    sub.add_argument(
        "--data", metavar="DIR", help="data folder (.actorkalix/<service> beside the module)"
    )
    sub.add_argument(
        "--hosts",
        type=hosts_number,
        metavar="N",
        help="host processes, one store each (as many as the data folder has; 1)",
    )
    sub.add_argument(
        "--address", metavar="RAY", help="serve on a Ray that runs: auto, or host:port of its GCS"
    )
    sub.add_argument(
        "--view-nodes",
        metavar="RESOURCE",
        help="views live on nodes of that Ray that have this resource, if there are any",
    )
    sub.add_argument(
        "--dev", action="store_true", help="find handlers that wait or change a state in place"
    )
    app_dir(sub)


def _components(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("service", metavar="SERVICE", help=SERVICE_HELP)
    app_dir(sub)


def _status(sub: argparse.ArgumentParser) -> None:
    source(sub)
    sub.add_argument("--shards", action="store_true", help="list every shard")
    sub.add_argument("--watch", action="store_true", help="look every second, until Ctrl-C")


def _replace(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("store", metavar="STORE", type=store_number, help="number of the store")
    source(sub)


def _verify(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("data", metavar="DATA", help="data folder")


def _backup(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("target", metavar="TARGET", help="folder for it, empty or not there yet")
    source(sub)


def _restore(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("backup", metavar="BACKUP", help="folder of the backup")
    sub.add_argument(
        "--data", metavar="DIR", required=True, help="data folder to be, empty or not there yet"
    )
    sub.add_argument("--dry-run", action="store_true", help="check it to its last record alone")


def _check(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("history", metavar="HISTORY", help="file of a recorded history, JSON lines")
    sub.add_argument("--service", metavar="SERVICE", help=f"the service's code, {SERVICE_HELP}")
    sub.add_argument("--html", metavar="FILE", help="draw it; what fails is marked")
    sub.add_argument(
        "--operations-min",
        type=count,
        default=1,
        metavar="N",
        help="fewer judged are a finding (%(default)s)",
    )
    app_dir(sub)


def _simulate(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("service", metavar="SERVICE", nargs="?", help=SERVICE_HELP)
    sub.add_argument("--scenario", metavar="FILE", help="play a scenario, which names its service")
    sub.add_argument("--plan", metavar="FILE", help="play the plan of a run that failed, again")
    sub.add_argument("--seed", type=seed, default=0, metavar="N", help="the first (%(default)s)")
    sub.add_argument("--runs", type=runs, metavar="N", help="how many seeds (100)")
    for name, most, usual, what in (
        ("hosts", 16, 3, "hosts"),
        ("clients", 64, 5, "clients"),
        ("operations", 100_000, 200, "operations of a run"),
        ("entities", 10_000, 4, "entities of each component"),
    ):
        sub.add_argument(f"--{name}", type=up_to(most), metavar="N", help=f"{what} ({usual})")
    sub.add_argument("--faults", choices=("none", "usual", "harsh"), help="what goes wrong (usual)")
    sub.add_argument(
        "--report",
        metavar="DIR",
        help="for what is known of a run that fails (.actorkalix/simulation/<seed>)",
    )
    sub.add_argument("--no-shrink", action="store_true", help="leave a run that fails as it is")
    app_dir(sub)


def _explain(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "number", metavar="NUMBER", nargs="?", help="as AK2003; without it all are listed"
    )


def _nothing(sub: argparse.ArgumentParser) -> None:
    """No options but those of every command."""


def _sentence(summary: str) -> str:
    return f"{summary[:1].upper()}{summary[1:]}."


_RUN = "actorkalix.cli.run:execute"
_LISTS = "list a service's components, handlers, routes, stored types"
_CHECKS = "check every byte of a data folder, name the first damage"
_COPIES = "back up a service, while it runs or at rest"
_RESTORES = "make a data folder of a backup"
_JUDGES = "judge a recorded history: does one order explain all answers"
_PLAYS = "play a service as a whole cluster under faults, seed after seed, and judge it"
_SHOWS = "show a service's processes, stores and shards"
_REPLACES = "replace a store's host by another, without losing a request"

COMMANDS = (
    Command("run", "start a service on Ray, serve it until Ctrl-C", _RUN, _run),
    Command("components", _LISTS, "actorkalix.cli.components:execute", _components),
    *LOOKING,
    *VIEWING,
    WORKFLOWS,
    Command("status", _SHOWS, "actorkalix.cli.status:execute", _status),
    Command("replace", _REPLACES, "actorkalix.cli.replace:execute", _replace),
    Command("verify", _CHECKS, "actorkalix.cli.verify:execute", _verify),
    Command("backup", _COPIES, "actorkalix.cli.backup:execute", _backup),
    Command("restore", _RESTORES, "actorkalix.cli.backup:execute", _restore),
    Command("check", _JUDGES, "actorkalix.cli.check:execute", _check),
    Command("simulate", _PLAYS, "actorkalix.cli.simulate:execute", _simulate),
    Command("explain", "explain an error number", "actorkalix.cli.explain:execute", _explain),
    Command("version", "print the version", "actorkalix.cli.version:execute", _nothing),
)

LATER = frozenset(
    (
        "submit",
        "cluster",
        "openapi",
        "proto",
    )
)
