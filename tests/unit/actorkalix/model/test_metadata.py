"""ES-34: an ordered multimap; names compare without case and keep their own; it never changes."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix import Metadata

BOTH = Metadata([("X-A", "1"), ("b", "2"), ("x-a", "3")])


def test_lookups_ignore_case_and_show_the_first() -> None:
    assert BOTH["x-A"] == "1"
    assert BOTH.get_all("X-a") == ["1", "3"]
    assert BOTH.get("c") is None
    assert BOTH.get_all("c") == []
    assert "B" in BOTH
    assert dict(BOTH) == {"X-A": "1", "b": "2"}
    assert len(BOTH) == 2


def test_set_replaces_add_appends_merge_keeps_both() -> None:
    assert BOTH.set("x-A", "9").pairs == (("b", "2"), ("x-A", "9"))
    assert BOTH.add("B", "9").get_all("b") == ["2", "9"]
    assert Metadata({"a": "1"}).merge({"A": "2"}).pairs == (("a", "1"), ("A", "2"))
    assert BOTH.pairs == (("X-A", "1"), ("b", "2"), ("x-a", "3"))


def test_taking_one_over_keeps_every_pair() -> None:
    assert Metadata(BOTH) == BOTH
    assert hash(Metadata(BOTH)) == hash(BOTH)
    assert Metadata() == {}
    assert Metadata({"a": "1"}) == {"a": "1"}
    assert Metadata({"a": "1"}) != {"a": "2"}
    assert repr(Metadata({"a": "1"})) == "Metadata([('a', '1')])"


@pytest.mark.parametrize("pairs", [{"a": 1}, {1: "a"}, [("a", None)]])
def test_anything_but_text_is_refused(pairs: Any) -> None:
    with pytest.raises(TypeError, match="metadata is text"):
        Metadata(pairs)
