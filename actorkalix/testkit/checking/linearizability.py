"""Linearizability of a history, entity by entity.

Linearizability is local (Herlihy and Wing, 1990): a history has it when that of each entity has it.
So entities are judged alone, as Porcupine does with keys (Athalye, 2017), which turns one search
over ten thousand operations into a hundred over a hundred each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from actorkalix.errors import HistoryUnreadable
from actorkalix.testkit.history import Operation, cut

from .models import Model
from .search import GaveUp, Unexplained, search
from .verdicts import Finding, Outcome, Verdict, too_few

RULE = "linearizability"
STATES_MAX = 1_000_000
"""Per entity: about 250 MB at the most, and ten seconds until it is given up."""
GIVEN_UP_MAX = 3
"""Entities: after so many no other is tried, or a history that is too much would take hours."""


def linearizability(
    operations: Iterable[Operation],
    models: Mapping[str, Model[Any]],
    *,
    operations_min: int = 1,
    states_max: int = STATES_MAX,
) -> Verdict:
    """Judge whether one order of each entity's operations explains all answers.

    Entities are new when the history begins.

    Args:
        operations: of a history.
        models: by component id.
        operations_min: below this number of operations that may have been executed it is a finding.
        states_max: what the search of one entity remembers at most; beyond it gives up.

    Raises:
        HistoryUnreadable: a component has no model.
        ModelFailed: a model raised.
    """
    entities = by_entity(operations)
    judged = 0
    findings: list[Finding] = []
    given_up: list[str] = []
    for (component, entity), every in entities.items():
        if component not in models:
            known = ", ".join(map(repr, models)) or "none"
            raise HistoryUnreadable(
                f"{every[0]}: component {component!r} has no model; there is {known}"
            )
        if len(given_up) == GIVEN_UP_MAX:
            break
        model = models[component]
        may_have_been = _executed(every, model)
        judged += len(may_have_been)
        found = search(model, entity, may_have_been, states_max)
        if isinstance(found, Unexplained):
            findings.append(_finding(component, entity, found))
        elif isinstance(found, GaveUp):
            given_up.append(f"{component} {entity!r}")
    if (short := too_few(RULE, judged, operations_min)) is not None:
        return short
    note = ""
    if given_up:
        named = ", ".join(given_up)
        note = f"gave up at {states_max:,} states on {named}; record fewer clients on an entity"
    outcome: Outcome = "found" if findings else "gave_up" if given_up else "passed"
    return Verdict(RULE, outcome, judged, tuple(findings), note)


def by_entity(operations: Iterable[Operation]) -> dict[tuple[str, str], list[Operation]]:
    """Operations by component and entity id, in the order in which they come."""
    found: dict[tuple[str, str], list[Operation]] = {}
    for operation in operations:
        found.setdefault((operation.component, operation.entity), []).append(operation)
    return found


def _executed(operations: Sequence[Operation], model: Model[Any]) -> list[Operation]:
    """Those that say something: not what never happened, nor reads of which nothing is known.

    A key that was used once is left out: it says nothing, and models keep replies by keys.
    """
    kept = [operation for operation in operations if operation.outcome != "not_executed"]
    used = Counter(operation.key for operation in kept)
    alone = [
        msgspec.structs.replace(operation, key="")
        if operation.key and used[operation.key] == 1
        else operation
        for operation in kept
    ]
    return [o for o in alone if o.outcome != "unknown" or not model.is_read(o)]


def _finding(component: str, entity: str, found: Unexplained) -> Finding:
    last = ", ".join(map(str, found.order[-8:]))
    order = f"{len(found.order)} of them: {'… ' if len(found.order) > 8 else ''}{last}"
    text = (
        f"{component} {cut(repr(entity))}: {found.offending} fits no order of the "
        f"{len(found.prefix)} operations invoked before it returned; after the longest order that "
        f"holds ({order}) {found.said}"
    )
    return Finding(text, component, entity, (found.offending.id,), found.prefix, found.order)
