"""Event sourced entities: one code folds events into the state, live and at recovery (ES-15)."""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.errors import StoredDataUnreadable
from actorkalix.failures import failure_of
from actorkalix.model.component import Context, Live
from actorkalix.model.metadata import NO_METADATA, Metadata
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.messages import Reply
from actorkalix_storage.api import History, Record, RecordKind, Snapshot, StoredRecord

from .entity import EntityBehavior, Run, expiry
from .instance import Instance
from .replies import broken


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
        component, live = self._replaying(entity)
        snapshot = history.snapshot
        try:
            live.state = self._start(component, snapshot, entity)
            for stored in history.records:
                live.state = self._replay(component, live, stored)
        finally:
            component._live = None
        head = history.head
        return Instance(
            entity,
            live.state,
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

    # ---- forward ---------------------------------------------------------------------------------
    def _changes(
        self, run: Run, instance: Instance, now_ms: int
    ) -> tuple[Instance, tuple[Record, ...]]:
        decision, live = run.decision, run.live
        expires_ms = expiry(decision, now_ms)
        metadata = decision.event_metadata or None
        context_metadata = Metadata(metadata.items()) if metadata else NO_METADATA
        handled, state, number = live.context, instance.state, instance.number
        records: list[Record] = []
        for event in decision.events:
            number += 1
            payload = self._stored.encode_event(event, metadata)
            self._check_size("event", len(payload), self._limits.event_bytes_max)
            live.state = state
            live.context = Context("apply_event", context_metadata, number, instance.entity)
            state = run.component.apply_event(state, event)
            if state is None:
                raise broken(_fell_through(self._cls.__name__, event))
            records.append(
                Record(
                    RecordKind.EVENT,
                    self._id,
                    instance.entity,
                    number,
                    now_ms,
                    payload,
                    expires_ms=expires_ms,
                )
            )
        live.state, live.context = state, handled
        changed = Instance(
            instance.entity,
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

    # ---- recovery --------------------------------------------------------------------------------
    def _replaying(self, entity: str) -> tuple[Any, Live]:
        component = self._cls()
        component._live = live = Live(
            entity_id=entity, context=Context("apply_event", subject=entity)
        )
        return component, live

    def _start(self, component: Any, snapshot: Snapshot | None, entity: str) -> Any:
        if snapshot is None:
            return component.empty_state()
        try:
            return self._stored.decode_state(snapshot.payload)
        except StoredDataUnreadable as problem:
            raise self._unreadable(
                entity, f"snapshot after event {snapshot.number}", problem
            ) from problem

    def _replay(self, component: Any, live: Live, stored: StoredRecord) -> Any:
        number = stored.record.number
        try:
            event, metadata = self._stored.decode_event(stored.record.payload)
            live.context = Context(
                "apply_event",
                Metadata(metadata.items()) if metadata else NO_METADATA,
                number,
                stored.record.entity,
            )
            state = component.apply_event(live.state, event)
            if state is None:
                raise broken(_fell_through(self._cls.__name__, event))
        except Exception as problem:
            raise self._unreadable(stored.record.entity, f"event {number}", problem) from problem
        return state

    def _unreadable(self, entity: str, what: str, problem: Exception) -> BehaviorError:
        said = (
            problem
            if isinstance(problem, StoredDataUnreadable)
            else f"{type(problem).__name__}: {problem}"
        )
        error = StoredDataUnreadable(f"{self._id} {entity!r}, {what}: {said}")
        return BehaviorError(Reply(failure=failure_of(error)))


def _fell_through(cls: str, event: Any) -> str:
    name = type(event).__name__
    return (
        f"{cls}.apply_event returned None for {name}: every event needs a case that returns a state"
    )
