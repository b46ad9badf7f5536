"""What may be typed: the commands, their options, and what is said when none of them fits."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from actorkalix.cli.exits import HELP
from actorkalix.errors import InvalidCommandLine
from actorkalix.runtime.config import ADMIN_PORT, LOOPBACK, PORT

GRPC_PORT = 9001
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
        "--port", type=_port, default=PORT, help="of the HTTP API; 0 is any (%(default)s)"
    )
    sub.add_argument(
        "--grpc-port", type=_port, help=f"of the gRPC API of a later version ({GRPC_PORT})"
    )
    sub.add_argument(
        "--admin-port",
        type=_port,
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
        type=_hosts,
        metavar="N",
        help="host processes, one store each (as many as the data folder has; 1)",
    )
    sub.add_argument(
        "--address", metavar="RAY", help="serve on a Ray that runs: auto, or host:port of its GCS"
    )
    sub.add_argument(
        "--dev", action="store_true", help="find handlers that wait or change a state in place"
    )
    sub.add_argument(
        "--app-dir", metavar="DIR", help="folder in which modules are looked for (here)"
    )


def _components(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("service", metavar="SERVICE", help=SERVICE_HELP)
    sub.add_argument(
        "--app-dir", metavar="DIR", help="folder in which modules are looked for (here)"
    )


def _entities(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("component", metavar="COMPONENT", help="component id")
    _source(sub)
    sub.add_argument(
        "--limit", type=_count, default=100, metavar="N", help="ids of a page (%(default)s)"
    )
    sub.add_argument("--page", default="", metavar="TOKEN", help="as the page before printed it")


def _state(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("component", metavar="COMPONENT", help="component id")
    sub.add_argument("entity", metavar="ENTITY", help="entity id")
    _source(sub)


def _events(sub: argparse.ArgumentParser) -> None:
    _state(sub)
    sub.add_argument("--with-state", action="store_true", help="the state after each change too")
    sub.add_argument(
        "--after", type=_offset, default=0, metavar="N", help="beyond sequence number N (0)"
    )
    sub.add_argument(
        "--limit", type=_count, default=100, metavar="N", help="changes at most (%(default)s)"
    )


def _timers(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "action", metavar="cancel", nargs="?", choices=("cancel",), help="cancel one, by its NAME"
    )
    sub.add_argument("name", metavar="NAME", nargs="?", help="name of the timer to cancel")
    _source(sub)
    sub.add_argument(
        "--limit", type=_count, default=100, metavar="N", help="timers of a page (%(default)s)"
    )
    sub.add_argument("--page", default="", metavar="TOKEN", help="as the page before printed it")


def _consumers(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "consumer", metavar="CONSUMER", nargs="?", help="one of them; or `retry`, and its id"
    )
    sub.add_argument("retried", metavar="ID", nargs="?", help="of the consumer that is to retry")
    _source(sub)
    sub.add_argument("--entity", default="", metavar="ID", help="retry this entity alone")
    sub.add_argument(
        "--limit", type=_count, default=100, metavar="N", help="parked subjects (%(default)s)"
    )


def _dead_letters(sub: argparse.ArgumentParser) -> None:
    words = ("list", "show", "replay", "drop")
    sub.add_argument(
        "action", metavar="|".join(words), nargs="?", default="list", choices=words, help="(list)"
    )
    sub.add_argument("id", metavar="ID", nargs="?", help="of the letter; to list, of a consumer")
    _source(sub)
    sub.add_argument(
        "--limit", type=_count, default=100, metavar="N", help="letters of a page (%(default)s)"
    )
    sub.add_argument("--page", default="", metavar="TOKEN", help="as the page before printed it")


def _source(sub: argparse.ArgumentParser) -> None:
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
    where.add_argument(
        "--app-dir", metavar="DIR", help="folder in which modules are looked for (here)"
    )


def _status(sub: argparse.ArgumentParser) -> None:
    _source(sub)
    sub.add_argument("--shards", action="store_true", help="list every shard")
    sub.add_argument("--watch", action="store_true", help="look every second, until Ctrl-C")


def _replace(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("store", metavar="STORE", type=_store, help="number of the store")
    _source(sub)


def _verify(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("data", metavar="DATA", help="data folder")


def _backup(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("target", metavar="TARGET", help="folder for it, empty or not there yet")
    _source(sub)


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
        type=_count,
        default=1,
        metavar="N",
        help="fewer judged are a finding (%(default)s)",
    )
    sub.add_argument(
        "--app-dir", metavar="DIR", help="folder in which modules are looked for (here)"
    )


def _simulate(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("service", metavar="SERVICE", nargs="?", help=SERVICE_HELP)
    sub.add_argument("--scenario", metavar="FILE", help="play a scenario, which names its service")
    sub.add_argument("--plan", metavar="FILE", help="play the plan of a run that failed, again")
    sub.add_argument("--seed", type=_seed, default=0, metavar="N", help="the first (%(default)s)")
    sub.add_argument("--runs", type=_runs, metavar="N", help="how many seeds (100)")
    for name, most, usual, what in (
        ("hosts", 16, 3, "hosts"),
        ("clients", 64, 5, "clients"),
        ("operations", 100_000, 200, "operations of a run"),
        ("entities", 10_000, 4, "entities of each component"),
    ):
        sub.add_argument(f"--{name}", type=_up_to(most), metavar="N", help=f"{what} ({usual})")
    sub.add_argument("--faults", choices=("none", "usual", "harsh"), help="what goes wrong (usual)")
    sub.add_argument(
        "--report",
        metavar="DIR",
        help="for what is known of a run that fails (.actorkalix/simulation/<seed>)",
    )
    sub.add_argument("--no-shrink", action="store_true", help="leave a run that fails as it is")
    sub.add_argument(
        "--app-dir", metavar="DIR", help="folder in which modules are looked for (here)"
    )


def _explain(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "number", metavar="NUMBER", nargs="?", help="as AK2003; without it all are listed"
    )


def _nothing(sub: argparse.ArgumentParser) -> None:
    """No options but those of every command."""


def _port(text: str) -> int:
    return _between(text, 0, 65535, "a port")


def _hosts(text: str) -> int:
    return _between(text, 1, 64, "a number of hosts")


def _store(text: str) -> int:
    return _between(text, 0, 2**31 - 1, "a store's number")


def _count(text: str) -> int:
    return _between(text, 1, 1000, "a number")


def _offset(text: str) -> int:
    return _between(text, 0, 2**63 - 1, "a sequence number")


def _seed(text: str) -> int:
    return _between(text, 0, 2**63 - 1, "a seed")


def _runs(text: str) -> int:
    return _between(text, 1, 1_000_000, "a number of runs")


def _up_to(most: int) -> Callable[[str], int]:
    return lambda text: _between(text, 1, most, "a number")


def _between(text: str, low: int, high: int, noun: str) -> int:
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {noun} of {low} to {high}")
    return int(text)


def _sentence(summary: str) -> str:
    return f"{summary[:1].upper()}{summary[1:]}."


_RUN = "actorkalix.cli.run:execute"
_TIMERS = "actorkalix.cli.timers:execute"
_LOOK = "actorkalix.cli.look:execute"
_READS = "list subscriptions, how far they are, what is parked; or retry"
_DEAD = "list what consumers gave up, replay or drop it"
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
    Command("entities", "list the ids of a component's entities", _LOOK, _entities),
    Command("state", "print the state of an entity", _LOOK, _state),
    Command("events", "print the changes of an entity", _LOOK, _events),
    Command("timers", "list named timers, or cancel one", _TIMERS, _timers),
    Command("consumers", _READS, "actorkalix.cli.consumers:execute", _consumers),
    Command("dead-letters", _DEAD, "actorkalix.cli.dead_letters:execute", _dead_letters),
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
        "workflows",
        "views",
        "openapi",
        "proto",
    )
)
