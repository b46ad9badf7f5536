"""`actorkalix views`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.actorkalix.cli.ran import Ran

Cli = Callable[..., Ran]


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_views_are_listed(cli: Cli, viewed: str) -> None:
    ran = cli("views", "--admin", viewed)
    assert ran.code == 0
    head, carts, old = lines(ran.out)
    assert head == "view state rows behind parked handled gaps size process"
    assert carts == "carts building carts 1,234, big ? 90 1 30 0 2.5 MB 77"
    assert old == "old inactive - 0 0 0 0 0.0 MB -"
    assert "carts is being built: 30 of 120 records, 25 %" in ran.err
    assert "carts takes nothing now: no room" in ran.err
    assert "what is parked: actorkalix views parked carts" in ran.err
    assert "files of no view of the code: actorkalix views drop old" in ran.err
    assert [one["view"] for one in cli("views", "list", "--admin", viewed, "--json").document] == [
        "carts",
        "old",
    ]


def test_what_is_parked_is_shown(cli: Cli, viewed: str) -> None:
    ran = cli("views", "parked", "carts", "--admin", viewed)
    assert lines(ran.out) == [
        "table subject component attempts since failure",
        "carts c1 cart 4 2023-11-14 22:13:20.000Z KeyError: 'x'",
    ]
    assert "nothing is parked for old" in cli("views", "parked", "old", "--admin", viewed).err
    [one] = cli("views", "parked", "carts", "--admin", viewed, "--json").document
    assert one["entity"] == "c1"


def test_queries_are_explained_and_scans_said(cli: Cli, viewed: str) -> None:
    ran = cli("views", "explain", "carts", "--admin", viewed)
    assert lines(ran.out) == [
        "all_of",
        "SELECT * FROM carts",
        "SQLite:",
        "SELECT 1 FROM carts",
        "· SCAN carts",
        "",
        "indexes:",
        "CREATE INDEX i",
    ]
    assert "all_of scans all of carts" in ran.err
    assert "a note" in ran.err
    assert cli("views", "explain", "carts", "--admin", viewed, "--json").document["queries"]


def test_a_view_is_dropped_or_there_was_none(cli: Cli, viewed: str) -> None:
    ran = cli("views", "drop", "old", "--admin", viewed)
    assert (ran.code, lines(ran.out)) == (0, ["the files of old are deleted"])
    ran = cli("views", "drop", "other", "--admin", viewed)
    assert ran.code == 1
    assert "there are no files of a view 'other'" in ran.err
    assert cli("views", "drop", "other", "--admin", viewed, "--json").document["dropped"] is False


def test_a_view_is_made_anew(cli: Cli, viewed: str) -> None:
    ran = cli("views", "rebuild", "carts", "--admin", viewed)
    assert (ran.code, lines(ran.out)) == (
        0,
        ["carts is made anew; what there is is served until that is whole"],
    )
    assert cli("views", "rebuild", "carts", "--admin", viewed, "--json").document == {
        "view": "carts"
    }


@pytest.mark.parametrize(
    "words, said",
    [
        (("explain",), "the view is missing"),
        (("drop",), "the view is missing"),
        (("list", "carts"), "lists all of them"),
        (("export", "carts"), "--parquet FILE"),
        (("list", "--parquet", "x"), "--parquet FILE"),
        (("nonsense",), "invalid choice"),
        (("parked", "carts", "--limit", "0"), "is not a number of 1 to"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(cli: Cli, words: tuple[str, ...], said: str) -> None:
    ran = cli("views", *words)
    assert ran.code == 2
    assert said in ran.err


def test_exports_need_a_file_that_is_whole(cli: Cli, viewed: str, tmp_path: Path) -> None:
    target = str(tmp_path / "carts.parquet")
    ran = cli("views", "export", "carts", "--parquet", target, "--admin", viewed)
    assert ran.code == 4
    assert "has no file that is whole" in ran.err
    ran = cli("views", "export", "other", "--parquet", target, "--admin", viewed)
    assert ran.code == 1


def test_without_a_service_nothing_is_listed(cli: Cli) -> None:
    assert cli("views", "--admin", "http://127.0.0.1:9").code == 4
