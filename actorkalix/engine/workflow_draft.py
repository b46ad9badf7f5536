"""A workflow's record in the making: what it will be, and what is sent because of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from actorkalix.limits import NOTES_KEPT_BYTES, NOTES_KEPT_MAX, WORKFLOW_KEPT_MAX
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import DERIVED, pack_messages, unpack_messages
from actorkalix_storage.api import Record, RecordKind

from .replies import digest
from .workflow_control import (
    OVER,
    Child,
    Control,
    Did,
    Entry,
    Flow,
    Notes,
    Status,
    expires_ms,
    pack,
)
from .workflow_messages import CHILD_ENDED, ChildNotice
from .workflow_rules import Rules

replace = msgspec.structs.replace
CHILD = "child:"
"""How the promises begin that children keep by ending; those of users have no colon there."""


class Draft:
    """What a workflow will be after a transition.

    Args:
        rules: of the workflow.
        flow: as it is.
        now_ms: time of the records.

    Attributes:
        control, kept: as they will be.
        state, stored: the same.
    """

    def __init__(self, rules: Rules, flow: Flow, now_ms: int) -> None:
        self.rules = rules
        self.flow = flow
        self.now_ms = now_ms
        self.control = flow.control
        self.kept = flow.kept
        self.state: Any = flow.state
        self.stored = flow.stored
        self._sent: list[Message] = []
        self._packed = b""
        self._notes: tuple[bytes, ...] = ()
        self._deleted = False
        self._completed = False
        self._doubtful = flow.doubtful
        self._suspended = flow.control.status is Status.SUSPENDED
        if not self.control.born_ms:
            self._set(born_ms=now_ms)

    def put_state(self, state: Any, stored: bytes) -> None:
        """The user's state is another."""
        self.state, self.stored = state, stored

    def send(self, packed: bytes) -> None:
        """These messages go out with the commit."""
        self._packed = packed

    def tell(self, notes: tuple[bytes, ...]) -> None:
        """Those who listen are told this."""
        self._notes = notes

    def open(self, promises: Iterable[str]) -> None:
        """These promises may be resolved from now on."""
        new = [name for name in dict.fromkeys(promises) if name not in self.kept.opened]
        if new:
            self.kept = replace(self.kept, opened=(*self.kept.opened, *new))

    def register(self, undo: Iterable[bytes], within: object) -> None:
        """These calls undo what was done; each gets the key under which it is made, once.

        Args:
            undo: each packed alone.
            within: names the activity or command that did it. Attempts of one activity register
                the same call again, which counts once.
        """
        seen: dict[str, int] = {}
        known = {unpack_messages(packed)[0].key for packed in self.kept.undo}
        for packed in undo:
            same = _same(packed)
            nth = seen[same] = seen.get(same, 0) + 1
            keyed = self._keyed(packed, "undo", within, same, nth)
            if unpack_messages(keyed)[0].key not in known:
                self.kept = replace(self.kept, undo=(*self.kept.undo, keyed))

    def surface(self) -> None:
        """Let what is suspended move underneath; `sink` ends it."""
        if self._suspended:
            self._set(status=self.control.within)

    def sink(self) -> None:
        """It is suspended again, wherever it is now, unless it has ended."""
        control = self.control
        if self._suspended and control.status not in OVER:
            self._set(status=Status.SUSPENDED, within=control.status)

    def put_value(self, promise: str, value: bytes) -> None:
        """A promise is kept; the first word counts."""
        self.kept = replace(self.kept, values={**self.kept.values, promise: value})

    def excess(self) -> str:
        """What it keeps too much of, or ""."""
        kept = self.kept
        counts = {
            "open promises": len(kept.opened),
            "undo calls": len(kept.undo),
            "children": len(kept.children),
        }
        for what, count in counts.items():
            if count > WORKFLOW_KEPT_MAX:
                return f"{self.rules.component}: {count} {what}, at most {WORKFLOW_KEPT_MAX}"
        return ""

    # ---- what comes of it ------------------------------------------------------------------------
    def done(self, did: Did, **told: Any) -> tuple[Flow, tuple[Record, ...]]:
        """The workflow afterwards, and its records.

        A state that comes with a delete is in the record, for those who follow it; the workflow
        itself has none any more.

        Args:
            did: what happened.
            told: further attributes of the `Entry`.
        """
        flow, control = self.flow, self.control
        entry = Entry(
            did,
            control,
            None if self.stored is flow.stored else self.stored,
            None if self.kept is flow.kept else self.kept,
            notes=self._notes,
            **told,
        )
        notes, since = flow.notes, flow.notes_since
        if self._notes:
            notes, since = notes_after(notes, since, flow.number + 1, self._notes)
        due_ms = expires_ms(control, self.now_ms)
        kinds = [(RecordKind.EVENT, pack(entry))]
        if packed := self._outgoing():
            kinds.append((RecordKind.OUTBOX, packed))
        if self._deleted:
            kinds.append((RecordKind.DELETED, b""))
        number = flow.number + 1
        records = tuple(
            Record(
                *(kind, self.rules.component, flow.entity, number, self.now_ms, payload),
                expires_ms=due_ms,
            )
            for kind, payload in kinds
        )
        deleted = self._deleted
        moved = Flow(
            flow.entity,
            None if deleted else self.state,
            number,
            flow.version + len(records),
            flow.incarnation,
            self.now_ms if deleted else flow.deleted_ms,
            due_ms,
            flow.snapshot_number,
            control,
            self.kept,
            None if deleted else self.stored,
            inputs_after(flow.inputs, control),
            self._doubtful and control.number == flow.control.number,
            notes,
            since,
        )
        return moved, records

    # ---- within ----------------------------------------------------------------------------------
    def _keyed(
        self, packed: bytes, *names: object, metadata: tuple[tuple[str, str], ...] = ()
    ) -> bytes:
        message = unpack_messages(packed)[0]
        whose = (self.rules.component, self.flow.entity, self.control.born_ms)
        key = DERIVED + digest(*(str(part).encode() for part in (*whose, *names))).hex()
        message = replace(message, key=message.key or key, metadata=(*message.metadata, *metadata))
        return pack_messages([message])

    def _put_child(self, child: Child, other: Child) -> None:
        children = tuple(other if each is child else each for each in self.kept.children)
        self.kept = replace(self.kept, children=children)

    def _forget(self, promises: tuple[str, ...]) -> None:
        kept = self.kept
        values = {name: value for name, value in kept.values.items() if name not in promises}
        opened = tuple(name for name in kept.opened if name not in promises)
        children = tuple(
            each for each in kept.children if not each.ended or promise_of(each) not in promises
        )
        self.kept = replace(kept, opened=opened, values=values, children=children)

    def _leave_children(self) -> None:
        self._tell_children()
        if self.kept.children:
            self.kept = replace(self.kept, children=())

    def _tell_children(self) -> None:
        for child in self.kept.children:
            if not child.ended:
                why = {"reason": f"its parent {self.rules.component}/{self.flow.entity} has ended"}
                payload = msgspec.msgpack.encode(why)
                self._sent.append(_control(child.component, child.entity, "terminate", payload))

    def _tell_parent(self, status: str, reason: str) -> None:
        parent = self.kept.parent
        if parent is None:
            return
        state = self.rules.state_json(self.stored)
        notice = ChildNotice(self.rules.component, self.flow.entity, status, reason, state)
        payload = msgspec.msgpack.encode(notice)
        self._sent.append(_control(parent.component, parent.entity, CHILD_ENDED, payload))

    def _outgoing(self) -> bytes:
        if not self._sent:
            return self._packed
        before = unpack_messages(self._packed) if self._packed else []
        return pack_messages([*before, *self._sent])

    def _set(self, **changes: Any) -> None:
        self.control = replace(self.control, **changes)


