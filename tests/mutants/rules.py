"""Rules that hold in some scenarios alone, or that look at what no rule of the simulation sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf

from actorkalix.errors import EntityDeleted
from actorkalix.testkit.checking import Finding
from actorkalix.testkit.history import Operation
from actorkalix.testkit.simulation.run import Played
from actorkalix_storage.api import RecordKind, StoredRecord

LONG = 300
"""Characters of an entity id that no record can have."""
RECORDS_MAX = 1_000_000
MS = 1_000_000
"""In nanoseconds, as the times of operations."""
CALLS_MS = {"Move": 50, "Timed": 50, "Hasty": 265}
"""How long calls of steps may take effect, by their workflow: 0.9 of a step's time, a little less
for what is asked at its end."""


def nothing_is_lost(played: Played) -> Iterable[Finding]:
    """Where no process dies and no client is impatient, every outcome is known."""
    return _such(played, "unknown")


def nothing_is_refused(played: Played) -> Iterable[Finding]:
    """Where nothing goes wrong that would be a reason, everything is executed."""
    return _such(played, "not_executed")


def _such(played: Played, outcome: str) -> Iterator[Finding]:
    for operation in played.history.operations:
        if operation.outcome == outcome and len(operation.entity) < LONG:
            text = f"{operation}, for no reason"
            yield Finding(text, operation.component, operation.entity, (operation.id,))


def times_never_go_back(played: Played) -> Iterable[Finding]:
    """The times of a shard's records never go back, whatever the clocks do."""
    for shard, records in enumerate(_shards(played)):
        newest_ms = 0
        for stored in records:
            if stored.record.time_ms < newest_ms:
                text = f"shard {shard} offset {stored.position.offset}: its time goes back"
                yield Finding(text, stored.record.component, stored.record.entity)
            newest_ms = stored.record.time_ms


def lives_end_once(played: Played) -> Iterable[Finding]:
    """What has a time to live ends by a record, not before its time, and does not come back."""
    for records in _shards(played):
        yield from _ends(records)
    ended: dict[str, int] = {}
    for operation in sorted(played.history.operations, key=lambda each: each.returned or 0):
        if operation.error is not None and operation.error.number == EntityDeleted.number:
            ended.setdefault(operation.entity, operation.returned or 0)
        is_held = operation.kind == "command" and operation.outcome == "ok"
        if is_held and 0 < ended.get(operation.entity, 0) < operation.invoked:
            yield Finding(f"{operation} after its end", operation.component, operation.entity)


def timers_keep_their_time(played: Played) -> Iterable[Finding]:
    """A bell is not rung early, not for a timer that was replaced, and for the last one in the end.

    Where clocks agree and nobody stands still; see `tests.sim.followers`.
    """
    history = played.history.operations
    # One under a key may tell again what an earlier one did.
    sets = [o for o in history if o.method == "set" and o.outcome == "ok" and not o.key]
    rings = [o for o in history if o.method == "ring"]
    known = {(o.entity, o.value): o for o in sets}
    started = _started(played)
    for ring in rings:
        place = (ring.entity, ring.arguments["number"])
        told = known.get(place)
        if told is not None and ring.invoked < told.invoked + ring.arguments["ms"] * MS - MS:
            yield Finding(f"{ring} comes early for {told}", ring.component, ring.entity)
        replaced = [
            number
            for (entity, number), (_, until) in started.items()
            if entity == ring.entity and number > place[1] and until < ring.invoked
        ]
        begun, _ = started.get(place, (inf, inf))
        if any(begun < started[ring.entity, number][1] for number in replaced):
            yield Finding(f"{ring} was replaced by {replaced}", ring.component, ring.entity)
    last = {entity: max(n for e, n in started if e == entity) for entity, _ in started}
    rung = {(o.entity, o.arguments["number"]) for o in rings if o.outcome == "ok"}
    for entity, number in last.items():
        if (entity, number) not in rung:
            text = f"the last timer of {entity!r}, number {number}, has never rung"
            yield Finding(text, "bell", entity)


def _started(played: Played) -> dict[tuple[str, int], tuple[float, float]]:
    """When each timer's start was begun last, and when it had succeeded first."""
    records = {
        (r.shard, r.position.epoch, r.position.offset): r.record for r, _, _ in played.records
    }
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for delivery in played.world.inside.deliveries:
        place = delivery.places[0]
        record = records.get((place.shard, place.epoch, place.offset))
        if not delivery.consumer.startswith("ringer") or record is None:
            continue
        subject = (record.entity, record.number)
        begun, until = found.get(subject, (0, inf))
        ended = delivery.ended if delivery.outcome == "handled" and delivery.ended else inf
        found[subject] = (max(begun, delivery.began), min(until, ended))
    return found


def undone_in_time(played: Played) -> Iterable[Finding]:
    """What a step has asked is undone when it was answered, or can take effect no more.

    Where clocks agree and no workflow is restarted.
    """
    moves: dict[str, list[Operation]] = {}
    for operation in sorted(played.history.operations, key=lambda each: each.invoked):
        if operation.component != "purse" or operation.method == "get":
            continue
        by = operation.arguments["by"]
        if operation.method == "move":
            moves.setdefault(by, []).append(operation)
            continue
        patience = CALLS_MS[by.partition(" ")[0]] * MS
        for move in moves.get(by, []):
            known = move.outcome in ("ok", "error", "not_executed")
            is_open = not known or (move.returned or 0) > operation.invoked
            if is_open and operation.invoked < move.invoked + patience:
                yield Finding(f"{operation} while {move} is on its way", "purse", operation.entity)


def _ends(records: Iterable[StoredRecord]) -> Iterator[Finding]:
    expires_ms: dict[str, int] = {}
    for stored in records:
        record = stored.record
        until_ms = expires_ms.pop(record.entity, 0)
        is_end = record.kind is RecordKind.DELETED
        if until_ms and (record.time_ms >= until_ms) is not is_end:
            text = f"{stored.position}: {record.kind.name} at {record.time_ms - until_ms:+} ms"
            yield Finding(text, record.component, record.entity)
        if not is_end:
            expires_ms[record.entity] = record.expires_ms


def _shards(played: Played) -> Iterator[list[StoredRecord]]:
    """The records of each shard."""
    world = played.world
    for shard, (home, *_) in enumerate(world.homes.homes):
        yield world.disks[home].store.records(shard, 0, limit=RECORDS_MAX)
