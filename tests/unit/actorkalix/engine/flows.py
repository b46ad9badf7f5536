"""A workflow that does as it is told, and a bench that plays host to its engine on virtual time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest

from actorkalix import Effect, StepEffect, Workflow, command, max_retries, query, step
from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.engine import behavior_for
from actorkalix.engine.workflow import WorkflowBehavior
from actorkalix.engine.workflow_control import Entry, Flow, entry_of
from actorkalix.engine.workflow_messages import (
    STATUS,
    StepFailed,
    StepOutcome,
    WireNext,
    WorkflowStatus,
    pack_outcome,
)
from actorkalix.model.steps import Recovery
from actorkalix_cluster.shardhost.behavior import BehaviorError, Step
from actorkalix_cluster.shardhost.fired import FIRED, Firing, Outcome, Settled
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_storage.api import (
    Head,
    History,
    Position,
    Record,
    RecordKind,
    Snapshot,
    StoredRecord,
)

START_MS = 1_700_000_000_000


class Broken(Exception):
    """An error that is final."""


@dataclass(frozen=True)
class Told:
    """State of `Told` workflows."""

    count: int = 0
    said: str = ""


def _often(retries: int, final: tuple[type[BaseException], ...] = ()) -> Recovery:
    short, long = timedelta(seconds=1), timedelta(seconds=8)
    return max_retries(retries, initial=short, cap=long, jitter=0.0, final=final)


class Obedient(Workflow[Told], id="obedient"):
    """Its commands do as they are told; its steps are run by tests alone."""

    @command
    def put(self, count: int) -> Effect[int]:
        if self.state is not None and count < 0:
            return self.effects.error("less than nothing")
        return self.effects.update_state(Told(count)).then_reply(count)

    @command
    def go(self, count: int, to: str) -> Effect[str]:
        moved = self.effects.update_state(Told(count))
        targets = {"plain": self.plain, "thrice": self.thrice, "undoing": self.undoing}
        if to == "deadly":
            return moved.transition_to(self.deadly, count).then_reply(to)
        return moved.transition_to(targets[to]).then_reply(to)

    @command
    def rest(self, seconds: int, then: str) -> Effect[str]:
        if not seconds:
            return self.effects.pause("resting").then_reply("resting")
        after: Any = self.plain if then == "step" else self.wake
        pause = self.effects.pause("resting", timeout=timedelta(seconds=seconds), then=after)
        return pause.then_reply("resting")

    @command
    def wake(self) -> Effect[str]:
        count = 0 if self.state is None else self.state.count
        woken = self.effects.update_state(Told(count + 1_000, "woken"))
        if count % 3 == 0:
            return woken.then_reply("half awake")
        return woken.transition_to(self.plain).then_reply("awake")

    @command
    def wait(self, seconds: int) -> Effect[str]:
        word = self.promise("word")
        if not seconds:
            return self.effects.wait_for(word, then=self.heard).then_reply("waiting")
        late = timedelta(seconds=seconds)
        waits = self.effects.wait_for(word, then=self.heard, timeout=late, on_timeout=self.plain)
        return waits.then_reply("waiting")

    @command
    def name(self, promise: str) -> Effect[str]:
        self.promise(promise)
        return self.effects.update_state(self.state or Told()).then_reply(promise)

    @command
    def finish(self, how: str) -> Effect[str]:
        if how == "undo":
            return self.effects.compensate("undone").then_reply(how)
        if how == "delete":
            return self.effects.delete_workflow().then_reply(how)
        return self.effects.end(how).then_reply(how)

    @command
    def nothing(self) -> Effect[str]:
        return self.effects.reply("nothing")

    @command
    def register(self, amount: int) -> Effect[int]:
        undo = self.client.workflow(Obedient, "other").put(amount)
        return self.effects.update_state(self.state or Told()).with_undo(undo).then_reply(amount)

    @query
    def get(self) -> Told:
        return self.state

    @step
    async def plain(self) -> StepEffect:
        return self.effects.end()

    @step(timeout=timedelta(seconds=2), recover=_often(2).failover_to("plain"))
    async def thrice(self) -> StepEffect:
        return self.effects.end()

    @step(timeout=timedelta(seconds=3), recover=_often(1).compensate())
    async def undoing(self) -> StepEffect:
        return self.effects.end()

    @step(recover=_often(5, (Broken,)))
    async def deadly(self, amount: int) -> StepEffect:
        return self.effects.end()

    @step
    async def heard(self, word: str) -> StepEffect:
        return self.effects.end(word)


class Ending(Obedient, id="ending", timeout=timedelta(seconds=60)):
    """The same, with an hour glass."""


class Closing(Obedient, id="closing", timeout=timedelta(seconds=60), on_timeout="plain"):
    """The same, with a step after it."""


class Passing(Obedient, id="passing", expire_after=timedelta(days=1)):
    """The same; a day after its end it is deleted."""


def failure(text: str = "no") -> Failure:
    """A failure of an attempt."""
    return Failure("AK2001", "invalid_argument", text)


class Bench:
    """Plays host: every step of the engine is durable at once, and may come back from storage."""

    def __init__(self, cls: type[Any] = Obedient, entity: str = "w") -> None:
        self.descriptor = descriptor_of(cls)
        behavior = behavior_for(self.descriptor)
        assert isinstance(behavior, WorkflowBehavior)
        self.behavior = behavior
        self.codec = codecs_for(self.descriptor)
        self.now_ms = START_MS
        self.entity = entity
        self.stored: list[StoredRecord] = []
        self.snapshot: Snapshot | None = None
        self.flow = self.behavior.empty(entity)
        self.last: Step[Any] | None = None

    # ---- what it tells ---------------------------------------------------------------------------
    @property
    def status(self) -> str:
        """Its public status."""
        return self.look().status

    @property
    def history(self) -> list[Entry]:
        """All entries."""
        return [
            entry_of(each.record.payload)
            for each in self.stored
            if each.record.kind is RecordKind.EVENT
        ]

    def look(self) -> WorkflowStatus:
        """Where it stands."""
        reply = self.tell(MessageKind.QUERY, STATUS).reply
        return msgspec.msgpack.decode(reply.payload, type=WorkflowStatus)

    # ---- messages --------------------------------------------------------------------------------
    def call(self, method: str, *args: Any, key: str = "", **more: Any) -> Reply:
        """The reply to a command or query; `held` where it waits."""
        handler = self.descriptor.handlers[method]
        kind = MessageKind.QUERY if handler.kind == "query" else MessageKind.COMMAND
        step = self.tell(kind, method, self._arguments(method, args), key=key, **more)
        return Reply(failure=failure("held")) if step.hold else step.reply

    def value(self, method: str, *args: Any, **more: Any) -> Any:
        """The value that a call replies."""
        reply = self.call(method, *args, **more)
        assert reply.failure is None, reply.failure
        return self.codec.replies[method].decode(reply.payload, Encoding.MSGPACK)

    def number(self, method: str, *args: Any) -> str:
        """The AK number with which a call is refused."""
        try:
            reply = self.call(method, *args)
        except BehaviorError as error:
            reply = error.reply
        assert reply.failure is not None, reply
        return reply.failure.number

    def control(self, method: str, *args: Any) -> str:
        """The status after a control."""
        step = self.tell(MessageKind.CONTROL, method, self._arguments(method, args))
        return str(self.codec.replies[method].decode(step.reply.payload, Encoding.MSGPACK))

    def expire(self) -> Firing | None:
        """What it gives out."""
        payload = self.tell(MessageKind.EXPIRE, "").reply.payload
        return msgspec.msgpack.decode(payload, type=Firing) if payload else None

    def given(self) -> Firing:
        """What it gives out, now."""
        firing = self.expire()
        assert firing is not None, self.look()
        return firing

    def fired(self, firing: Firing, outcome: StepOutcome | Failure | None = None) -> Settled:
        """Hand it a result."""
        failed = outcome if isinstance(outcome, Failure) else None
        payload = pack_outcome(outcome) if isinstance(outcome, StepOutcome) else b""
        told = Outcome(firing.token, failed, payload, self.now_ms)
        step = self.tell(MessageKind.CONTROL, FIRED, msgspec.msgpack.encode(told))
        return msgspec.msgpack.decode(step.reply.payload, type=Settled)

    def done(self, firing: Firing, following: WireNext, **more: Any) -> Settled:
        """A step has succeeded."""
        return self.fired(firing, StepOutcome(following, **more))

    def failed(self, firing: Firing, *classes: str, until_ms: int = 0, **more: Any) -> Settled:
        """A step has failed."""
        failed = StepFailed(failure(), classes)
        return self.fired(firing, StepOutcome(failed=failed, calls_until_ms=until_ms, **more))

    def state_of(self, count: int) -> bytes:
        """A state as it is stored."""
        return self.codec.stored.encode_state(Told(count))

    # ---- time and crashes ------------------------------------------------------------------------
    def advance(self, seconds: float) -> None:
        """Let time pass; nothing is due by that alone."""
        self.now_ms += round(seconds * 1_000)

    def crash(self) -> None:
        """It comes back from what was stored."""
        if not self.stored:
            self.flow = self.behavior.empty(self.entity)
            return
        last = self.stored[-1]
        deleted = [each for each in self.stored if each.record.kind is RecordKind.DELETED]
        head = Head(
            *(last.version, last.record.number, 1, 1, len(self.stored)),
            deleted_ms=deleted[0].record.time_ms if deleted else 0,
            expires_ms=last.record.expires_ms,
        )
        after = self.snapshot.number if self.snapshot else 0
        records = tuple(
            each
            for each in self.stored
            if each.record.kind is RecordKind.EVENT and each.record.number > after
        )
        self.flow = self.behavior.restore(self.entity, History(head, self.snapshot, records))

    def take_snapshot(self) -> None:
        """As a host does it now and then."""
        self.snapshot = self.behavior.snapshot(self.flow)
        self.flow = msgspec.structs.replace(self.flow, snapshot_number=self.flow.number)

    # ---- within ----------------------------------------------------------------------------------
    def _arguments(self, method: str, args: tuple[Any, ...]) -> bytes:
        return self.codec.arguments[method].encode(args, {}, Encoding.MSGPACK)

    def clean(self) -> None:
        """Its retention has passed."""
        self.tell(MessageKind.CLEAN, "")

    def number_of_control(self, method: str, *args: Any) -> str:
        """The AK number with which a control is refused."""
        with pytest.raises(BehaviorError) as caught:
            self.control(method, *args)
        failure = caught.value.reply.failure
        assert failure is not None, "a refusal says why"
        return failure.number

    def tell(self, kind: MessageKind, method: str, payload: bytes = b"", **more: Any) -> Step[Any]:
        message = Message(
            *(kind, self.descriptor.component_id, self.entity, method, payload),
            *(Encoding.MSGPACK, Encoding.MSGPACK),
            correlation_id="test",
            **more,
        )
        step = self.behavior.step(self.flow, message, self.now_ms)
        self.last = step
        if step.records:
            self._store(step.records)
        self.flow = cast("Flow", step.instance)
        assert self.behavior.version(self.flow) == len(self.stored), "it counts its records"
        return step

    def _store(self, records: tuple[Record, ...]) -> None:
        for record in records:
            if record.kind is RecordKind.CLEANED:
                self.stored, self.snapshot = [], None
                continue
            assert record.time_ms == self.now_ms
            version = len(self.stored) + 1
            position = Position(0, 1, version)
            self.stored.append(StoredRecord(0, position, (1, version - 1), version, 1, record))
