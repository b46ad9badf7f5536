"""States of one entity, change after change, as operators look at them."""

from __future__ import annotations

from typing import Any

from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_storage.api import Head, History, RecordKind, Snapshot, StoredRecord


class Fold:
    """Folds by the behavior's own `restore`: shows what the service would answer from.

    Between two changes an event sourced entity is kept as its snapshot, so each change costs one
    step of the fold and not the whole of it. A value entity needs its newest state alone.

    Args:
        behavior: of the component.
        entity: its id.
        snapshot: where to begin, or None for the beginning.
    """

    def __init__(self, behavior: Behavior[Any], entity: str, snapshot: Snapshot | None) -> None:
        self._behavior = behavior
        self._entity = entity
        self._snapshot = snapshot

    @property
    def number(self) -> int:
        """Sequence number of the last event folded."""
        return self._snapshot.number if self._snapshot else 0

    def after(self, *changes: StoredRecord) -> Any:
        """The state after the changes that come next."""
        events = tuple(c for c in changes if c.record.kind is RecordKind.EVENT)
        states = tuple(c for c in changes if c.record.kind is RecordKind.STATE)
        history = History(_head(changes[-1]), self._snapshot, events or states[-1:])
        instance = self._behavior.restore(self._entity, history)
        if events:
            self._snapshot = self._behavior.snapshot(instance)
        return instance.state


def _head(stored: StoredRecord) -> Head:
    """The head of a subject as it was after `stored`."""
    record, position = stored.record, stored.position
    return Head(
        version=stored.version,
        number=record.number,
        incarnation=stored.incarnation,
        epoch=position.epoch,
        offset=position.offset,
        state_offset=position.offset if record.kind is RecordKind.STATE else 0,
        deleted_ms=record.time_ms if record.kind is RecordKind.DELETED else 0,
        expires_ms=record.expires_ms,
        time_ms=record.time_ms,
    )
