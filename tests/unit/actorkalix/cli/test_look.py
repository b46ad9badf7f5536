"""`actorkalix entities`, `state`, `events`: LT-20, LT-26."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.actorkalix.cli.ran import Ran

Cli = Callable[..., Ran]

EVENTS = """\
     4 event  Added v1 · 2023-11-14 22:13:24.000Z · shard {shard} offset 5
       {{"item":"cap"}}
       state    {{"cart_id":"c1","items":["pen","ink","pad","cap"]}}
     5 event  Removed v1 · 2023-11-14 22:13:25.000Z · shard {shard} offset 6 · with a key
       {{"item":"pad"}}
       metadata {{"reason":"too dear"}}
       state    {{"cart_id":"c1","items":["pen","ink","cap"]}}
"""


@pytest.fixture
def look(cli: Cli, admin: str) -> Cli:
    """An inspecting command on the running service."""
    return lambda *words: cli(*words, "--admin", admin)


def test_lt_26_entities_by_pages(look: Cli) -> None:
    first = look("entities", "cart", "--limit", "2")
    assert (first.code, len(first.out.splitlines())) == (0, 2)
    assert "there are more: --page " in first.err
    token = first.err.split("--page ")[1].strip()
    last = look("entities", "cart", "--limit", "2", "--page", token)
    assert "there are more" not in last.err
    assert {*first.out.split(), *last.out.split()} == {"c1", "c2", "ü/?"}
    page = look("entities", "cart", "--limit", "2", "--json").document
    assert page == {"ids": first.out.split(), "next_page": token}


def test_a_wrong_page_is_a_wrong_command_line(look: Cli) -> None:
    ran = look("entities", "cart", "--page", "nonsense", "--json")
    assert (ran.code, ran.error["number"]) == (2, "AK2002")


def test_an_unknown_component_is_not_found(look: Cli) -> None:
    for words in (("entities", "carts"), ("state", "carts", "c"), ("events", "carts", "c")):
        ran = look(*words)
        assert (ran.code, ran.out) == (1, "")
        assert "did you mean 'cart'" in ran.err
        assert look(*words, "--json").error["number"] == "AK2003"


def test_a_state_for_a_person(look: Cli) -> None:
    ran = look("state", "cart", "c1")
    assert ran.code == 0
    assert ran.out == (
        '{\n  "cart_id": "c1",\n  "items": [\n    "pen",\n    "ink",\n    "cap"\n  ]\n}\n'
    )
    assert "cart 'c1' · sequence number 5 · shard " in ran.err


def test_a_state_as_json(look: Cli) -> None:
    view = look("state", "profile", "p1", "--json").document
    assert (view["state"], view["exists"], view["sequence_number"]) == ({"name": "Ada"}, True, 1)


def test_an_entity_without_records_is_a_finding(look: Cli) -> None:
    for command in ("state", "events"):
        ran = look(command, "cart", "never")
        assert (ran.code, ran.out) == (1, "")
        assert "nothing is stored of cart 'never'" in ran.err
    assert look("events", "cart", "never", "--json").out == ""
    view = look("state", "cart", "never", "--json")
    assert (view.code, view.document["exists"]) == (1, False)


def test_what_is_no_id_is_refused(look: Cli) -> None:
    for entity in ("x" * 257, "a\nb"):
        ran = look("state", "cart", entity, "--json")
        assert (ran.code, ran.error["number"]) == (2, "AK2005")


def test_events_for_a_person(look: Cli) -> None:
    shard = look("state", "cart", "c1", "--json").document["shard"]
    ran = look("events", "cart", "c1", "--after", "3", "--with-state")
    assert (ran.code, ran.out) == (0, EVENTS.format(shard=shard))


def test_events_as_json_lines(look: Cli) -> None:
    ran = look("events", "cart", "c1", "--limit", "2", "--json")
    assert [view["payload"] for view in ran.lines] == [{"item": "pen"}, {"item": "ink"}]
    assert "there may be more: --after 2" in ran.err
    beyond = look("events", "cart", "c1", "--after", "5")
    assert (beyond.code, beyond.out) == (0, "")
    assert "there are no changes beyond 5" in beyond.err
