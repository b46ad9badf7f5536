"""Rules over what consumers are handed, and what comes of it.

A delivery may come again: after a crash, and until it is handled. So what counts is the first time
that a record was handled, by whichever process, and what the entities that it changes have of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from actorkalix.testkit.history import cut

from .evidence import Delivery, Evidence, Place, Stored
from .verdicts import Finding

Subject = tuple[str, str, str]  # consumer, component, entity
Effect = tuple[str, Place, str, str, str, int]  # of which record at which consumer, whom, which


def delivered_when_durable(evidence: Evidence, findings: list[Finding]) -> int:
    """No consumer sees what is not on disk, or will not be after a crash."""
    stored = _stored(evidence)
    for delivery in evidence.deliveries:
        lost = next((place for place in delivery.places if place not in stored), None)
        if lost is not None:
            said = f"{_where(lost)}, where nothing is stored at the end"
            findings.append(Finding(f"{_who(delivery)} was handed {said}"))
        elif not delivery.durable:
            one = stored[delivery.places[0]]
            text = f"{_who(delivery)} was handed {one} before it was on disk"
            findings.append(Finding(text, one.component, one.entity))
    return len(evidence.deliveries)


def delivered_in_order(evidence: Evidence, findings: list[Finding]) -> int:
    """A record is handed over when those before it are handled; and to one handler at a time."""
    stored = _stored(evidence)
    before = _before(evidence, stored)
    handled: dict[tuple[str, Place], int] = {}  # when first
    for delivery in evidence.deliveries:
        if delivery.outcome == "handled" and delivery.ended is not None:
            for place in delivery.places:
                known = handled.get((delivery.consumer, place), delivery.ended)
                handled[delivery.consumer, place] = min(known, delivery.ended)
    for delivery in evidence.deliveries:
        along: set[Place] = set()
        for place in delivery.places:
            first = before.get((delivery.consumer, place))
            along.add(place)
            if first is None or first in along:
                continue
            at = handled.get((delivery.consumer, first))
            if at is None or at > delivery.began:
                one = stored[place]
                text = f"{_who(delivery)} was handed {one} before {stored[first]} was handled"
                findings.append(Finding(text, one.component, one.entity))
    findings.extend(_at_once(evidence, stored))
    return len(evidence.deliveries)


def _before(evidence: Evidence, stored: dict[Place, Stored]) -> dict[tuple[str, Place], Place]:
    """For each wanted record the one before it of the same subject that its consumer wants."""
    newest: dict[Subject, Place] = {}
    found: dict[tuple[str, Place], Place] = {}
    for wanted in evidence.wanted:
        one = stored.get(wanted.place)
        if one is None:
            continue
        subject = (wanted.consumer, one.component, one.entity)
        if subject in newest:
            found[wanted.consumer, wanted.place] = newest[subject]
        newest[subject] = wanted.place
    return found


def _at_once(evidence: Evidence, stored: dict[Place, Stored]) -> Iterator[Finding]:
    """Within a process a subject's records are handled one after the other."""
    until: dict[tuple[str, Subject], tuple[float, Delivery]] = {}
    for delivery in evidence.deliveries:
        end = float("inf") if delivery.ended is None else delivery.ended
        subjects = {
            (one.component, one.entity): one
            for place in delivery.places
            if (one := stored.get(place)) is not None
        }
        for (component, entity), one in subjects.items():
            lane = (delivery.writer, (delivery.consumer, component, entity))
            busy, other = until.get(lane, (0.0, delivery))
            if delivery.began < busy:
                text = (
                    f"{_who(delivery)} was handed {one} at {delivery.began:,} while it handled "
                    f"{_where(other.places[0])} since {other.began:,}"
                )
                yield Finding(text, component, entity)
            until[lane] = (max(busy, end), delivery)


def delivered_at_last(evidence: Evidence, findings: list[Finding]) -> int:
    """When a world is healed and at rest, every wanted record has been handled."""
    if not evidence.at_rest:
        return 0
    stored = _stored(evidence)
    handled = {
        (delivery.consumer, place)
        for delivery in evidence.deliveries
        if delivery.outcome == "handled"
        for place in delivery.places
    }
    for wanted in evidence.wanted:
        if (wanted.consumer, wanted.place) not in handled:
            one = stored[wanted.place]
            text = f"{wanted.consumer} has never handled {one}, which it wants"
            findings.append(Finding(text, one.component, one.entity))
    return len(evidence.wanted)


def effects_happen_once(evidence: Evidence, findings: list[Finding]) -> int:
    """A call that a record causes is executed once, however often it is made.

    And each message of a record that was handled has had an answer that ends it.
    """
    by_id = {operation.id: operation for operation in evidence.operations}
    wrote: dict[int, Stored] = {
        stored.operation: stored for stored in evidence.stored if stored.operation is not None
    }
    executed: dict[Effect, dict[int, Stored]] = {}
    answered: dict[tuple[str, Place], set[str]] = {}
    for caused in evidence.caused:
        delivery, operation = evidence.deliveries[caused.delivery], by_id[caused.operation]
        # One that may be another list another time, and what is done for it may be done again.
        if len(delivery.places) != 1:
            continue
        cause = (delivery.consumer, delivery.places[0])
        target = (operation.component, operation.entity, operation.method)
        if operation.id in wrote:
            effect = (*cause, *target, caused.number)
            executed.setdefault(effect, {})[operation.id] = wrote[operation.id]
        if operation.outcome in ("ok", "error"):
            answered.setdefault(cause, set()).add(operation.key)
    for effect, times in executed.items():
        if len(times) > 1:
            consumer, place, component, entity, method, _ = effect
            records = ", then ".join(map(str, list(times.values())[:3]))
            text = (
                f"{component} {cut(repr(entity))}: {method} for {_where(place)} at {consumer} was "
                f"executed {len(times)} times: {records}"
            )
            findings.append(Finding(text, component, entity, tuple(times)))
    _check_messages(evidence, answered, findings)
    return len(evidence.caused)


def _check_messages(
    evidence: Evidence, answered: dict[tuple[str, Place], set[str]], findings: list[Finding]
) -> None:
    handled = {
        (delivery.consumer, place)
        for delivery in evidence.deliveries
        if delivery.outcome == "handled"
        for place in delivery.places
    }
    for wanted in evidence.wanted:
        cause = (wanted.consumer, wanted.place)
        known = len(answered.get(cause, ()))
        if cause in handled and known < wanted.messages:
            said = f"{known} of its {wanted.messages} messages have an answer"
            text = f"{wanted.consumer} has handled {_where(wanted.place)}, but {said}"
            findings.append(Finding(text))


def _stored(evidence: Evidence) -> dict[Place, Stored]:
    return {Place(s.shard, s.lineage, s.epoch, s.offset): s for s in evidence.stored}


def _who(delivery: Delivery) -> str:
    return f"{delivery.consumer} of {delivery.writer}"


def _where(place: Place) -> str:
    return f"shard {place.shard} epoch {place.epoch} offset {place.offset}"
