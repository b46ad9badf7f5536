"""The rules, by name, and how evidence is judged by them.

A rule is a function of the evidence that gives what it looked at and what it found. A capability
that comes later (timers, subscriptions, workflows) adds what it knows to `Evidence`, writes its
rule, and puts it into a table as the ones below. A rule that finds nothing to look at has not been
kept: its verdict is `not_judged`, never `passed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .answers import answers_never_go_back, one_execution_per_key
from .delivering import (
    delivered_at_last,
    delivered_in_order,
    delivered_when_durable,
    effects_happen_once,
)
from .evidence import Evidence
from .flowing import records_follow, steps_follow_records
from .storing import acknowledged_is_stored, durable_before_shown, no_gaps, one_writer_per_epoch
from .verdicts import Finding, Verdict, too_few
from .viewing import views_are_folds

FINDINGS_MAX = 100
"""Of one rule: whoever reads them mends the first, and the rest are mostly the same."""

Judge = Callable[[Evidence, list[Finding]], int]


class Rule(NamedTuple):
    """A rule.

    Attributes:
        name: of its verdicts.
        about: what must hold.
        judge: adds what it found to the list, and gives the number of things it looked at.
    """

    name: str
    about: str
    judge: Judge


ANSWER_RULES = (
    Rule("one_execution_per_key", "an idempotency key has one answer", one_execution_per_key),
    Rule("answers_never_go_back", "no answer rests on less than one before", answers_never_go_back),
)
"""Rules of which the clients' side of a history says enough."""

DELIVERY_RULES = (
    Rule("delivered_when_durable", "consumers see what is stored", delivered_when_durable),
    Rule("delivered_in_order", "a subject's records in order, one by one", delivered_in_order),
    Rule("delivered_at_last", "a consumer handles all that it wants", delivered_at_last),
    Rule("effects_happen_once", "what a record causes happens once", effects_happen_once),
)
"""Rules of what consumers do with what is stored."""

VIEW_RULES = (Rule("views_are_folds", "a view is the fold of its sources' logs", views_are_folds),)
"""Rules of what views make of what is stored."""

STORE_RULES = (
    Rule("durability", "acknowledged is stored, stored was attempted", acknowledged_is_stored),
    Rule("no_gaps", "versions and sequence numbers have no gaps", no_gaps),
    Rule("one_writer_per_epoch", "an epoch of a shard has one writer", one_writer_per_epoch),
    *ANSWER_RULES,
    Rule("durable_before_shown", "nothing shown is not stored", durable_before_shown),
)
"""Rules of commands, of their answers, and of what is stored of them."""

WORKFLOW_RULES = (
    Rule("workflows_follow", "a workflow's records follow each other", records_follow),
    Rule("steps_follow", "a step begins when what leads to it is stored", steps_follow_records),
)
"""Rules of workflows and of who runs their steps."""

RULES = (*STORE_RULES, *DELIVERY_RULES, *VIEW_RULES, *WORKFLOW_RULES)


def judge(
    evidence: Evidence, rules: Iterable[Rule] = RULES, *, operations_min: int = 1
) -> tuple[Verdict, ...]:
    """A verdict a rule.

    Args:
        evidence: of a run.
        rules: in the order of the verdicts.
        operations_min: a run with fewer operations passes no rule.
    """
    return tuple(_verdict(rule, evidence, operations_min) for rule in rules)


def _verdict(rule: Rule, evidence: Evidence, operations_min: int) -> Verdict:
    short = too_few(rule.name, len(evidence.operations), operations_min)
    if short is not None:
        return short
    findings: list[Finding] = []
    looked_at = rule.judge(evidence, findings)
    if findings:
        count = len(findings)
        note = f"the first {FINDINGS_MAX} of {count:,}" if count > FINDINGS_MAX else ""
        return Verdict(rule.name, "found", looked_at, tuple(findings[:FINDINGS_MAX]), note)
    if not looked_at:
        return Verdict(rule.name, "not_judged", note="nothing in it to which the rule applies")
    return Verdict(rule.name, "passed", looked_at)
