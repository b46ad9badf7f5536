"""`WorkflowTestKit`: one workflow without a runtime, by the engine that serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar, cast

import msgspec

from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.engine import behavior_for
from actorkalix.engine.requests import message_kind
from actorkalix.engine.workflow_control import Did, Entry
from actorkalix.engine.workflow_messages import (
    CHILD_ENDED,
    STATUS,
    ChildNotice,
    StepFailed,
    StepOutcome,
    WorkflowStatus,
    pack_outcome,
    unpack_outcome,
)
from actorkalix.engine.workflow_move import Move
from actorkalix.engine.workflow_outcome import input_of
from actorkalix.engine.workflow_rules import Rules
from actorkalix.errors import ActorkalixError, HandlerFailed, InvalidPayload
from actorkalix.failures import error_of, failure_of
from actorkalix.limits import Limits
from actorkalix.model.component import ComponentClass
from actorkalix.model.handlers import HandlerRef
from actorkalix.model.steps import Step
from actorkalix.model.transitions import EndStatus
from actorkalix.runtime.actions import Surroundings, in_thread
from actorkalix.runtime.development import development
from actorkalix.runtime.resources import Resources
from actorkalix.runtime.steps import InlineSteps
from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.behavior import BehaviorError, BehaviorFault
from actorkalix_cluster.shardhost.behavior import Step as Told
from actorkalix_cluster.shardhost.fired import FIRED, Firing, Outcome
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind, Reply

from .answering import StandIn
from .caught import Caught
from .flow import StoredFlow
from .results import Forwarded, Result, forwarded

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
C = TypeVar("C")
D = TypeVar("D")

RUNS_MAX = 1_000  # of `run`: a workflow that goes in a circle is told so


class Ran(msgspec.Struct, frozen=True):
    """What one run of a workflow came to.

    Attributes:
        name: of the step; "undo wallet/w1.deposit" of an undo call, "start order-line/l1" of a call
            that starts a child.
        attempt: from 1.
        error: with which it failed, or None.
        status: of the workflow after it.
    """

    name: str
    attempt: int
    error: ActorkalixError | None
    status: str


class WorkflowTestKit(Generic[C, S]):
    """Plays commands, steps and time against one workflow; keeps it from call to call.

    It runs by the engine that serves it, on virtual time: nothing runs by itself. Everything is
    written to bytes, stored and read back after each change (TK-08). The calls that steps make are
    answered by `answer`, and so are undo calls and those that start children.

    Args:
        workflow: its class.
        workflow_id: its id.
        resources: what `self.resources` is.
    """

    def __init__(
        self,
        workflow: ComponentClass[C, S, Any],
        workflow_id: str = "test",
        /,
        *,
        resources: object = None,
    ) -> None:
        self._class = cast("type[Any]", workflow)
        self._descriptor = descriptor_of(self._class)
        self._codec = codecs_for(self._descriptor)
        self._id = workflow_id
        self._clock = VirtualClock()
        self._stored = StoredFlow(development(behavior_for(self._descriptor)), workflow_id)
        self._stand_in = StandIn()
        self._failures: dict[str, list[Exception]] = {}
        self._metadata: tuple[tuple[str, str], ...] = ()
        around = Surroundings(
            *(self._stand_in, self._clock, Limits(), Resources("test", lambda: resources)),
            sleep=self._sleep,
        )
        self._steps = InlineSteps(self._descriptor, around, threads=in_thread)

    # ---- what it holds ---------------------------------------------------------------------------
    @property
    def state(self) -> S:
        """The state now; None before a command has stored one."""
        return cast("S", self._stored.flow.state)

    @property
    def status(self) -> str:
        """One of "not_started", "running", "retrying", "paused", "waiting", "suspended",
        "ended", "failed", "timed_out", "terminated", "deleted".
        """
        return self.look().status

    @property
    def history(self) -> list[Entry]:
        """All that happened, in order: commands, attempts, pauses and the like."""
        return self._stored.entries

    @property
    def notified(self) -> list[Any]:
        """What it has told those who listen, in order; see `notifications`."""
        handlers = self._descriptor.handlers.values()
        names = [each.name for each in handlers if each.kind == "notifications"]
        told = [note for entry in self.history for note in entry.notes]
        return [self._codec.replies[names[0]].decode(note, Encoding.MSGPACK) for note in told]

    @property
    def asked(self) -> list[Forwarded]:
        """The calls that steps, undo calls and starts of children have made, in order."""
        return self._stand_in.asked

    @property
    def now_ms(self) -> int:
        """The virtual time, in milliseconds since 1970."""
        return self._clock.now_ms()

    def look(self) -> WorkflowStatus:
        """Where it stands, in full."""
        reply = self._tell(MessageKind.QUERY, STATUS).reply
        return msgspec.msgpack.decode(reply.payload, type=WorkflowStatus)

    # ---- before a run ----------------------------------------------------------------------------
    def answer(
        self, handler: HandlerRef[D, ..., R], value: R | Exception | Callable[..., R], /
    ) -> WorkflowTestKit[C, S]:
        """This kit; it answers calls of this handler, of whatever entity, until it is told anew.

        Args:
            handler: `Wallet.withdraw`.
            value: the reply; or an error, which the call raises; or a function of the call's
                arguments that gives the reply or raises.
        """
        self._stand_in.answer(handler, value)
        return self

    def fail(
        self, step: Step[C, ...], error: Exception, /, *, times: int = 1
    ) -> WorkflowTestKit[C, S]:
        """This kit; so many attempts of the step fail with this error, without being run."""
        self._failures.setdefault(step.name, []).extend([error] * times)
        return self

    def with_metadata(self, metadata: Mapping[str, str], /) -> WorkflowTestKit[C, S]:
        """This kit; its next call carries the metadata."""
        self._metadata = tuple(metadata.items())
        return self

    # ---- commands and controls -------------------------------------------------------------------
    def call(
        self, handler: HandlerRef[C, P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result[S, Any, R]:
        """Run one command or query, or a control: `Transfer.suspend`, `Transfer.resolve`.

        Raises:
            InvalidPayload: an argument is not of its declared type.
            NotEncodable, InvalidEffect, HandlerFailed: what the handler made breaks a rule.
            AssertionError: a command comes while a step is to run, so it would wait: `run` first.
        """
        name, metadata = handler.name, self._metadata
        self._metadata = ()
        payload = self._codec.arguments[name].encode(args, dict(kwargs), Encoding.MSGPACK)
        kind = message_kind(self._descriptor, self._descriptor.handlers[name])
        try:
            step = self._tell(kind, name, payload, metadata)
        except BehaviorFault as fault:
            raise _error_of(fault) from fault.__cause__
        except BehaviorError as refused:
            error = _error_of(refused)
            if isinstance(error, InvalidPayload):
                raise error from None
            return Result(None, error, [], self.state, deleted=self._deleted)
        if step.hold:
            raise AssertionError(
                f"{name} waits, for the workflow is {self.status}; await kit.run() first"
            )
        return self._result(name, step.reply, did_persist=bool(step.records))

    # ---- running ---------------------------------------------------------------------------------
    async def run_next(self) -> Ran | None:
        """Run what is due now: a step, an undo call, the start of a child; None if nothing is.

        What is due without anything to run (a pause whose time is over) happens too.
        """
        while True:
            flow = self._stored.flow
            if not 0 < flow.expires_ms <= self.now_ms:
                return None
            payload = self._tell(MessageKind.EXPIRE, "").reply.payload
            if payload:
                return await self._fire(msgspec.msgpack.decode(payload, type=Firing))
            if self._stored.flow is flow:
                return None

    async def run(self) -> list[Ran]:
        """Run all that is due now, and what follows from it.

        Raises:
            AssertionError: it does not come to rest.
        """
        ran: list[Ran] = []
        while (one := await self.run_next()) is not None:
            ran.append(one)
            if len(ran) >= RUNS_MAX:
                raise AssertionError(f"{self._class.__name__} still runs after {RUNS_MAX} steps")
        return ran

    async def advance(self, by: timedelta, /) -> list[Ran]:
        """Let time pass; all that falls due is run, in order."""
        until_ms = self.now_ms + by // timedelta(milliseconds=1)
        ran = await self.run()
        while self.now_ms < (due_ms := self._stored.flow.expires_ms) <= until_ms:
            await self._clock.advance(due_ms - self.now_ms)
            ran += await self.run()
        await self._clock.advance(max(0, until_ms - self.now_ms))
        return ran

    async def run_step(self, step: Step[C, P], /, *args: P.args, **kwargs: P.kwargs) -> S:
        """Run one step with this input, as if the workflow had just gone on with it.

        Returns:
            The state after it.

        Raises:
            ActorkalixError: the step's failure.
        """
        arguments = input_of(self._descriptor, step.name, args, kwargs)
        move = Move(Rules(self._descriptor), self._stored.flow, self.now_ms)
        move.enter(step.name, arguments)
        self._stored.put(*move.done(Did.RESTARTED))
        ran = await self.run_next()
        assert ran is not None, "it is due"
        if ran.error is not None:
            raise ran.error
        return self.state

    def end_child(
        self,
        child: type[Any],
        workflow_id: str,
        status: EndStatus = "ended",
        /,
        *,
        reason: str = "",
        state: object = None,
    ) -> None:
        """Tell it that a child of its has ended.

        Args:
            child: its class.
            workflow_id: its id.
            status: how.
            reason: of the end.
            state: its last one.
        """
        data = b"" if state is None else msgspec.json.encode(state)
        component = descriptor_of(child).component_id
        notice = ChildNotice(component, workflow_id, status, reason, data)
        self._tell(MessageKind.CONTROL, CHILD_ENDED, msgspec.msgpack.encode(notice))

    def crash(self) -> None:
        """Forget the workflow and rebuild it from what was stored, as after a crash."""
        self._stored.crash()

    # ---- within ----------------------------------------------------------------------------------
    @property
    def _deleted(self) -> bool:
        return self._stored.flow.deleted_ms > 0

    async def _sleep(self, seconds: float) -> None:
        await self._clock.advance(int(seconds * 1000))

    async def _fire(self, firing: Firing) -> Ran:
        self._stand_in.unanswered = None
        look, began_ms = self.look(), self.now_ms
        name = look.step
        if firing.message.kind is MessageKind.STEP:
            answer, error = await self._attempt(firing.message)
        else:
            call = forwarded(firing.message)
            verb = "undo" if not look.promises else "start"
            name = f"{verb} {call.component}/{call.entity_id}.{call.method}"
            answer, error = await self._call(firing.message)
        if self._stand_in.unanswered is not None:
            raise self._stand_in.unanswered
        fired = Outcome(firing.token, answer.failure, answer.payload, began_ms)
        self._tell(MessageKind.CONTROL, FIRED, msgspec.msgpack.encode(fired))
        return Ran(name, look.attempt, error, self.status)

    async def _attempt(self, message: Message) -> tuple[Reply, ActorkalixError | None]:
        injected = self._failures.get(message.method)
        if injected:
            outcome = StepOutcome(failed=_failed(injected.pop(0)))
            answer = Reply(pack_outcome(outcome))
        else:
            answer = await self._steps.run(message)
            outcome = unpack_outcome(answer.payload)
        failed = outcome.failed
        return answer, None if failed is None else error_of(failed.failure)

    async def _call(self, message: Message) -> tuple[Reply, ActorkalixError | None]:
        caught, answer = Caught(), Reply()
        with caught:
            answer = await self._stand_in.ask(message)
        if caught.error is not None:
            answer = Reply(failure=failure_of(HandlerFailed(_said(caught.error))))
        return answer, None if answer.failure is None else error_of(answer.failure)

    def _tell(
        self,
        kind: MessageKind,
        method: str,
        payload: bytes = b"",
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Told[Any]:
        message = Message(
            *(kind, self._descriptor.component_id, self._id, method, payload),
            *(Encoding.MSGPACK, Encoding.MSGPACK),
            metadata=metadata,
            correlation_id="test",
        )
        return self._stored.tell(message, self.now_ms)

    def _result(self, name: str, reply: Reply, *, did_persist: bool) -> Result[S, Any, Any]:
        error = error_of(reply.failure) if reply.failure else None
        value = None
        if error is None and reply.forward is None:
            value = self._codec.replies[name].decode(reply.payload, Encoding.MSGPACK)
        return Result(
            value,
            error,
            [],
            self.state,
            did_persist=did_persist,
            deleted=self._deleted,
            metadata=dict(reply.metadata),
            forward=None if reply.forward is None else forwarded(reply.forward),
        )


def _failed(error: Exception) -> StepFailed:
    classes = tuple(kind.__name__ for kind in type(error).__mro__)
    known = error if isinstance(error, ActorkalixError) else HandlerFailed(_said(error))
    return StepFailed(failure_of(known), classes)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _error_of(refused: BehaviorError) -> ActorkalixError:
    failure = refused.reply.failure
    assert failure is not None, "a refusal says why"
    return error_of(failure)
