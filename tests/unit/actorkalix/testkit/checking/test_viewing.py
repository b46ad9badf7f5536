"""The rule of views."""

from __future__ import annotations

from actorkalix.testkit.checking import Evidence, Finding, Viewed
from actorkalix.testkit.checking.viewing import views_are_folds


def found(*viewed: Viewed, at_rest: bool = True) -> list[str]:
    findings: list[Finding] = []
    evidence = Evidence(operations=(), viewed=viewed, at_rest=at_rest)
    count = views_are_folds(evidence, findings)
    assert count == (len(viewed) if at_rest else 0)
    return [finding.text for finding in findings]


def test_rows_that_are_as_the_log_makes_them_are_right() -> None:
    assert found(Viewed("v", "t", "a", "{}", "{}"), Viewed("v", "t", "b", None, None)) == []


def test_rows_that_are_missing_or_too_many_or_others_are_found() -> None:
    assert found(
        Viewed("v", "t", "a", None, "{1}"),
        Viewed("v", "t", "b", "{2}", None),
        Viewed("v", "t", "c", "{3}", "{4}"),
    ) == [
        "v, table t: row 'a' is missing; the log makes {1}",
        "v, table t: row 'b' is {2}; by the log there is none",
        "v, table t: row 'c' is {3}; the log makes {4}",
    ]


def test_a_world_that_is_not_at_rest_is_not_judged() -> None:
    assert found(Viewed("v", "t", "a", None, "{1}"), at_rest=False) == []
