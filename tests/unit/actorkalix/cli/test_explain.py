"""`actorkalix explain`."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.actorkalix.cli.ran import Ran

PAGE = """\
AK4004 FolderInUse

Another process has the data folder open; the message names it.

What to do: stop that process, or use another folder with `--data`.

HTTP status  500
gRPC code    failed_precondition
outcome      nothing was executed; it may be sent again
"""


def test_a_page_for_a_person(cli: Callable[..., Ran]) -> None:
    ran = cli("explain", "AK4004")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == PAGE


def test_a_page_as_json(cli: Callable[..., Ran]) -> None:
    page = cli("explain", "3101", "--json").document
    assert (page["number"], page["outcome"], page["http_status"]) == ("AK3101", "unknown", 504)


def test_the_list_of_all(cli: Callable[..., Ran]) -> None:
    ran = cli("explain")
    assert ran.code == 0
    assert ran.out.splitlines()[0].startswith("AK1001  DefinitionError")
    assert "AK0000" not in ran.out
    assert {page["number"] for page in cli("explain", "--json").document} > {"AK1001", "AK9001"}


def test_an_unknown_number(cli: Callable[..., Ran]) -> None:
    ran = cli("explain", "AK2999")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no error 'AK2999'; near it: AK2019" in ran.err
    assert cli("explain", "AK2999", "--json").error["number"] == "AK5003"
