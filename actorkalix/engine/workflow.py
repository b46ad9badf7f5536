"""Workflows: what a message does to one. Pure; the table is in `workflow_control`.

Theory of operation. Commands and queries run as those of entities do; what a command decides about
the course is a transition (`workflow_move`), one record with the state. What runs between them is
given out by the firing protocol of the host (`shardhost.firing`):

    EXPIRE, when it is due   the activity, as a message for whoever runs it, and a token
    FIRED                    what became of it: the next transition, another attempt, or the end

Nothing is written when an activity begins: it is due until its result is durable, so a crash in
between runs it again (WF-21), and the record that it rests on has been durable before.

Every attempt is a record. A result whose token is not that of the newest execution is dropped, and
so is one that comes when the workflow's timeout has passed. A pause that is over while a command is
on its way: whichever of the two is handled first has it; the other finds the pause gone.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from actorkalix.describe.annotations import members
from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.errors import (
    CommandError,
    ResultTooLarge,
    StoredDataUnreadable,
    TransitionRefused,
    UnknownRoute,
    UnknownStep,
)
from actorkalix.failures import failure_of
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import BehaviorError, Step
from actorkalix_cluster.shardhost.fired import Outcome, Settled
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply
from actorkalix_storage.api import History, Record, RecordKind, Snapshot

from .entity import EntityBehavior, Run
from .instance import Instance
from .replies import refusal
from .workflow_attempt import firing_of, reason_of, settle, unknown_step, wake_failed
from .workflow_control import (
    BUSY,
    OVER,
    TABLE,
    Act,
    Activity,
    Ask,
    Control,
    Did,
    Flow,
    Folded,
    Kept,
    Notes,
    Status,
    asked,
    entry_of,
    folded_of,
    pack,
    public,
    token_of,
)
from .workflow_draft import inputs_after, notes_after
from .workflow_keeping import child_ended, parent_of, refuse_unless_begun, resolved
from .workflow_messages import NOTES, Finish
from .workflow_move import Move
from .workflow_outcome import outcome_of
from .workflow_rules import Rules
from .workflow_status import heard_of, status_of

NOT_BEGUN_RETRY_MS = 1_000


class WorkflowBehavior(EntityBehavior):
    """`Behavior[Flow]` for a shard host. See the head of this file."""

    fires = True

    def __init__(self, descriptor: ComponentDescriptor, limits: Limits) -> None:
        super().__init__(descriptor, limits)
        self._rules = Rules(descriptor)

    # ---- the port --------------------------------------------------------------------------------
    def empty(self, entity: str) -> Flow:
        """A workflow that was never started."""
        return Flow(entity, None)

    def restore(self, entity: str, history: History) -> Flow:
        """The newest control and the newest state; nothing is worked out again.

        Raises:
            BehaviorError: what is stored cannot be read; the failure names component and id.
        """
        head, snapshot = history.head, history.snapshot
        try:
            folded = folded_of(snapshot.payload) if snapshot else Folded(Control(), Kept())
            control, kept, stored = folded.control, folded.kept, folded.state
            inputs, since = folded.inputs, snapshot.number if snapshot else 0
            notes: Notes = ()
            for each in history.records:
                entry = entry_of(each.record.payload)
                notes, since = notes_after(notes, since, each.record.number, entry.notes)
                control, kept = entry.control, entry.kept or kept
                stored = entry.state or stored
                inputs = inputs_after(inputs, control)
            if head.deleted_ms:
                stored = None
            state = None if stored is None else self._stored.decode_state(stored)
        except (StoredDataUnreadable, msgspec.MsgspecError) as problem:
            error = StoredDataUnreadable(f"{self._id} {entity!r}, record {head.number}: {problem}")
            raise BehaviorError(Reply(failure=failure_of(error))) from problem
        return Flow(
            *(entity, state, head.number, head.version, head.incarnation),
            *(head.deleted_ms, head.expires_ms, snapshot.number if snapshot else 0),
            control=control,
            kept=kept,
            stored=stored,
            inputs=inputs,
            doubtful=control.status in BUSY or control.within in BUSY,
            notes=notes,
            notes_since=since,
        )

    def snapshot(self, instance: Instance) -> Snapshot:
        """Control, state and what is kept."""
        flow = _flow(instance)
        payload = pack(Folded(flow.control, flow.kept, flow.stored, flow.inputs))
        return Snapshot(flow.incarnation, flow.number, 0, payload)

    def step(self, instance: Instance, message: Message, now_ms: int) -> Step[Instance]:
        """Handle one message; see `TABLE`."""
        flow, ask = _flow(instance), asked(message.kind, message.method)
        if ask is None:
            raise refusal(UnknownRoute(f"{self._id} has no control {message.method!r}"))
        step = self._step(flow, ask, message, now_ms)
        if not step.records:
            return step
        after = _flow(step.instance)
        cut_off = flow.control.status in BUSY and ask is not Ask.RESULT
        halt = cut_off and after.control.run != flow.control.run
        leaves = after.control.status not in (*BUSY, *_RESTING) and not step.snapshot_due
        return msgspec.structs.replace(
            step,
            fire=0 < after.expires_ms <= now_ms,
            halt=halt or (cut_off and after.control.status not in BUSY),
            forget=step.forget or (leaves and ask in _LEAVING),
        )

    def _step(self, flow: Flow, ask: Ask, message: Message, now_ms: int) -> Step[Instance]:
        act = TABLE[flow.control.status, ask]
        late = 0 < flow.control.deadline_ms <= now_ms
        if act is Act.HOLD or (late and ask is Ask.COMMAND):
            return Step(flow, (), Reply(), hold=True)
        if act is Act.HANDLE or act is Act.READ:
            step = self._handle(flow, message, now_ms)
            if message.metadata and ask is Ask.COMMAND and step.reply.failure is None:
                refuse_unless_begun(self._id, flow, _flow(step.instance), message)
            return step
        if act is Act.TELL:
            told = heard_of(flow) if message.method == NOTES else status_of(flow)
            return _unchanged(flow, _encoded(told, message.accept))
        if act is Act.NOTHING:
            return _unchanged(flow, self._nothing(flow, ask, message))
        if act is Act.REFUSE:
            raise refusal(self._over(flow, f"{message.method} is refused"))
        if late and act in (Act.RUN, Act.PASS, Act.TAKE):
            move = Move(self._rules, flow, now_ms)
            move.time_out()
            answer = Settled(dropped=True) if act is Act.TAKE else None
            return self._moved(move, Did.TIMED_OUT, answer)
        return _ACTS[act](self, flow, message, now_ms)

    # ---- activities ------------------------------------------------------------------------------
    def _run(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        control = flow.control
        if control.at_ms > now_ms:
            return _unchanged(flow)
        if control.activity is Activity.STEP and self._rules.step(control.step) is None:
            return self._done(*unknown_step(self._rules, flow, now_ms), Reply())
        return _unchanged(flow, _packed(firing_of(self._rules, flow, now_ms)))

    def _take(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        fired = _OUTCOME.decode(message.payload)
        if fired.token != token_of(flow.control):
            return _unchanged(flow, _packed(Settled(dropped=True)))
        moved = settle(self._rules, flow, fired, self._stored.decode_state, now_ms)
        if moved is None:
            return _unchanged(flow, _packed(Settled(now_ms + NOT_BEGUN_RETRY_MS)))
        return self._done(*moved, Reply(_packed(Settled(moved[0].expires_ms))))

    def _pass(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        """The time of a pause or a wait is over."""
        control = flow.control
        if control.status is Status.SUSPENDED or not 0 < control.at_ms <= now_ms:
            return _unchanged(flow)
        move = Move(self._rules, flow, now_ms)
        if control.status is Status.WAITING:
            move.enter(control.late, b"")
            return self._moved(move, Did.WAIT_OVER)
        if control.then:
            move.enter(control.then, b"")
            return self._moved(move, Did.PAUSE_OVER)
        move.stay()
        woken, records = move.done(Did.PAUSE_OVER, what=control.late)
        command = Message(
            *(MessageKind.COMMAND, self._id, flow.entity, control.late),
            accept=Encoding.MSGPACK,
            correlation_id=f"pause-{control.born_ms}.{flow.number}",
        )
        try:
            step = self._handle(woken, command, now_ms)
        except BaseException as problem:
            if not isinstance(problem, Exception):
                raise
            failed, records = wake_failed(self._rules, flow, self._cls, problem, now_ms)
            return Step(failed, records, Reply(), fault=problem.__cause__ or problem)
        if (refused := step.reply.failure) is not None:
            move.note(reason_of(refused))
            woken, records = move.done(Did.PAUSE_OVER, what=control.late)
            return Step(woken, records, Reply())
        return Step(step.instance, (*records, *step.records), Reply(), step.snapshot_due)

    # ---- controls --------------------------------------------------------------------------------
    def _suspend(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        (reason,), _ = self._arguments_of(message)
        move = Move(self._rules, flow, now_ms)
        move.suspend(reason.strip())
        return self._moved(move, Did.SUSPENDED, message)

    def _resume(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        move = Move(self._rules, flow, now_ms)
        move.resume()
        return self._moved(move, Did.RESUMED, message)

    def _terminate(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        (reason,), _ = self._arguments_of(message)
        move = Move(self._rules, flow, now_ms)
        move.finish(Status.TERMINATED, reason.strip(), quiet_ms=move.quiet_ms())
        return self._moved(move, Did.TERMINATED, message)

    def _restart(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        (step, anew), _ = self._arguments_of(message)
        step = step or flow.control.step
        arguments = flow.inputs.get(step)
        if arguments is None:
            known = ", ".join(sorted(flow.inputs)) or "none"
            raise refusal(
                UnknownStep(f"{self._id} {flow.entity!r} has not run {step!r} (it has {known})")
            )
        move = Move(self._rules, flow, now_ms)
        move.restart(step, arguments, anew=anew)
        return self._moved(move, Did.RESTARTED, message)

    def _keep(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        if message.method != "resolve":
            ended = child_ended(self._rules, flow, message.payload, now_ms)
            if ended is None:
                return _unchanged(flow)
            move, what = ended
            return self._moved(move, Did.CHILD_ENDED, what=what)
        (name, value), _ = self._arguments_of(message)
        if name in flow.kept.values:
            return _unchanged(flow, self._status_reply(flow, message))
        move = resolved(self._rules, flow, name, value, now_ms)
        return self._moved(move, Did.RESOLVED, message, what=name)

    def _expire(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        """It has ended so long ago that it is deleted."""
        if not 0 < flow.control.at_ms <= now_ms:
            return _unchanged(flow)
        move = Move(self._rules, flow, now_ms)
        move.expire()
        return self._moved(move, Did.EXPIRED)

    def _clean(self, flow: Flow, message: Message, now_ms: int) -> Step[Instance]:
        record = self._record(RecordKind.CLEANED, flow, now_ms)
        return Step(self.empty(flow.entity), (record,), Reply(), forget=True)

    # ---- commands --------------------------------------------------------------------------------
    def _changes(
        self, run: Run, instance: Instance, message: Message, now_ms: int
    ) -> tuple[Instance, tuple[Record, ...]]:
        flow, decision = _flow(instance), run.decision
        noted, what = run.live.noted, run.handler.name
        opened = tuple(noted.promises)
        decision = msgspec.structs.replace(decision, undo=(*noted.undo, *decision.undo))
        outcome = outcome_of(self._descriptor, decision, message, self._limits, opened=opened)
        move, following = Move(self._rules, flow, now_ms), outcome.next
        if TABLE[flow.control.status, Ask.COMMAND] is Act.READ:
            deletes = isinstance(following, Finish) and following.delete
            if not deletes or flow.control.status not in OVER:
                raise refusal(self._over(flow, f"{what} would change it"))
            move.finish(Status.DELETED, delete=True)
            return move.done(Did.COMMAND, what=what)
        if (parent := parent_of(message)) is not None:
            move.adopt(parent)
        if outcome.state is not None:
            move.put_state(decision.state, outcome.state)
        move.register(outcome.undo, f"command {flow.number}")
        move.open(outcome.promises)
        move.tell(outcome.notes)
        move.follow(following)
        if excess := move.excess():
            raise ResultTooLarge(excess)
        return move.done(Did.COMMAND, what=what)

    def _reply_bytes(self, method: str, value: Any, encoding: Encoding) -> bytes:
        reply = self._handlers[method].reply
        if value is None and reply is not Any and type(None) not in members(reply):
            said = (
                f"{self._id} has nothing to reply to {method}: it was not started, or has no state"
            )
            raise CommandError(said, code="not_found")
        return super()._reply_bytes(method, value, encoding)

    # ---- within ----------------------------------------------------------------------------------
    def _moved(
        self, move: Move, did: Did, answer: Message | Settled | None = None, **told: Any
    ) -> Step[Instance]:
        changed, records = move.done(did, **told)
        if isinstance(answer, Message):
            payload = self._status_reply(changed, answer)
        else:
            payload = b"" if answer is None else _packed(answer)
        return self._done(changed, records, Reply(payload))

    def _status_reply(self, flow: Flow, message: Message) -> bytes:
        return self._reply_bytes(message.method, public(flow.control.status), message.accept)

    def _nothing(self, flow: Flow, ask: Ask, message: Message) -> bytes:
        if ask is Ask.RESULT:
            return _packed(Settled(dropped=True))
        return self._status_reply(flow, message) if message.method in self._handlers else b""

    def _over(self, flow: Flow, text: str) -> TransitionRefused:
        status = public(flow.control.status).replace("_", " ")
        said = (
            f"is {status}"
            if flow.control.status in (*OVER, Status.SUSPENDED)
            else "was never started"
        )
        return TransitionRefused(f"{self._id} {flow.entity!r} {said}: {text}")

    def _empty_state(self, entity: str) -> Any:
        return None

    def _snapshot_due(self, instance: Instance) -> bool:
        every = self._rules.snapshot_every
        return every > 0 and instance.number - instance.snapshot_number >= every


_RESTING = (Status.PAUSED, Status.WAITING)
_LEAVING = (Ask.SUSPEND, Ask.TERMINATE)
_ACTS = {
    Act.RUN: WorkflowBehavior._run,
    Act.TAKE: WorkflowBehavior._take,
    Act.PASS: WorkflowBehavior._pass,
    Act.STOP: WorkflowBehavior._suspend,
    Act.RESUME: WorkflowBehavior._resume,
    Act.END: WorkflowBehavior._terminate,
    Act.RESTART: WorkflowBehavior._restart,
    Act.KEEP: WorkflowBehavior._keep,
    Act.EXPIRE: WorkflowBehavior._expire,
    Act.CLEAN: WorkflowBehavior._clean,
}


def _flow(instance: Instance) -> Flow:
    return cast("Flow", instance)


def _unchanged(flow: Flow, payload: bytes = b"") -> Step[Instance]:
    return Step(flow, (), Reply(payload))


def _encoded(value: object, encoding: Encoding) -> bytes:
    return _packed(value) if encoding is Encoding.MSGPACK else msgspec.json.encode(value)


_packed = msgspec.msgpack.Encoder().encode
_OUTCOME = msgspec.msgpack.Decoder(Outcome)
