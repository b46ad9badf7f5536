"""Tokens: words, names, texts, numbers and signs, each where it stands."""

from __future__ import annotations

import pytest

from actorkalix.viewsql.dialect import END, NUMBER, QUOTED, SIGN, TEXT, WORD, tokens_of
from actorkalix.viewsql.problems import Findings, Problem


def cut(text: str) -> list[tuple[str, str, str]]:
    tokens = tokens_of(text, Findings(text))
    return [(one.kind, one.text, text[one.span.start : one.span.end]) for one in tokens]


def test_kinds_of_tokens() -> None:
    assert cut("Größe `a``b` 'it''s' 1.5e3 <> :x::float") == [
        (WORD, "Größe", "Größe"),
        (QUOTED, "a`b", "`a``b`"),
        (TEXT, "it's", "'it''s'"),
        (NUMBER, "1.5e3", "1.5e3"),
        (SIGN, "<>", "<>"),
        (SIGN, ":", ":"),
        (WORD, "x", "x"),
        (SIGN, "::", "::"),
        (WORD, "float", "float"),
        (END, "", ""),
    ]


@pytest.mark.parametrize("word", ["show", "index", "comment", "date", "fetch", "row", "execute"])
def test_keywords_of_other_dialects_are_words(word: str) -> None:
    assert [one[0] for one in cut(f"{word} {word}")] == [WORD, WORD, END]


def test_comments_are_passed_over_and_backslashes_mean_nothing() -> None:
    assert cut("a -- 'x\n/* ` */ '\\'") == [(WORD, "a", "a"), (TEXT, "\\", "'\\'"), (END, "", "")]


@pytest.mark.parametrize("text,column", [("a 'b", 3), ("-- '\n`", 1), ("a /* b", 3), ("'a''", 1)])
def test_what_is_never_closed_is_told_where_it_opens(text: str, column: int) -> None:
    with pytest.raises(Problem, match="is never closed") as caught:
        tokens_of(text, Findings(text))
    assert caught.value.errors[0].column == column
