"""From words to an exit code: no traceback but for bugs, and only where it is asked for."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable

import pytest

from actorkalix.cli import explain
from actorkalix.cli.output import Output
from tests.unit.actorkalix.cli.ran import Ran


def test_nothing_typed_shows_the_help(cli: Callable[..., Ran]) -> None:
    ran = cli()
    assert ran.code == 2
    assert ran.out.startswith("usage: actorkalix")


def test_errors_of_the_command_line_have_code_2(cli: Callable[..., Ran]) -> None:
    ran = cli("stat")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("AK5003 there is no command 'stat'")
    assert cli("openapi", "--json").error["message"] == (
        "`actorkalix openapi` comes with a later version"
    )


def broken(arguments: argparse.Namespace, output: Output) -> int:
    raise LookupError("of ours")


def test_a_bug_has_its_traceback_only_on_demand(
    cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "execute", broken)
    ran = cli("explain")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("AK9001 LookupError: of ours")
    assert "Traceback" not in ran.err
    assert cli("explain", "--json").error["number"] == "AK9001"
    monkeypatch.setenv("ACTORKALIX_DEBUG", "1")
    assert "Traceback" in cli("explain").err


def test_ctrl_c_is_no_traceback(cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(explain, "execute", interrupted)
    assert cli("explain") == Ran(130, "", "")


def test_the_command_line_loads_neither_ray_nor_a_store() -> None:
    code = (
        "import sys, actorkalix.cli.parser as p; p.parse(['run', 'a']);"
        "heavy = {'ray', 'lmdb', 'starlette', 'grpc', 'rich', 'httpx'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
