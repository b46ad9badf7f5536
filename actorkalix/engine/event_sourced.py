"""Event sourced entities: one code folds events into the state, live and at recovery (ES-15)."""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.errors import CommandError, StoredDataUnreadable
from actorkalix.failures import failure_of
from actorkalix.model.component import Context, Live
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_storage.api import History, Record, RecordKind, Snapshot, StoredRecord

from .entity import EntityBehavior, Run, expiry
from .instance import Instance
from .replies import broken

_EVENT = RecordKind.EVENT  # bound here: to look it up takes 0.1 us


class EventSourcedBehavior(EntityBehavior):
    """Decisions become events; a snapshot is due every `snapshot_every` of them (ES-40)."""

    def restore(self, entity: str, history: History) -> Instance:
        """Newest snapshot, then the events after it, in order (ES-41).

        Raises:
            BehaviorError: an event or the snapshot cannot be read, or the event handler refuses it;
            the failure
                names component, id, event and sequence number (ES-18, ES-42), and the entity stays
                unavailable until the code is mended.
        """
        snapshot = history.snapshot
        state = self._start(snapshot, entity)
        for stored in history.records:
            state = self._replay(state, stored)
        head = history.head
        return Instance(
            entity,
            state,
            head.number,
            head.version,
            head.incarnation,
            head.deleted_ms,
            head.expires_ms,
            snapshot.number if snapshot else 0,
        )

    def snapshot(self, instance: Instance) -> Snapshot:
        """The folded state; `offset` 0 is filled in by the host."""
        payload = self._stored.encode_state(instance.state)
        self._check_size("snapshot", len(payload), self._limits.state_bytes_max)
        return Snapshot(instance.incarnation, instance.number, 0, payload)

    def image(self, instance: Instance) -> bytes:
        """The payload of `snapshot`, unchecked: see `image_of`."""
        return self._stored.image(instance.state)

    # ---- forward ---------------------------------------------------------------------------------
    def _changes(
        self, run: Run, instance: Instance, message: Message, now_ms: int
    ) -> tuple[Instance, tuple[Record, ...]]:
        decision = run.decision
        entity, state, number = instance.entity, instance.state, instance.number
        expires_ms = 0 if decision.expire_after is None else expiry(decision, now_ms)
        metadata, size_max = decision.event_metadata, self._limits.event_bytes_max
        records: list[Record] = []
        for event in decision.events:
            number += 1
            payload = self._stored.encode_event(event, metadata)
            if len(payload) > size_max:
                raise self._too_large("event", len(payload), size_max)
            state = self._apply(entity, state, event, number, metadata)
            what = _EVENT, self._id, entity, number, now_ms
            records.append(Record(*what, payload, b"", b"", expires_ms))
        changed = Instance(
            entity,
            state,
            number,
            instance.version + len(records),
            instance.incarnation,
            0,
            expires_ms,
            instance.snapshot_number,
        )
        if decision.delete:
            changed, record = self._deleted(changed, now_ms)
            records.append(record)
        return changed, tuple(records)

    def _deleted(self, instance: Instance, now_ms: int) -> tuple[Instance, Record]:
        """A delete is no event: the number stays, the state can be read until cleanup (ES-50)."""
        changed = msgspec.structs.replace(
            instance, version=instance.version + 1, deleted_ms=now_ms, expires_ms=0
        )
        return changed, self._record(RecordKind.DELETED, changed, now_ms)

    def _snapshot_due(self, instance: Instance) -> bool:
        every = self._descriptor.snapshot_every
        return every > 0 and instance.number - instance.snapshot_number >= every

    # ---- live and at recovery -----------------------------------------------------------------
    def _apply(self, entity: str, state: Any, event: Any, number: int, metadata: Metadata) -> Any:
        """The state after one event, by the user's code (ES-15, ES-16).

        Each event meets an object of its own, so that it sees the same whether it has just been
        decided or comes from storage.
        """
        component = self._cls()
        component._live = Live(state, entity, Context("apply_event", metadata, number, entity))
        try:
            after = component.apply_event(state, event)
        except CommandError as error:
            raise broken(
                f"{self._cls.__name__}.apply_event refused {type(event).__name__} ({error}): "
                "what has happened is not refused; do that in the command"
            ) from error
        finally:
            component._live = None
        if after is None:
            raise broken(
                f"{self._cls.__name__}.apply_event returned None for {type(event).__name__}: "
                "every event needs a case that returns a state"
            )
        return after

    def _start(self, snapshot: Snapshot | None, entity: str) -> Any:
        if snapshot is None:
            return self._empty_state(entity)
        try:
            return self._stored.decode_state(snapshot.payload)
        except StoredDataUnreadable as problem:
            raise self._unreadable(
                entity, f"snapshot after event {snapshot.number}", problem
            ) from problem

    def _replay(self, state: Any, stored: StoredRecord) -> Any:
        entity, number = stored.record.entity, stored.record.number
        try:
            event, metadata = self._stored.decode_event(stored.record.payload)
            return self._apply(entity, state, event, number, metadata or NO_METADATA)
        except Exception as problem:
            raise self._unreadable(entity, f"event {number}", problem) from problem

    def _unreadable(self, entity: str, what: str, problem: Exception) -> BehaviorError:
        said = (
            problem
            if isinstance(problem, StoredDataUnreadable)
            else f"{type(problem).__name__}: {problem}"
        )
        error = StoredDataUnreadable(f"{self._id} {entity!r}, {what}: {said}")
        return BehaviorError(Reply(failure=failure_of(error)))
