"""A batch: appends become records with a place, or are refused one by one.

A batch is a layer over the store's tables. Every append is checked against what stands in the
tables *and* what the batch has accepted before it, so a subject may come many times; one that is
refused leaves no trace, and what was speculated on it is refused after it because its version no
longer fits. Only when the batch is on disk is the layer absorbed by the tables; a failed commit
throws it away.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from .api import (
    Ahead,
    Append,
    Appended,
    Damaged,
    Head,
    Position,
    Record,
    RecordKind,
    RefusalKind,
    Refused,
    ShardState,
    StoredRecord,
    trim_of,
)
from .api.keys import COMPONENT_BYTES_MAX, ENTITY_BYTES_MAX
from .tables import SEALED, Layer, Subject, Tables

RECORD_BYTES_MAX = 256 * 1024 * 1024  # far above all limits above us, far below LMDB's 4 GiB
KEY_HASH_BYTES = 16
_TIME_MS_MAX = (1 << 63) - 1
NOTHING_AHEAD: Mapping[bytes, Ahead] = {}
_NO_RECORD = Record(RecordKind.EVENT, "", "", 0, 0)
_EVENT, _STATE, _DELETED = RecordKind.EVENT, RecordKind.STATE, RecordKind.DELETED
_CLEANED, _TRIMMED, _EPOCH = RecordKind.CLEANED, RecordKind.TRIMMED, RecordKind.EPOCH
_NO_CHANGES = (RecordKind.REPLY, RecordKind.OUTBOX, RecordKind.TRIMMED)
# Bound here, for to look up a member of an enum takes 0.1 us, and a record asks for many.


class Batch(Layer):
    """Appends on their way into the log.

    Args:
        below: the tables that it is checked against.
        lineage: of the positions that it gives.
        shards: number of shards of the service.
        damaged: shards that take nothing, each with what was found.
        partial: shards that are not whole here and take nothing.
        whole: names of what was written ahead and may be named.

    Attributes:
        records: what was accepted, in order, with positions.
        named: of these, the ones whose payload was written ahead, with its name.
    """

    __slots__ = ("_damaged", "_lineage", "_partial", "_shards", "_whole", "named", "records")

    def __init__(
        self,
        below: Tables,
        lineage: int,
        shards: int,
        damaged: Mapping[int, str],
        partial: Container[int] = (),
        whole: Mapping[bytes, Ahead] = NOTHING_AHEAD,
    ) -> None:
        super().__init__(below)
        self._lineage = lineage
        self._shards = shards
        self._damaged = damaged
        self._partial = partial
        self._whole = whole
        self.records: list[StoredRecord] = []
        self.named: dict[int, bytes] = {}

    def add(self, append: Append) -> Appended | Refused:
        """Accept the append as a whole, or refuse it."""
        shard = append.shard
        if not 0 <= shard < self._shards:
            return Refused(RefusalKind.INVALID, f"shard {shard} of {self._shards}")
        state = self.state(shard)
        refused = self._refusal_of_shard(append, state)
        if refused:
            return refused
        first = append.records[0] if append.records else _NO_RECORD
        subject = (shard, first.component, first.entity)
        try:
            head = self.head(subject)
        except Damaged as error:
            return Refused(RefusalKind.DAMAGED, str(error))
        if head is None and (impossible := impossible_id(first.component, first.entity)):
            return Refused(RefusalKind.INVALID, impossible)
        version = head.version if head else 0
        if append.version != version:
            reason = f"{first.component}/{first.entity} is at version {version}"
            return Refused(RefusalKind.WRONG_PREVIOUS, f"{reason}, not {append.version}")
        invalid = _invalid(append.records, head)
        if not invalid and append.ahead:
            invalid = self._invalid_ahead(append, subject)
        if invalid:
            return Refused(RefusalKind.INVALID, invalid)
        return self._take(append, subject, head, state.position.offset)

    def _take(self, append: Append, subject: Subject, head: Head | None, offset: int) -> Appended:
        """Give the records their places after `offset`."""
        assert append.records, "an append without records has an impossible id"
        lineage, epoch, shard = self._lineage, append.epoch, append.shard
        version, previous = (head.version, (head.epoch, head.offset)) if head else (0, (0, 0))
        incarnation = head.incarnation if head else offset + 1
        for record in append.records:
            offset += 1
            version += 1
            position = Position(lineage, epoch, offset)
            stored = StoredRecord(shard, position, previous, version, incarnation, record)
            head = self.apply_to(subject, head, stored)
            if append.ahead and record.kind is RecordKind.STATE:
                self.named[len(self.records)] = append.ahead
            self.records.append(stored)
            previous = (epoch, offset)
        return Appended(self.records[-1].position)

    def open(self, shard: int, now_ms: int, *, sealed: bool = False) -> int | None:
        """Raise the shard's epoch; None where it is damaged, not whole, or sealed.

        Args:
            sealed: raise it in a sealed shard too, which then takes appends again.
        """
        self._check_shard(shard)
        state = self.state(shard)
        if shard in self._damaged or shard in self._partial or (state.sealed and not sealed):
            return None
        epoch = state.position.epoch + 1
        self._turn(shard, epoch, now_ms, b"")
        return epoch

    def seal(self, shard: int, epoch: int) -> Refused | Position:
        """Let the shard take no more appends; sealing it again changes nothing."""
        self._check_shard(shard)
        state = self.state(shard)
        if shard in self._damaged:
            return Refused(RefusalKind.DAMAGED, self._damaged[shard])
        if epoch != state.position.epoch:
            return _wrong_epoch(shard, state.position.epoch, epoch)
        if epoch == 0:
            return _never_opened(shard)
        if shard in self._partial:
            return _not_whole(shard)
        if not state.sealed:
            self._turn(shard, epoch, state.time_ms, SEALED)
        return self.state(shard).position

    def _invalid_ahead(self, append: Append, subject: Subject) -> str:
        states = [record for record in append.records if record.kind is RecordKind.STATE]
        ahead = self._whole.get(append.ahead)
        if ahead is None or append.ahead in self.named.values():
            return "a name of nothing that was written ahead"
        if ahead.subject != subject or [record.payload for record in states] != [ahead.payload]:
            return "the name of another state"
        return ""

    def _turn(self, shard: int, epoch: int, now_ms: int, payload: bytes) -> None:
        state = self.state(shard)
        time_ms = max(now_ms, state.time_ms)
        record = Record(RecordKind.EPOCH, "", "", 0, time_ms, payload)
        position = Position(self._lineage, epoch, state.position.offset + 1)
        stored = StoredRecord(shard, position, (0, 0), 0, 0, record)
        self.apply(stored)
        self.records.append(stored)

    def _check_shard(self, shard: int) -> None:
        if not 0 <= shard < self._shards:
            raise ValueError(f"shard {shard} of {self._shards}")

    def _refusal_of_shard(self, append: Append, state: ShardState) -> Refused | None:
        shard, epoch = append.shard, state.position.epoch
        if shard in self._damaged:
            return Refused(RefusalKind.DAMAGED, self._damaged[shard])
        if state.sealed:
            return Refused(RefusalKind.SEALED, f"shard {shard} is sealed")
        if append.epoch != epoch:
            return _wrong_epoch(shard, epoch, append.epoch)
        if epoch == 0:
            return _never_opened(shard)
        if shard in self._partial:
            return _not_whole(shard)
        return None


def impossible_id(component: str, entity: str) -> str:
    """Why no record can be of this subject, or nothing."""
    try:
        component_bytes, entity_bytes = len(component.encode()), len(entity.encode())
    except UnicodeEncodeError as error:
        return f"an id is not valid Unicode: {error}"
    if not 1 <= component_bytes <= COMPONENT_BYTES_MAX:
        return f"a component id of {component_bytes} bytes"
    if not 1 <= entity_bytes <= ENTITY_BYTES_MAX:
        return f"an entity id of {entity_bytes} bytes"
    return ""


def _never_opened(shard: int) -> Refused:
    return Refused(RefusalKind.INVALID, f"shard {shard} was never opened")


def _not_whole(shard: int) -> Refused:
    return Refused(RefusalKind.INVALID, f"the copy of shard {shard} is not complete")


def _wrong_epoch(shard: int, epoch: int, given: int) -> Refused:
    kind = RefusalKind.OLD_EPOCH if given < epoch else RefusalKind.INVALID
    return Refused(kind, f"shard {shard} is at epoch {epoch}, not {given}")


def _invalid(records: tuple[Record, ...], head: Head | None) -> str:
    """What is wrong with the records of an append, or nothing."""
    number, deleted = (head.number, head.deleted_ms > 0) if head else (0, False)
    if len(records) == 1 and records[0].kind is _EVENT:
        wrong = _invalid_record(records[0], number, deleted)
        return f"record 1: {wrong}" if wrong else ""
    component, entity = records[0].component, records[0].entity
    for i, record in enumerate(records):
        if record.component != component or record.entity != entity:
            return "records of two subjects"
        wrong = _invalid_record(record, number, deleted) or _invalid_trim(record, head)
        if wrong:
            return f"record {i + 1}: {wrong}"
        if record.kind is _CLEANED and record is not records[-1]:
            return f"record {i + 1}: CLEANED is not the last one"
        number = record.number
        deleted = deleted or record.kind is _DELETED
    if records[0].kind is _CLEANED and head is None:
        return "CLEANED for a subject without records"
    return ""


def _invalid_trim(record: Record, head: Head | None) -> str:
    if record.kind is not _TRIMMED:
        return ""
    try:
        offset, _, _ = trim_of(record.payload)
    except ValueError as problem:
        return str(problem)
    newest = head.offset if head else 0
    return f"TRIMMED up to offset {offset} of {newest}" if offset > newest else ""


def _invalid_record(record: Record, number: int, deleted: bool) -> str:
    kind = record.kind
    if kind is _EVENT or kind is _STATE:
        if deleted:
            return "a change after DELETED"
        if record.number != number + 1:
            return f"number {record.number} after {number}"
    elif kind is _DELETED:
        if deleted:
            return "DELETED a second time"
        if record.time_ms == 0:
            return "DELETED without a time"
        if record.number not in (number, number + 1):
            return f"number {record.number} after {number}"
    elif kind is _EPOCH:
        return "EPOCH is written by open_shards alone"
    elif kind in _NO_CHANGES and record.number != number:
        return f"number {record.number} where nothing changes {number}"
    if record.key and len(record.key) != KEY_HASH_BYTES:
        return f"a key of {len(record.key)} bytes"
    if not (0 <= record.time_ms <= _TIME_MS_MAX and 0 <= record.expires_ms <= _TIME_MS_MAX):
        return f"a time of {record.time_ms} or {record.expires_ms} ms"
    if len(record.payload) + len(record.reply) > RECORD_BYTES_MAX:
        return f"{len(record.payload) + len(record.reply)} bytes"
    return ""
