"""Value entities: a change is the whole new state (KV-01)."""

from __future__ import annotations

import msgspec

from actorkalix.errors import StoredDataUnreadable
from actorkalix.failures import failure_of
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_storage.api import History, Record, RecordKind, Snapshot

from .entity import EntityBehavior, Run, expiry
from .instance import Instance


class ValueBehavior(EntityBehavior):
    """Each state, and the delete, is a numbered change (KV-08)."""

    def restore(self, entity: str, history: History) -> Instance:
        """The newest state; the empty one when there is none or it was deleted (KV-04).

        Raises:
            BehaviorError: the stored state cannot be read; the failure names component and id.
        """
        head = history.head
        if history.records and not head.deleted_ms:
            try:
                state = self._stored.decode_state(history.records[-1].record.payload)
            except StoredDataUnreadable as problem:
                error = StoredDataUnreadable(
                    f"{self._id} {entity!r}, state {head.number}: {problem}"
                )
                raise BehaviorError(Reply(failure=failure_of(error))) from problem
        else:
            state = self._empty_state(entity)
        return Instance(
            entity,
            state,
            head.number,
            head.version,
            head.incarnation,
            head.deleted_ms,
            head.expires_ms,
        )

    def snapshot(self, instance: Instance) -> Snapshot:
        """The state's bytes; a store needs none of a value entity, test kits compare them."""
        return Snapshot(
            instance.incarnation, instance.number, 0, self._stored.encode_state(instance.state)
        )

    def image(self, instance: Instance) -> bytes:
        """The payload of `snapshot`, unchecked: see `image_of`."""
        return self._stored.image(instance.state)

    def _changes(
        self, run: Run, instance: Instance, message: Message, now_ms: int
    ) -> tuple[Instance, tuple[Record, ...]]:
        decision = run.decision
        records: tuple[Record, ...] = ()
        if decision.has_state:
            payload = self._stored.encode_state(decision.state)
            self._check_size("state", len(payload), self._limits.state_bytes_max)
            instance = msgspec.structs.replace(
                instance,
                state=decision.state,
                number=instance.number + 1,
                version=instance.version + 1,
                expires_ms=expiry(decision, now_ms),
            )
            records = (self._record(RecordKind.STATE, instance, now_ms, payload=payload),)
        if decision.delete:
            instance, record = self._deleted(instance, now_ms)
            records = (*records, record)
        return instance, records

    def _deleted(self, instance: Instance, now_ms: int) -> tuple[Instance, Record]:
        changed = msgspec.structs.replace(
            instance,
            state=self._empty_state(instance.entity),
            number=instance.number + 1,
            version=instance.version + 1,
            deleted_ms=now_ms,
            expires_ms=0,
        )
        return changed, self._record(RecordKind.DELETED, changed, now_ms)
