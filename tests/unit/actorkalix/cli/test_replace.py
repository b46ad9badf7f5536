"""`actorkalix replace`."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.actorkalix.cli.ran import Ran

Cli = Callable[..., Ran]


def test_the_next_host_is_named(cli: Cli, admin: str) -> None:
    ran = cli("replace", "0", "--admin", admin)
    assert (ran.code, ran.out) == (0, "store 0 is serving, by host 7\n")


def test_as_json(cli: Cli, admin: str) -> None:
    ran = cli("replace", "0", "--admin", admin, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.document["store"], ran.document["host"]["pid"]) == (0, 7)


def test_a_store_that_is_none_is_not_found(cli: Cli, admin: str) -> None:
    ran = cli("replace", "3", "--admin", admin, "--json")
    assert (ran.code, ran.error["number"]) == (1, "AK2003")
    assert "there is no store 3; there is 0" in ran.error["message"]
