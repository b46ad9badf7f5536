"""Rules over answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from actorkalix.testkit.history import Operation, cut

from .evidence import Evidence
from .linearizability import by_entity
from .verdicts import Finding

_canonical = msgspec.json.Encoder(order="sorted").encode
_REUSED = "AK2008"
_KEPT = ("", "AK2001")  # domain errors are kept under a key, faults are not
Place = tuple[int, int]  # epoch and offset


def one_execution_per_key(evidence: Evidence, findings: list[Finding]) -> int:
    """A key of an entity has one record, one request and one answer (architecture, 12)."""
    looked_at = 0
    records: dict[tuple[str, str, bytes], list[str]] = {}
    for stored in evidence.stored:
        if stored.key:
            looked_at += 1
            found = records.setdefault((stored.component, stored.entity, stored.key), [])
            found.append(str(stored))
    for (component, entity, key), texts in records.items():
        if len(texts) > 1:
            said = f"was executed {len(texts)} times: {', then '.join(texts[:3])}"
            text = f"{component} {cut(repr(entity))}: the key {key.hex()} {said}"
            findings.append(Finding(text, component, entity))
    keyed: dict[tuple[str, str, str], list[Operation]] = {}
    for operation in evidence.operations:
        if operation.key and operation.kind == "command":
            looked_at += 1
            asked = (operation.component, operation.entity, operation.key)
            keyed.setdefault(asked, []).append(operation)
    for operations in keyed.values():
        _check_key([operation for operation in operations if _is_kept(operation)], findings)
    return looked_at


def _is_kept(operation: Operation) -> bool:
    if operation.outcome == "error":
        return operation.error is not None and operation.error.number in _KEPT
    return operation.outcome == "ok"


def _check_key(answered: Sequence[Operation], findings: list[Finding]) -> None:
    for other in answered[1:]:
        first = answered[0]
        where = f"{first.component} {cut(repr(first.entity))}: the key {first.key!r}"
        if _request(other) != _request(first):
            said = f"was used for {first} and for another request, {other}; that is {_REUSED}"
        elif _answer(other) != _answer(first):
            said = f"has two answers, of {first} and of {other}"
        else:
            continue
        ids = (other.id, first.id)
        findings.append(Finding(f"{where} {said}", first.component, first.entity, ids))


def _request(operation: Operation) -> tuple[str, bytes]:
    return operation.method, _canonical(operation.arguments)


def _answer(operation: Operation) -> bytes:
    return _canonical((operation.outcome, operation.value, operation.error))


def answers_never_go_back(evidence: Evidence, findings: list[Finding]) -> int:
    """What is asked after an answer is answered from no older record of that entity.

    Nor is the answer to a command from one before its own, where it is known what is stored.
    """
    _check_own(evidence, findings)
    return sum(
        _check_entity(operations, findings)
        for operations in by_entity(evidence.operations).values()
    )


def _check_own(evidence: Evidence, findings: list[Finding]) -> None:
    newest = {stored.operation: stored for stored in evidence.stored}  # any of its records will do
    for operation in evidence.operations:
        own = newest.get(operation.id)
        if operation.position is None or own is None:
            continue
        lineage, place = _place(operation)
        if lineage == own.lineage and place < (own.epoch, own.offset):
            text = (
                f"{operation.component} {cut(repr(operation.entity))}: {operation} rests on epoch "
                f"{place[0]} offset {place[1]}, before its own {own}"
            )
            ids = (operation.id,)
            findings.append(Finding(text, operation.component, operation.entity, ids))


def _check_entity(operations: Iterable[Operation], findings: list[Finding]) -> int:
    placed = [o for o in operations if o.position is not None and o.returned is not None]
    by_return = sorted(placed, key=lambda o: o.returned or 0)
    newest: dict[int, tuple[Place, Operation]] = {}  # by lineage: no place is before another's
    taken = 0
    for operation in sorted(placed, key=lambda o: o.invoked):
        while taken < len(by_return) and _returned(by_return[taken]) < operation.invoked:
            one = by_return[taken]
            lineage, place = _place(one)
            if lineage not in newest or place > newest[lineage][0]:
                newest[lineage] = (place, one)
            taken += 1
        lineage, place = _place(operation)
        if lineage in newest and place < newest[lineage][0]:
            seen, before = newest[lineage]
            text = (
                f"{operation.component} {cut(repr(operation.entity))}: {operation} rests on epoch "
                f"{place[0]} offset {place[1]}; {before}, which was answered before it was asked, "
                f"on epoch {seen[0]} offset {seen[1]}"
            )
            ids = (operation.id, before.id)
            findings.append(Finding(text, operation.component, operation.entity, ids))
    return len(placed)


def _place(operation: Operation) -> tuple[int, Place]:
    mark = operation.position
    assert mark is not None, "only what has a position is looked at"
    return mark.lineage, (mark.epoch, mark.offset)


def _returned(operation: Operation) -> float:
    return math.inf if operation.returned is None else operation.returned
