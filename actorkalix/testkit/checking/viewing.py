"""The rule of views: a view has what its sources' logs make of it, no more and no less."""

from __future__ import annotations

from actorkalix.testkit.history import cut

from .evidence import Evidence, Viewed
from .verdicts import Finding


def views_are_folds(evidence: Evidence, findings: list[Finding]) -> int:
    """When a world is healed and at rest, each row is the fold of its subject's records."""
    if not evidence.at_rest:
        return 0
    findings += [
        Finding(_text(one), one.view, one.subject)
        for one in evidence.viewed
        if one.found != one.expected
    ]
    return len(evidence.viewed)


def _text(one: Viewed) -> str:
    where = f"{one.view}, table {one.table}: row {cut(repr(one.subject))}"
    if one.found is None:
        return f"{where} is missing; the log makes {cut(str(one.expected))}"
    if one.expected is None:
        return f"{where} is {cut(one.found)}; by the log there is none"
    return f"{where} is {cut(one.found)}; the log makes {cut(one.expected)}"
