"""Options of `views` and `sql`."""

from __future__ import annotations

import pytest

from actorkalix.cli.parser import parse
from actorkalix.cli.view_parser import ACTIONS, VIEWING
from actorkalix.errors import InvalidCommandLine


def test_without_an_action_views_are_listed() -> None:
    found = parse(["views"])
    assert (found.action, found.view, found.limit, found.parquet) == ("list", None, 100, None)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_takes_a_view(action: str) -> None:
    assert parse(["views", action, "carts"]).view == "carts"


def test_a_statement_is_one_word_and_has_options() -> None:
    found = parse(["sql", "SELECT 1", "--csv", "--limit", "100000"])
    assert (found.sql, found.csv, found.limit, found.tables) == ("SELECT 1", True, 100_000, False)
    with pytest.raises(InvalidCommandLine):
        parse(["sql", "SELECT 1", "--limit", "100001"])


def test_both_have_a_summary() -> None:
    assert [command.name for command in VIEWING] == ["views", "sql"]
    assert all(command.summary for command in VIEWING)
