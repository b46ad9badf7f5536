"""What may be typed, and what is said when it may not."""

from __future__ import annotations

import importlib

import pytest

from actorkalix.cli.options import Command
from actorkalix.cli.parser import COMMANDS, LATER, parse, parser
from actorkalix.errors import InvalidCommandLine


def refused(*typed: str) -> str:
    with pytest.raises(InvalidCommandLine) as caught:
        parse(typed)
    return str(caught.value)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_a_function_help_and_json(command: Command) -> None:
    module, _, name = command.function.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_the_usual_values() -> None:
    run = parse(["run", "shop:service"])
    assert (run.port, run.admin_port, run.grpc_port) == (9000, 9889, None)
    assert (run.host_address, run.data, run.app_dir, run.json) == ("127.0.0.1", None, None, False)
    events = parse(["events", "cart", "c1", "--with-state", "--json"])
    assert (events.after, events.limit, events.with_state, events.json) == (0, 100, True, True)
    assert parse(["state", "cart", "--", "-5"]).entity == "-5"
    status = parse(["status"])
    assert (status.watch, status.shards, status.admin) == (False, False, None)
    assert parse(["replace", "3", "--data", "d"]).store == 3
    assert parse([]).function == ""


@pytest.mark.parametrize("command", sorted(LATER))
def test_commands_of_later_versions_say_so_and_are_not_listed(command: str) -> None:
    assert refused(command, "x") == f"`actorkalix {command}` comes with a later version"
    assert f"\n    {command}" not in parser().format_help()


def test_a_later_command_is_one_only_where_a_command_stands() -> None:
    assert parse(["entities", "views"]).component == "views"
    assert parse(["explain", "status"]).number == "status"


def test_unknown_commands_are_answered_with_the_nearest() -> None:
    assert "did you mean `actorkalix state`?" in refused("stat")
    assert "there is run, components, entities" in refused("zzz")


@pytest.mark.parametrize(
    "typed, said",
    [
        (["run"], "required: SERVICE"),
        (["run", "a", "b"], "unrecognized arguments: b"),
        (["run", "a", "--port", "x"], "'x' is not a port of 0 to 65535"),
        (["run", "a", "--port", "65536"], "'65536' is not a port of 0 to 65535"),
        (["run", "a", "--port", "-1"], "'-1' is not a port"),
        (["run", "a", "--port", "٣"], "is not a port"),
        (["entities", "cart", "--limit", "0"], "'0' is not a number of 1 to 1000"),
        (["events", "cart", "c", "--after", "1" * 400], "is not a sequence number"),
        (["state", "cart"], "required: ENTITY"),
        (["replace"], "required: STORE"),
        (["replace", "one"], "'one' is not a store's number"),
        (["state", "cart", "\udcff"], "'\\udcff' is not UTF-8"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_what_cannot_be_read_is_named(typed: list[str], said: str) -> None:
    assert said in refused(*typed)


def test_help_lists_the_commands_and_exit_codes() -> None:
    text = parser().format_help()
    for command in COMMANDS:
        assert f"\n    {command.name:<13} {command.summary}" in text
    assert "exit codes: 0 ok, 1 finding" in text
