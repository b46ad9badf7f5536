"""Reading a subject or a shard, once for all stores.

A `Source` answers single questions; here is what is made of them: a subject's records are found
from its head, each record naming the one before it. What a source finds damaged it raises as
`Damaged`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from typing import Any, Protocol

from .api import (
    Damaged,
    Due,
    Head,
    History,
    Load,
    Position,
    RecordKind,
    Snapshot,
    StoredRecord,
    TimerKind,
)
from .api.loads import LOOK_RECORDS
from .tables import Layer, Subject


class Source(Protocol):
    """What a store can say at one moment.

    Attributes:
        layers: the tables in memory, newest first; they lie over the rows.
        lock: held while the dictionaries of a layer are walked through.
        hidden: shards of which nothing may be shown: their copy is not complete, or they were
            dropped and their rows are not swept away yet. The tables of a copy grow page by page,
            as the log does; to leave it out here is simpler than to keep them apart and bring
            them in at once, which no bounded transaction could do.
    """

    @property
    def layers(self) -> Sequence[Layer]: ...

    @property
    def lock(self) -> AbstractContextManager[Any]: ...

    @property
    def hidden(self) -> Container[int]: ...

    def head(self, subject: Subject) -> Head | None:
        """The subject's head, None in a hidden shard."""
        ...

    def place(self, shard: int, offset: int) -> Position:
        """The position that belongs to an applied offset, also where a record was removed."""
        ...

    def at(self, shard: int, offset: int) -> StoredRecord | None:
        """The applied record at an offset, or None when it, or its payload, was removed."""
        ...

    def bare(self, shard: int, offset: int) -> StoredRecord | None:
        """The same record, perhaps without its payload; None when the record was removed."""
        ...

    def gap_end(self, shard: int, offset: int) -> int:
        """Where nothing is at an applied offset: the last one after it of which this is known."""
        ...

    def keyed(self, subject: Subject, key: bytes) -> int:
        """Offset of the newest record known under the key (it may be of an earlier life), or 0."""
        ...

    def snapshot(self, subject: Subject, head: Head) -> Snapshot | None:
        """The newest snapshot of the head's life."""
        ...

    def subject_rows(self, component: str, after: tuple[int, str]) -> Iterable[tuple[int, str]]:
        """(shard, entity id) beyond `after` from the rows, in order, without hidden shards."""
        ...

    def timer_rows(self, kind: TimerKind, up_to_ms: int) -> Iterable[Due]:
        """Timers up to a time from the rows, in order, without hidden shards."""
        ...


def folded(source: Source, subject: Subject) -> Snapshot | None:
    """See `Store.snapshot`."""
    head = source.head(subject)
    return None if head is None else source.snapshot(subject, head)


def load(source: Source, subject: Subject) -> History | None:
    """See `Store.load`."""
    whole = Load(*subject)
    go_on(source, whole, _never)
    assert not isinstance(whole.found, Exception), "what is damaged is raised"
    return whole.found


def go_on(source: Source, load: Load, enough: Callable[[], bool]) -> None:
    """Read on for a load until it is over or it is enough; see `Store.load_some`."""
    if load.head is None:
        _begin(source, load)
    head, snapshot, records = load.head, load.snapshot, load.records
    if head is None or load.over:
        return
    down_to = snapshot.offset if snapshot else 0
    for stored in _back(source, load.subject, head, down_to, records[-1] if records else None):
        records.append(stored)
        if len(records) % LOOK_RECORDS == 0 and enough():
            return
    events = [stored for stored in reversed(records) if stored.record.kind in _FOLDED]
    load.end(History(head, snapshot, tuple(events)))


def _begin(source: Source, load: Load) -> None:
    """Read what stands at the end of a load's records; often that is all."""
    subject = load.subject
    head = source.head(subject)
    if head is None:
        load.end(None)
        return
    snapshot = source.snapshot(subject, head)
    folded = snapshot.offset if snapshot else 0
    if head.state_offset > folded:
        state = source.at(subject[0], head.state_offset)
        if state is None or not _belongs(state, subject, head):
            raise Damaged(_missing(subject, head.state_offset))
        load.end(History(head, None, (state,)))
    elif head.state_offset:
        load.end(History(head, snapshot, ()))
    else:
        load.head, load.snapshot = head, snapshot


def history(source: Source, subject: Subject, after: int, limit: int) -> list[StoredRecord]:
    """See `Store.history`."""
    head = source.head(subject)
    if head is None or limit <= 0:
        return []
    page: deque[StoredRecord] = deque(maxlen=limit)
    for stored in _back(source, subject, head, 0):
        if stored.version <= after:
            break
        page.appendleft(stored)
    return list(page)


def load_on(
    source: Source,
    load: Load,
    enough: Callable[[], bool],
    damaged: Mapping[int, str],
    again: Callable[[int, str, str], History | None],
) -> None:
    """`go_on` with a load; one that meets damage is loaded again, in views of its own."""
    try:
        if load.subject[0] in damaged:
            raise Damaged(damaged[load.subject[0]])
        go_on(source, load, enough)
    except Damaged:
        try:
            load.end(again(*load.subject))
        except Damaged as error:
            load.end(error)


def remembered(source: Source, subject: Subject, key: bytes) -> StoredRecord | None:
    """See `Store.remembered`."""
    head = source.head(subject)
    offset = source.keyed(subject, key) if head else 0
    if head is None or offset < head.incarnation:
        return None
    stored = source.bare(subject[0], offset)
    if stored is None or stored.record.key != key or not _belongs(stored, subject, head):
        raise Damaged(_missing(subject, offset))
    return stored


