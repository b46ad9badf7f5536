"""Rules over what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from actorkalix.testkit.history import Operation, cut
from actorkalix_storage.api import RecordKind

from .evidence import Evidence, Stored
from .verdicts import Finding

_CHANGES = (RecordKind.EVENT, RecordKind.STATE)
SYSTEM = "~"
"""Ids of components that are none of the service's begin with it."""


# ---- durability ----------------------------------------------------------------------------------
def acknowledged_is_stored(evidence: Evidence, findings: list[Finding]) -> int:
    """Acknowledged is stored, stored was attempted: no command is lost, none is invented."""
    if not evidence.stored and not evidence.was_read:
        return 0
    by_id = {operation.id: operation for operation in evidence.operations}
    executed = _executed(evidence)
    acknowledged = [o for o in evidence.operations if _must_be_stored(o, evidence)]
    for operation in acknowledged:
        if operation.id not in executed:
            text = f"{_where(operation)}: {operation} was acknowledged, nothing of it is stored"
            findings.append(_about(operation, text))
    for stored in evidence.stored:
        said = _invented(stored, by_id, evidence.acting)
        if said:
            ids = () if stored.operation is None else (stored.operation,)
            text = f"{stored} is stored, {said}"
            findings.append(Finding(text, stored.component, stored.entity, ids))
    return len(acknowledged) + len(evidence.stored)


def _must_be_stored(operation: Operation, evidence: Evidence) -> bool:
    is_answered = operation.kind == "command" and operation.outcome == "ok"
    return is_answered and operation.id not in evidence.silent


def _executed(evidence: Evidence) -> set[int]:
    """Ids of operations of which something is stored, by themselves or by one of the same key."""
    ids = {stored.operation for stored in evidence.stored if stored.operation is not None}
    keys = {_scope(o) for o in evidence.operations if o.key and o.id in ids}
    ids.update(o.id for o in evidence.operations if o.key and _scope(o) in keys)
    return ids


def _scope(operation: Operation) -> tuple[str, str, str]:
    return operation.component, operation.entity, operation.key


def _invented(stored: Stored, by_id: dict[int, Operation], acting: frozenset[str]) -> str:
    """Why this record may not be, or ""."""
    if stored.component.startswith(SYSTEM):  # what a host keeps for itself
        return ""
    if stored.operation is None and stored.component in acting:  # it goes on by itself
        return ""
    if stored.operation is None:  # an end of life needs nobody to ask for it
        return "and no operation asked for it" if stored.kind in _CHANGES else ""
    operation = by_id.get(stored.operation)
    if operation is None:
        return f"and operation {stored.operation} was never attempted"
    if (operation.component, operation.entity) != (stored.component, stored.entity):
        return f"and {operation} was of {_where(operation)}"
    if operation.kind == "query":
        return f"and {operation} is a query"
    if operation.outcome == "not_executed":
        return f"and {operation} was answered that it was not executed"
    if operation.outcome == "error" and stored.kind in _CHANGES:  # it may find that a life is over
        return f"and {operation} was refused"
    return ""


# ---- numbers -------------------------------------------------------------------------------------
def no_gaps(evidence: Evidence, findings: list[Finding]) -> int:
    """Versions and sequence numbers of an entity's life follow each other."""
    lives: dict[tuple[str, str, int, int], list[Stored]] = {}
    for stored in evidence.stored:
        if stored.kind is not RecordKind.EPOCH:
            life = (stored.component, stored.entity, stored.lineage, stored.incarnation)
            lives.setdefault(life, []).append(stored)
    for records in lives.values():
        records.sort(key=lambda stored: stored.offset)
        for said in _gaps(records, evidence.is_complete):
            first = records[0]
            findings.append(Finding(said, first.component, first.entity))
    return sum(map(len, lives.values()))


def _gaps(records: Iterable[Stored], is_complete: bool) -> Iterator[str]:
    version, number, is_first = 0, 0, True
    for stored in records:
        # What is reclaimed leaves a gap: at the beginning, or before a state that came after it.
        may_skip = not is_complete and (is_first or stored.kind is RecordKind.STATE)
        follows = stored.version > version if may_skip else stored.version == version + 1
        if not follows:
            yield f"{stored} does not follow version {version}"
        wanted = _numbers_after(stored, number)
        if stored.number not in wanted and not (may_skip and stored.number > number):
            right = " or ".join(map(str, wanted))
            yield f"{stored} has sequence number {stored.number} after {number}; right is {right}"
        version, number, is_first = stored.version, stored.number, False


