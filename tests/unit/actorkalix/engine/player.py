"""Plays messages against a behavior and keeps what a store would keep."""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.describe import descriptor_of
from actorkalix.engine import Instance, behavior_for
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import BehaviorError, Step
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_storage.api import Head, History, Position, RecordKind, Snapshot, StoredRecord


class Player:
    """One entity, its records, and the time."""

    def __init__(self, cls: type[Any], entity: str = "e1", limits: Limits | None = None) -> None:
        self.descriptor = descriptor_of(cls)
        self.behavior = behavior_for(self.descriptor, limits)
        self.entity = entity
        self.instance: Instance = self.behavior.empty(entity)
        self.stored: list[StoredRecord] = []
        self.snapshot: Snapshot | None = None
        self.now_ms = 1_000_000

    def message(self, kind: MessageKind, method: str = "", **options: Any) -> Message:
        arguments = options.pop("arguments", {})
        body = options.pop("body", msgspec.json.encode(arguments) if arguments else b"")
        return Message(kind, self.descriptor.component_id, self.entity, method, body, **options)

    def step(self, message: Message) -> Step[Instance]:
        step = self.behavior.step(self.instance, message, self.now_ms)
        for record in step.records:
            version = len(self.stored) + 1
            self.stored.append(
                StoredRecord(0, Position(1, 1, version), (1, version - 1), version, 1, record)
            )
        self.instance = step.instance
        if step.snapshot_due:
            self.snapshot = self.behavior.snapshot(step.instance)
        return step

    def command(self, method: str, *, key: str = "", **arguments: Any) -> Reply:
        return self.step(
            self.message(
                MessageKind.COMMAND, method, arguments=arguments, key=key, correlation_id="cid-1"
            )
        ).reply

    def ok(self, method: str, *, key: str = "", **arguments: Any) -> Any:
        reply = self.command(method, key=key, **arguments)
        assert reply.failure is None, reply.failure
        return msgspec.json.decode(reply.payload)

    def refused(self, method: str, **arguments: Any) -> Failure:
        """The failure of a command that changes nothing."""
        before = (self.instance, len(self.stored))
        try:
            reply = self.command(method, **arguments)
        except BehaviorError as error:
            reply = error.reply
        assert reply.failure is not None
        assert (self.instance, len(self.stored)) == before
        return reply.failure

    def query(self, method: str, **options: Any) -> Any:
        reply = self.step(self.message(MessageKind.QUERY, method, **options)).reply
        assert reply.failure is None
        return msgspec.json.decode(reply.payload)

    def timer(self, kind: MessageKind, *, after_ms: int = 0) -> Step[Instance]:
        self.now_ms += after_ms
        return self.step(self.message(kind))

    def history(self, *, snapshot: bool = True) -> History:
        records = list(self.stored)
        last = records[-1].record
        deleted = next(
            (s.record.time_ms for s in records if s.record.kind is RecordKind.DELETED), 0
        )
        head = Head(
            len(records),
            last.number,
            1,
            1,
            len(records),
            deleted_ms=deleted,
            expires_ms=last.expires_ms,
        )
        newest = self.snapshot if snapshot else None
        if self.descriptor.kind == "value":
            states = [s for s in records if s.record.kind is RecordKind.STATE]
            return History(head, None, tuple(states[-1:]))
        after = newest.number if newest else 0
        events = [
            s for s in records if s.record.kind is RecordKind.EVENT and s.record.number > after
        ]
        return History(head, newest, tuple(events))

    def restored(self, *, snapshot: bool = True) -> Instance:
        instance: Instance = self.behavior.restore(self.entity, self.history(snapshot=snapshot))
        return instance


def same(one: Instance, other: Instance) -> bool:
    """Equal but for what only says when a snapshot was taken and where the life began."""
    fields = ("entity", "state", "number", "version", "deleted_ms", "expires_ms")
    return all(getattr(one, name) == getattr(other, name) for name in fields)


__all__ = ["Encoding", "Player", "same"]