def remembered_some(source: Source, subject: Subject, keys: Sequence[bytes]) -> list[StoredRecord]:
    """See `Store.remembered_some`."""
    found = (remembered(source, subject, key) for key in keys)
    return [stored for stored in found if stored is not None]


def records(source: Source, shard: int, after: int, newest: int, limit: int) -> list[StoredRecord]:
    """See `Store.records`; `newest` is the last applied offset."""
    page: list[StoredRecord] = []
    offset = max(after, 0) + 1
    while offset <= newest and len(page) < limit:
        stored = source.at(shard, offset)
        if stored is None:
            offset = source.gap_end(shard, offset)
        elif is_present(source, stored):
            page.append(stored)
        offset += 1
    return page


def parting(source: Source, shard: int, position: Position, newest: Position) -> Position:
    """See `Store.parting`; `newest` is the last applied position.

    Epochs rise along a log, and each is written by one owner in one lineage: two logs that have
    the same epoch of the same lineage share what both have of it, and all that was before it. So
    the newest record of an epoch that is not above the reader's is looked at, then the end of the
    epoch before, and so on. Where this log says something else at the reader's own offset, that
    record is not shared, whatever its epoch. Of an unknown lineage nothing is known: 0.
    """
    if position.offset <= 0:
        return position
    known = _end_of_epoch(source, shard, position.epoch, min(position.offset, newest.offset))
    while known is not None:
        is_before = known.offset < position.offset or known.epoch == position.epoch
        if known.lineage == position.lineage and is_before:
            return known
        known = _end_of_epoch(source, shard, known.epoch - 1, known.offset - 1)
    return Position(newest.lineage, 0, 0)


def _end_of_epoch(source: Source, shard: int, epoch: int, last: int) -> Position | None:
    """The newest position up to offset `last` whose epoch is at most `epoch`."""
    found: Position | None = None
    low, high = 1, last
    while low <= high:
        middle = (low + high) // 2
        place = source.place(shard, middle)
        if place.epoch <= epoch:
            found, low = place, middle + 1
        else:
            high = middle - 1
    return found


def subjects(
    source: Source, component: str, after: tuple[int, str], limit: int
) -> list[tuple[int, str]]:
    """See `Store.subjects`."""
    held: dict[tuple[int, str], bool] = {}
    with source.lock:
        for layer in reversed(source.layers):
            for (shard, name, entity), head in layer.heads.items():
                if name == component and (shard, entity) > after and shard not in source.hidden:
                    held[(shard, entity)] = head is not None
    present = sorted(place for place, alive in held.items() if alive)
    rows = (place for place in source.subject_rows(component, after) if place not in held)
    return list(islice(heapq.merge(present, rows), limit))


def due(source: Source, kind: TimerKind, up_to_ms: int, limit: int) -> list[Due]:
    """See `Store.due`."""
    held: list[Due] = []
    layers = source.layers
    with source.lock:
        for i, layer in enumerate(layers):
            newer = layers[:i]
            held += layer.timers.due(
                kind, up_to_ms, limit, is_void=partial(_held, newer), hidden=source.hidden
            )
    held.sort(key=_time)
    rows = (
        timer
        for timer in source.timer_rows(kind, up_to_ms)
        if not _held(layers, (timer.shard, timer.component, timer.entity))
    )
    return list(islice(heapq.merge(held, rows, key=_time), limit))


def _time(timer: Due) -> tuple[int, int, str, str]:
    return timer.at_ms, timer.shard, timer.component, timer.entity


def _held(layers: Sequence[Layer], subject: Subject) -> bool:
    return any(subject in layer.heads for layer in layers)


def _back(
    source: Source, subject: Subject, head: Head, down_to: int, last: StoredRecord | None = None
) -> Iterator[StoredRecord]:
    """A subject's records from the newest, or `last`, back to those beyond offset `down_to`.

    What is older than the subject's state, or trimmed, may have been reclaimed; the records end
    there.
    """
    offset, version = head.offset, head.version
    if last is not None:
        offset, version = last.previous[1], last.version - 1
    while offset > down_to:
        stored = source.at(subject[0], offset)
        if stored is None and (offset < head.state_offset or offset <= head.trimmed):
            return
        if stored is None or stored.version != version or not _belongs(stored, subject, head):
            raise Damaged(_missing(subject, offset))
        yield stored
        offset, version = stored.previous[1], version - 1
    if down_to == 0 and version != 0:
        raise Damaged(_missing(subject, offset))


def _belongs(stored: StoredRecord, subject: Subject, head: Head) -> bool:
    record = stored.record
    return stored.incarnation == head.incarnation and (
        (stored.shard, record.component, record.entity) == subject
    )


def is_present(source: Source, stored: StoredRecord) -> bool:
    """Whether a record is of no cleaned subject."""
    if stored.record.kind is RecordKind.EPOCH:
        return True
    head = source.head((stored.shard, stored.record.component, stored.record.entity))
    return head is not None and head.incarnation == stored.incarnation


def _missing(subject: Subject, offset: int) -> str:
    shard, component, entity = subject
    return f"shard {shard}, offset {offset}: not the record that {component}/{entity} leads to"


_FOLDED = (RecordKind.EVENT, RecordKind.TRIMMED)


def _never() -> bool:
    """It is enough when all is read."""
    return False
