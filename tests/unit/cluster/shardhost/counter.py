"""A small actor kind: counters that add, lend, are deleted, refuse and break."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from actorkalix_cluster.shardhost.behavior import BehaviorError, BehaviorFault, Step
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_storage.api import History, Record, RecordKind, Snapshot

COUNTER = "counter"
SNAPSHOT_EVERY = 5


class Count(msgspec.Struct, frozen=True):
    """A counter between two messages."""

    entity: str
    total: int = 0
    number: int = 0
    version: int = 0
    deleted: bool = False
    expires_ms: int = 0


class Remembered(msgspec.Struct, frozen=True):
    """What is stored under a key."""

    request: str
    reply: bytes


class CounterBehavior:
    """`Behavior[Count]`. Payloads are decimal numbers; `during` happens within each answer."""

    def __init__(self) -> None:
        self.during: Callable[[], object] = int

    def empty(self, entity: str) -> Count:
        return Count(entity)

    def restore(self, entity: str, history: History) -> Count:
        if entity == "unreadable":
            raise BehaviorError(Reply(failure=Failure("AK4002", "data_loss", "cannot be read")))
        head, snapshot = history.head, history.snapshot
        total = int(snapshot.payload) if snapshot else 0
        total += sum(int(stored.record.payload) for stored in history.records)
        return Count(entity, total, head.number, head.version, head.deleted_ms > 0, head.expires_ms)

    def version(self, instance: Count) -> int:
        return instance.version

    def snapshot(self, instance: Count) -> Snapshot:
        if instance.entity == "no-snapshot":
            raise ValueError("cannot be written")
        return Snapshot(0, instance.number, 0, b"%d" % instance.total)

    def key_hash(self, message: Message) -> bytes:
        return blake2b(message.key.encode(), digest_size=16).digest()

    def remembered(self, message: Message, reply: bytes) -> Reply:
        self.during()
        stored = msgspec.msgpack.decode(reply, type=Remembered)
        if stored.request != f"{message.method} {message.payload!r}":
            raise BehaviorError(Reply(failure=Failure("AK2008", "failed_precondition", "reused")))
        return Reply(stored.reply, replayed=True)

    def step(self, instance: Count, message: Message, now_ms: int) -> Step[Count]:
        self.during()
        if message.kind is MessageKind.EXPIRE:
            due = 0 < instance.expires_ms <= now_ms
            return self._delete(instance, message, now_ms) if due else self._tell(instance)
        if message.kind is MessageKind.CLEAN:
            if not instance.deleted:
                return self._tell(instance)
            record = self._record(RecordKind.CLEANED, instance, now_ms)
            return Step(self.empty(instance.entity), (record,), Reply(), forget=True)
        match message.method:
            case "add":
                return self._add(instance, message, now_ms, [int(message.payload)])
            case "add_each":
                amounts = [int(part) for part in message.payload.split()]
                return self._add(instance, message, now_ms, amounts)
            case "lend":
                return self._add(instance, message, now_ms, [1], now_ms + int(message.payload))
            case "fill":
                return self._fill(instance, message, now_ms)
            case "delete":
                return self._delete(instance, message, now_ms)
            case "tell":
                return self._tell(instance)
            case "refuse":
                raise BehaviorError(Reply(failure=Failure("AK2001", "out_of_range", "refused")))
            case "fault":
                failure = Failure("AK2011", "internal", f"fault [{message.correlation_id}]")
                raise BehaviorFault(Reply(failure=failure)) from ValueError("the cause")
            case _:
                raise RuntimeError("the secret of the user's code")

    def _tell(self, instance: Count) -> Step[Count]:
        return Step(instance, (), Reply(b"%d" % instance.total))

    def _add(
        self,
        instance: Count,
        message: Message,
        now_ms: int,
        amounts: list[int],
        expires_ms: int = 0,
    ) -> Step[Count]:
        if instance.deleted:
            raise BehaviorError(Reply(failure=Failure("AK2009", "failed_precondition", "deleted")))
        records: list[Record] = []
        before = instance.number
        for amount in amounts:
            instance = msgspec.structs.replace(
                instance,
                total=instance.total + amount,
                number=instance.number + 1,
                version=instance.version + 1,
                expires_ms=expires_ms,
            )
            records.append(self._record(RecordKind.EVENT, instance, now_ms, b"%d" % amount))
        due = before // SNAPSHOT_EVERY < instance.number // SNAPSHOT_EVERY
        return self._keyed(Step(instance, tuple(records), self._total(instance), due), message)

    def _fill(self, instance: Count, message: Message, now_ms: int) -> Step[Count]:
        """A state of so many bytes, and one more in the total; not to be mixed with events."""
        instance = msgspec.structs.replace(
            instance,
            total=instance.total + 1,
            number=instance.number + 1,
            version=instance.version + 1,
        )
        state = (b"%d" % instance.total).rjust(int(message.payload))
        record = self._record(RecordKind.STATE, instance, now_ms, state)
        return self._keyed(Step(instance, (record,), self._total(instance)), message)

    def _delete(self, instance: Count, message: Message, now_ms: int) -> Step[Count]:
        instance = msgspec.structs.replace(
            instance, version=instance.version + 1, deleted=True, expires_ms=0
        )
        record = self._record(RecordKind.DELETED, instance, now_ms)
        return self._keyed(Step(instance, (record,), self._total(instance)), message)

    def _keyed(self, step: Step[Count], message: Message) -> Step[Count]:
        if not message.key:
            return step
        kept = Remembered(f"{message.method} {message.payload!r}", step.reply.payload)
        *others, last = step.records
        last = msgspec.structs.replace(
            last, key=self.key_hash(message), reply=msgspec.msgpack.encode(kept)
        )
        return msgspec.structs.replace(step, records=(*others, last))

    def _total(self, instance: Count) -> Reply:
        return Reply(b"%d" % instance.total)

    def _record(
        self, kind: RecordKind, instance: Count, now_ms: int, payload: bytes = b""
    ) -> Record:
        return Record(
            kind,
            COUNTER,
            instance.entity,
            instance.number,
            now_ms,
            payload,
            expires_ms=instance.expires_ms,
        )
