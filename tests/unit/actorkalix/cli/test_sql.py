"""`actorkalix sql`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.actorkalix.cli.ran import Ran

Cli = Callable[..., Ran]


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_rows_are_a_table(cli: Cli, viewed: str) -> None:
    ran = cli("sql", "SELECT 1", "--admin", viewed)
    assert ran.code == 0
    assert lines(ran.out) == ["name size", "pen 2", "ü -"]
    assert "there are more rows than 1,000" in ran.err


def test_rows_are_csv_or_json(cli: Cli, viewed: str) -> None:
    ran = cli("sql", "SELECT 1", "--csv", "--admin", viewed)
    assert ran.out.splitlines() == ["name,size", "pen,2", "ü,"]
    assert cli("sql", "SELECT 1", "--json", "--admin", viewed).document == {
        "columns": ["name", "size"],
        "rows": [["pen", 2], ["ü", None]],
        "more": True,
    }


def test_no_rows_are_said(cli: Cli, viewed: str) -> None:
    ran = cli("sql", "none", "--admin", viewed)
    assert (ran.code, ran.out.strip()) == (0, "")
    assert "no rows" in ran.err


def test_the_tables_are_listed(cli: Cli, viewed: str) -> None:
    ran = cli("sql", "--tables", "--admin", viewed)
    assert lines(ran.out) == ["table of columns", "carts view carts subject, name"]
    assert cli("sql", "--tables", "--json", "--admin", viewed).document[0]["name"] == "carts"


def test_what_is_no_query_says_what_to_do(cli: Cli, viewed: str) -> None:
    ran = cli("sql", "nonsense", "--admin", viewed)
    assert ran.code == 2
    assert "near nonsense" in ran.err
    assert cli("sql", "nonsense", "--json", "--admin", viewed).error["number"] == "AK2035"


@pytest.mark.parametrize(
    "words, said",
    [
        ((), "the statement is missing"),
        (("  ",), "the statement is missing"),
        (("SELECT 1", "--csv", "--json"), "--csv or --json"),
        (("SELECT 1", "--limit", "0"), "is not a number of 1 to"),
        (("SELECT", "1"), "unrecognized arguments"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(cli: Cli, words: tuple[str, ...], said: str) -> None:
    ran = cli("sql", *words)
    assert ran.code == 2
    assert said in ran.err or said in ran.out