def _same(packed: bytes) -> str:
    """Stands for a call, whichever attempt has made it: its correlation id tells attempts apart."""
    call = unpack_messages(packed)[0]
    parts = (call.component, call.entity, call.method, call.key)
    return digest(*(part.encode() for part in parts), call.payload).hex()


def promise_of(child: Child) -> str:
    """The promise that a child keeps by ending."""
    return f"{CHILD}{child.component}/{child.entity}"


def inputs_after(inputs: Mapping[str, bytes], control: Control) -> Mapping[str, bytes]:
    """The newest input of each step, after a record with this control."""
    if not control.step or inputs.get(control.step) == control.arguments:
        return inputs
    return {**inputs, control.step: control.arguments}


def notes_after(
    notes: Notes, since: int, number: int, told: tuple[bytes, ...]
) -> tuple[Notes, int]:
    """What was told of late, and after which record all of it is there, after another record.

    Args:
        notes: before it.
        since: before it.
        number: of the record.
        told: by it.
    """
    if not told:
        return notes, since
    notes = (*notes, (number, told))
    size = sum(len(note) for _, each in notes for note in each)
    while len(notes) > NOTES_KEPT_MAX or (len(notes) > 1 and size > NOTES_KEPT_BYTES):
        (since, gone), notes = notes[0], notes[1:]
        size -= sum(map(len, gone))
    return notes, since


def _control(component: str, entity: str, method: str, payload: bytes) -> Message:
    return Message(
        *(MessageKind.CONTROL, component, entity, method, payload),
        *(Encoding.MSGPACK, Encoding.MSGPACK),
    )