def _numbers_after(stored: Stored, number: int) -> tuple[int, ...]:
    if stored.kind in _CHANGES:
        return (number + 1,)
    if stored.kind is RecordKind.DELETED:  # a change of a value entity, none of an event sourced
        return (number, number + 1)
    return (number,)


# ---- writers -------------------------------------------------------------------------------------
def one_writer_per_epoch(evidence: Evidence, findings: list[Finding]) -> int:
    """An epoch of a shard has one writer, and no older epoch writes behind a newer one."""
    writers: dict[tuple[int, int, int], str] = {}
    for owner in evidence.ownerships:
        _one_writer(writers, owner.shard, owner.lineage, owner.epoch, owner.writer, findings)
    shards: dict[tuple[int, int], list[Stored]] = {}
    for stored in evidence.stored:
        shards.setdefault((stored.shard, stored.lineage), []).append(stored)
        if stored.writer:
            epoch = (stored.shard, stored.lineage, stored.epoch)
            _one_writer(writers, *epoch, stored.writer, findings, stored)
    for records in shards.values():
        records.sort(key=lambda stored: stored.offset)
        findings.extend(_disorder(records, evidence.is_complete))
    return len(evidence.ownerships) + len(evidence.stored)


def _one_writer(
    writers: dict[tuple[int, int, int], str],
    shard: int,
    lineage: int,
    epoch: int,
    writer: str,
    findings: list[Finding],
    stored: Stored | None = None,
) -> None:
    first = writers.setdefault((shard, lineage, epoch), writer)
    if first == writer:
        return
    said = f"shard {shard} epoch {epoch} is of {first!r} and of {writer!r}"
    if stored is None:
        findings.append(Finding(said))
        return
    ids = () if stored.operation is None else (stored.operation,)
    text = f"{stored} was written by {writer!r}: {said}"
    findings.append(Finding(text, stored.component, stored.entity, ids))


def _disorder(records: list[Stored], is_complete: bool) -> Iterator[Finding]:
    for before, stored in pairwise(records):
        said = ""
        if stored.offset == before.offset:
            said = f"stands where {before} stands"
        elif stored.epoch < before.epoch:
            said = f"is of an older epoch than {before} before it"
        elif is_complete and stored.offset != before.offset + 1:
            said = f"does not follow {before}"
        if said:
            yield Finding(f"{stored} {said}", stored.component, stored.entity)


# ---- what was shown ------------------------------------------------------------------------------
def durable_before_shown(evidence: Evidence, findings: list[Finding]) -> int:
    """No answer rests on a record that is not stored, or shows what a lost command did."""
    if not evidence.stored and not evidence.was_read:
        return 0
    by_id = {operation.id: operation for operation in evidence.operations}
    looked_at = _check_positions(evidence, findings)
    executed = _executed(evidence)
    for shown in evidence.shown:
        looked_at += len(shown.of)
        operation = by_id[shown.operation]
        for other in shown.of:
            if other not in executed:
                what = by_id.get(other, f"operation {other}, which nobody attempted")
                text = f"{_where(operation)}: {operation} showed what is not stored: {what}"
                findings.append(_about(operation, text, other))
    return looked_at


def _check_positions(evidence: Evidence, findings: list[Finding]) -> int:
    places = {(s.shard, s.lineage, s.epoch, s.offset) for s in evidence.stored}
    newest: dict[tuple[int, int], tuple[int, int]] = {}
    for shard, lineage, epoch, offset in places:
        at = (shard, lineage)
        newest[at] = max(newest.get(at, (0, 0)), (epoch, offset))
    placed = [operation for operation in evidence.operations if operation.position is not None]
    for operation in placed:
        mark = operation.position
        assert mark is not None, "filtered"
        place = (mark.epoch, mark.offset)
        is_stored = (mark.shard, mark.lineage, *place) in places
        # What has been reclaimed is older than what is there.
        was_stored = place <= newest.get((mark.shard, mark.lineage), (0, 0))
        if not is_stored and (evidence.is_complete or not was_stored):
            text = (
                f"{_where(operation)}: {operation} rests on shard {mark.shard} epoch {mark.epoch} "
                f"offset {mark.offset}, where nothing is stored"
            )
            findings.append(_about(operation, text))
    return len(placed)


def _about(operation: Operation, text: str, *others: int) -> Finding:
    return Finding(text, operation.component, operation.entity, (operation.id, *others))


def _where(operation: Operation) -> str:
    return f"{operation.component} {cut(repr(operation.entity))}"
