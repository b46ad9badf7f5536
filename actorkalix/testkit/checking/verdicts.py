"""What checkers say."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["passed", "found", "gave_up", "not_judged"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that must not be.

    Attributes:
        text: what was found, in words; it names entity and operation.
        component, entity: where, or "" where it is of no entity.
        operations: ids of the operations that it is about, the offending one first.
        prefix: ids of the fewest operations, from the beginning on, that no order explains.
        order: ids of the longest order of these that holds.
    """

    text: str
    component: str = ""
    entity: str = ""
    operations: tuple[int, ...] = ()
    prefix: tuple[int, ...] = ()
    order: tuple[int, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What one checker says.

    Attributes:
        rule: which.
        outcome: `passed`; `found` with findings; `gave_up`: nobody knows, it was too much;
            `not_judged`: there was nothing in it that the rule speaks of.
        looked_at: number of operations and records that were judged.
        findings: at least one where the outcome is `found`.
        note: why it was given up or not judged.
    """

    rule: str
    outcome: Outcome
    looked_at: int = 0
    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def ok(self) -> bool:
        """It was judged, to the end, and nothing was found."""
        return self.outcome == "passed"


def too_few(rule: str, operations: int, operations_min: int) -> Verdict | None:
    """The verdict over a history that is too short to prove anything, or None."""
    assert operations_min >= 1, "an empty history never passes"
    if operations >= operations_min:
        return None
    said = f"{operations} operations were judged; at least {operations_min} are needed to pass"
    return Verdict(rule, "found", operations, (Finding(said),))
