"""Problems: all at once, with a line, a caret and what was meant."""

from __future__ import annotations

import pytest

from actorkalix.viewsql.problems import Findings, Problem, meant, meant_word
from actorkalix.viewsql.syntax import Span


def test_a_caret_stands_under_what_is_wrong() -> None:
    text = "SELECT *\n  FROM cart\tWHERE x"
    findings = Findings(text)
    findings.add(Span(24, 25), "there is no x")
    findings.add(Span(16, 20), "there is no cart")
    findings.add(Span(16, 20), "there is no cart")
    with pytest.raises(Problem) as caught:
        findings.raise_if_any()
    assert str(caught.value) == (
        "there is no cart\n"
        "   2 |   FROM cart WHERE x\n"
        "              ^^^^\n"
        "there is no x\n"
        "   2 |   FROM cart WHERE x\n"
        "                      ^"
    )
    first = caught.value.errors[0]
    assert (first.line, first.column, first.length) == (2, 8, 4)


def test_a_span_over_lines_is_marked_to_the_end_of_its_first() -> None:
    findings = Findings("ab\ncd")
    findings.add(Span(1, 5), "wrong")
    findings.add(Span(5, 5), "behind the end")
    with pytest.raises(Problem) as caught:
        findings.raise_if_any()
    assert [(one.line, one.column, one.length) for one in caught.value.errors] == [
        (1, 2, 1),
        (2, 3, 1),
    ]


def test_nothing_found_raises_nothing() -> None:
    findings = Findings("x")
    findings.raise_if_any()
    assert not findings


def test_what_was_meant() -> None:
    assert meant("quantty", ["quantity", "price"]) == "; did you mean quantity?"
    assert meant("QUANTITY", ["quantity"]) == "; did you mean quantity?"
    assert meant("xyz", ["quantity", "price"]) == "; there is quantity, price"
    assert meant("xyz", [f"column_{one}" for one in range(13)]) == ""
    assert meant("xyz", []) == ""
    assert meant_word("DROP", ["GROUP"]) == ""
    assert meant_word("GRUOP", ["GROUP"]) == "; did you mean GROUP?"
