"""Patterns of LIKE as GLOB, and as a range of texts."""

from __future__ import annotations

import re
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.viewsql.patterns import beyond, folded_pattern, least, pattern, searched

TEXTS = st.text(st.sampled_from("aAé%_*?[]^-\ud7ff\U0010ffff"), max_size=6)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_glob_and_range_find_what_like_means(wanted: str, text: str) -> None:
    regex = "".join({"%": ".*", "_": "."}.get(one, re.escape(one)) for one in wanted)
    matches = re.fullmatch(regex, text, re.DOTALL) is not None
    (found,) = sqlite3.connect(":memory:").execute(
        "SELECT ?1 GLOB ?2 AND ?1 >= ?3 AND ?1 < ?4",
        (text, pattern(wanted), least(wanted), beyond(wanted)),
    ).fetchone()  # fmt: skip
    assert bool(found) == matches


@pytest.mark.parametrize(
    "wanted,low,high",
    [
        ("ab%", "ab", "ac"),
        ("a_b", "a", "b"),
        ("%a", "", b""),
        ("a\ud7ff%", "a\ud7ff", "a\ue000"),
        ("a\U0010ffff%", "a\U0010ffff", "b"),
        ("\U0010ffff%", "\U0010ffff", b""),
    ],
)
def test_what_a_pattern_begins_with(wanted: str, low: str, high: str | bytes) -> None:
    assert (least(wanted), beyond(wanted)) == (low, high)


def test_null_stays_null_and_case_is_folded() -> None:
    assert (pattern(None), folded_pattern(None), least(None), beyond(None)) == (None,) * 4
    assert searched("english")(None) is None
    assert folded_pattern("Ä%") == "ä*"
    assert searched("english")("Pens") == '"pen"'
