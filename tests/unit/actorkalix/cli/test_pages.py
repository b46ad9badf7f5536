"""Every error has a page that says what it means and what to do."""

from __future__ import annotations

import pytest

from actorkalix.cli.pages import find, page_of, pages
from actorkalix.errors import CommandError, InvalidCommandLine, UnknownRoute


def test_every_page_has_meaning_and_advice() -> None:
    for page in pages():
        assert page.meaning, page
        assert page.what_to_do.endswith("."), page
        assert "Args:" not in page.meaning + page.what_to_do, page
        assert "  " not in page.meaning + page.what_to_do, page
        assert "Attributes:" not in page.what_to_do, page


def test_numbers_are_one_error_each() -> None:
    numbers = [page.number for page in pages()]
    assert len(numbers) == len(set(numbers)) > 30
    assert numbers == sorted(numbers)


def test_a_page_is_its_docstring_taken_apart() -> None:
    page = page_of(UnknownRoute)
    assert page.meaning.startswith("No component, handler, route, consumer or dead letter")
    assert page.what_to_do.startswith("`actorkalix components module:service` lists")
    assert (page.http_status, page.code, page.outcome) == (404, "not_found", "not_executed")
    assert page_of(CommandError).what_to_do == "read the message; it is the service author's."


@pytest.mark.parametrize("typed", ["AK2003", "ak2003", "2003", " AK2003 ", "UnknownRoute"])
def test_a_page_is_found_by_number_or_name(typed: str) -> None:
    assert find(typed).number == "AK2003"


@pytest.mark.parametrize("typed", ["AK2903", "2930", "", "AK", "\x00", "🙂", "x" * 10_000])
def test_an_unknown_number_is_answered_with_the_nearest(typed: str) -> None:
    with pytest.raises(InvalidCommandLine, match=r"`actorkalix explain` lists all"):
        find(typed)
    with pytest.raises(InvalidCommandLine, match=r"near it: AK20\d\d"):
        find("AK2903")
