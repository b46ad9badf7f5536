"""A workflow with its storage: what a host does about one, without the host."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from actorkalix.engine.workflow_control import Entry, Flow, entry_of
from actorkalix_cluster.shardhost.behavior import Behavior, Step
from actorkalix_cluster.shardhost.messages import Message
from actorkalix_storage.api import (
    Head,
    History,
    Position,
    Record,
    RecordKind,
    StoredRecord,
)


class StoredFlow:
    """One workflow, whose every step is durable at once, and comes back from storage.

    Args:
        behavior: of the workflow.
        entity: its id.

    Attributes:
        flow: the workflow.
    """

    def __init__(self, behavior: Behavior[Any], entity: str) -> None:
        self._behavior = behavior
        self._entity = entity
        self._stored: list[StoredRecord] = []
        self.flow = cast("Flow", behavior.empty(entity))

    @property
    def records(self) -> list[Record]:
        """All that was stored in this life."""
        return [each.record for each in self._stored]

    @property
    def entries(self) -> list[Entry]:
        """All that happened in this life."""
        return [
            entry_of(record.payload) for record in self.records if record.kind is RecordKind.EVENT
        ]

    def tell(self, message: Message, now_ms: int) -> Step[Any]:
        """Handle one message and store what it writes.

        Raises:
            BehaviorError: it is refused.
            AssertionError: the workflow read back from storage is another.
        """
        step = self._behavior.step(self.flow, message, now_ms)
        self.put(cast("Flow", step.instance), step.records)
        return step

    def put(self, flow: Flow, records: tuple[Record, ...]) -> None:
        """Store this, and go on with what is read back."""
        for record in records:
            if record.kind is RecordKind.CLEANED:
                self._stored = []
                continue
            version = len(self._stored) + 1
            position = Position(0, 1, version)
            self._stored.append(StoredRecord(0, position, (1, version - 1), version, 1, record))
        self.flow = flow
        if not records:
            return
        self.crash()
        unlike = [
            name
            for name in ("state", "control", "kept", "inputs", "deleted_ms")
            if getattr(self.flow, name) != getattr(flow, name)
        ]
        if unlike and self._image(self.flow) != self._image(flow):
            raise AssertionError(f"after a restart the workflow has another {', '.join(unlike)}")
        self.flow = msgspec.structs.replace(self.flow, doubtful=flow.doubtful)

    def crash(self) -> None:
        """Forget the workflow and rebuild it from what was stored."""
        if not self._stored:
            self.flow = cast("Flow", self._behavior.empty(self._entity))
            return
        last = self._stored[-1]
        deleted = [record.time_ms for record in self.records if record.kind is RecordKind.DELETED]
        head = Head(
            *(last.version, last.record.number, 1, 1, len(self._stored)),
            deleted_ms=deleted[0] if deleted else 0,
            expires_ms=last.record.expires_ms,
        )
        events = tuple(each for each in self._stored if each.record.kind is RecordKind.EVENT)
        self.flow = cast("Flow", self._behavior.restore(self._entity, History(head, None, events)))

    def _image(self, flow: Flow) -> bytes:
        return self._behavior.snapshot(flow).payload
