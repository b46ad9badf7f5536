"""Named timers: a call that is kept for later, once, every so often, or by a cron line. Pure.

Theory of operation. A timer is an actor of its own: its entity id is its name, its state the call
and when it is due. The newest record's `expires_ms` is when it has to be looked at, so waiting
costs nothing but that record. What happens then is told by `shardhost.firing`:

    message   of a timer that waits                  answer
    start     writes its state; one that is there    when it is due
              is replaced: a new generation
    cancel    gone                                   whether there was one
    EXPIRE    nothing is written                     `Firing`: the call; nothing before its time
    fired     next time, another attempt, or gone    `Settled`
    get       -                                      `Seen`, or nothing

A timer that is gone leaves nothing: its record says `CLEANED`, and its name begins anew.

Generations. A start is named by the shard's time and a count within that millisecond. The count
begins anew where a name does, yet no two generations of which both have fired are equal: a timer
fires after the millisecond of its start, and the shard's time never goes back.

Keys. A firing is made under one idempotency key however often it is attempted, so its effect on an
entity happens once; a refusal (a domain error) is not remembered under it, so it is asked anew. A
call that was refused under a key of its maker's goes on under the firing's, for under the first one
the refusal is remembered.

Failures. Attempts come 3 s apart, then twice as far each time up to 30 s (TI-04), without end or
`max_retries` times. After that a single timer is gone, others go on with their next period.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from actorkalix.engine import cron
from actorkalix.errors import (
    CommandError,
    InvalidPayload,
    InvalidTimer,
    PayloadTooLarge,
    UnknownRoute,
)
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import Step
from actorkalix_cluster.shardhost.fired import FIRED, TIMER, Firing, Outcome, Settled
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.outgoing import DERIVED
from actorkalix_storage.api import History, Record, RecordKind, Snapshot

from .replies import digest, refusal

START, CANCEL, GET = "start", "cancel", "get"
BACKOFF_MS = 3_000
BACKOFF_MS_MAX = 30_000
REASON_CHARACTERS_MAX = 500  # of a failure, as a timer remembers it

CatchUp: TypeAlias = Literal["one", "all", "none"]
"""What is done about periods that passed while nobody could fire: one run for all of them, a run
for each, or no run."""


class KeptCall(msgspec.Struct, frozen=True, array_like=True):
    """A call as a timer keeps it.

    Attributes:
        component, entity, method: whom it asks what; `entity` is "" for an action.
        payload: the arguments in msgpack.
        is_query: it only reads.
        metadata: for the handler.
        key: idempotency key that the caller gave it, or ""; of one that is made once.
        timeout_ms: of each attempt, 0 for the usual one.
    """

    component: str
    entity: str
    method: str
    payload: bytes
    is_query: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    key: str = ""
    timeout_ms: int = 0


class Plan(msgspec.Struct, frozen=True, array_like=True):
    """What a timer is to do; the payload of `start`. One of three times is given.

    Attributes:
        call: the call.
        after_ms: once, that much later; 1 and up.
        every_ms: again and again, that far apart; 1 and up.
        cron, zone: by a cron line, in the time of a zone.
        max_retries: attempts after a firing's first one; -1 is without end.
        catch_up: see `CatchUp`.
    """

    call: KeptCall
    after_ms: int = 0
    every_ms: int = 0
    cron: str = ""
    zone: str = "UTC"
    max_retries: int = -1
    catch_up: CatchUp = "one"


class Timer(msgspec.Struct, frozen=True, array_like=True):
    """A timer as it is stored.

    Attributes:
        plan: what it is to do.
        started_ms, nth: its generation.
        due_ms: when the firing that comes next was planned for; attempts do not move it.
        number: of that firing, from 1.
        attempt: attempts of it that have failed.
        refused: those of them that ended with a domain error.
        failure: how the last of them ended, or "".
        failed_ms: when.
    """

    plan: Plan
    started_ms: int
    nth: int
    due_ms: int
    number: int = 1
    attempt: int = 0
    refused: int = 0
    failure: str = ""
    failed_ms: int = 0


class Waiting(msgspec.Struct, frozen=True):
    """A timer between two messages.

    Attributes:
        name: its name.
        timer: what is stored, None where there is none.
        number, version, incarnation: as every actor has them.
        look_ms: when it is looked at: `due_ms`, or the next attempt.
    """

    name: str
    timer: Timer | None = None
    number: int = 0
    version: int = 0
    incarnation: int = 0
    look_ms: int = 0


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """Reply to `get`: a timer, and when it is looked at."""

    timer: Timer
    look_ms: int


class TimerBehavior:
    """`Behavior[Waiting]` of the component `TIMER`."""

    fires = True

    def __init__(self, limits: Limits) -> None:
        self._bytes_max = limits.payload_bytes_max

    def empty(self, entity: str) -> Waiting:
        """A name without a timer."""
        return Waiting(entity)

    def restore(self, entity: str, history: History) -> Waiting:
        """The timer of the newest record."""
        head = history.head
        timer = decoded(history.records[-1].record.payload) if history.records else None
        return Waiting(entity, timer, head.number, head.version, head.incarnation, head.expires_ms)

    def version(self, instance: Waiting) -> int:
        """Number of records it rests on."""
        return instance.version

    def snapshot(self, instance: Waiting) -> Snapshot:
        """Its bytes; none is ever due."""
        payload = _ENCODER.encode(instance.timer)
        return Snapshot(instance.incarnation, instance.number, 0, payload)

    def key_hash(self, message: Message) -> bytes:
        """16 bytes for a key; nobody tells timers anything under one."""
        return digest(message.key.encode())

    def remembered(self, message: Message, reply: bytes) -> Reply:
        """Nothing is remembered: starting twice is starting."""
        raise AssertionError(f"a timer was told {message.method!r} under a key")

    def step(self, instance: Waiting, message: Message, now_ms: int) -> Step[Waiting]:
        """Handle one message; see the head of this file.

        Raises:
            BehaviorError: `start` of what is no plan, or an unknown method.
        """
        if message.kind is MessageKind.EXPIRE:
            return self._expire(instance, now_ms)
        if message.kind is MessageKind.CLEAN:
            return _unchanged(instance)
        if message.method == FIRED:
            return self._fired(instance, _OUTCOME.decode(message.payload), now_ms)
        if message.method == START:
            return self._start(instance, message, now_ms)
        if message.method == CANCEL:
            if instance.timer is None:
                return _unchanged(instance, False)
            return _gone(instance, now_ms, True)
        if message.method == GET:
            timer = instance.timer
            return _unchanged(instance, None if timer is None else Seen(timer, instance.look_ms))
        raise refusal(UnknownRoute(f"{TIMER} has no handler {message.method!r}"))

    # ---- beginning -------------------------------------------------------------------------------
    def _start(self, instance: Waiting, message: Message, now_ms: int) -> Step[Waiting]:
        size = len(message.payload)
        if size > self._bytes_max:
            error = f"a timer's call of {size} bytes, payload_bytes_max is {self._bytes_max}"
            raise refusal(PayloadTooLarge(error))
        try:
            plan = _PLAN.decode(message.payload)
            due_ms = _first(plan, now_ms)
        except msgspec.MsgspecError as problem:
            raise refusal(InvalidPayload(f"a timer's plan: {problem}")) from problem
        except InvalidTimer as problem:
            raise refusal(problem) from problem
        before = instance.timer
        nth = before.nth + 1 if before is not None and before.started_ms == now_ms else 0
        return _stored(instance, Timer(plan, now_ms, nth, due_ms), due_ms, now_ms, due_ms)

    # ---- firing ----------------------------------------------------------------------------------
    def _expire(self, instance: Waiting, now_ms: int) -> Step[Waiting]:
        timer = instance.timer
        if timer is None or now_ms < instance.look_ms:
            return _unchanged(instance)
        if timer.plan.catch_up == "none" and not timer.plan.after_ms and not timer.attempt:
            following_ms = _following(timer.plan, timer.due_ms)
            if following_ms <= now_ms:
                due_ms = _beyond(timer.plan, timer.due_ms, now_ms)
                return _stored(instance, _next(timer, due_ms), due_ms, now_ms)
        firing = Firing(call_of(instance.name, timer, now_ms), _token(timer))
        return Step(instance, (), Reply(_ENCODER.encode(firing)))

    def _fired(self, instance: Waiting, outcome: Outcome, now_ms: int) -> Step[Waiting]:
        timer = instance.timer
        if timer is None or outcome.token != _token(timer):
            return _unchanged(instance, Settled(dropped=True))
        if outcome.failure is None:
            return self._go_on(instance, timer, now_ms)
        attempt = timer.attempt + 1
        if 0 <= timer.plan.max_retries < attempt:
            return self._go_on(instance, timer, now_ms, attempt)
        failed = msgspec.structs.replace(
            timer,
            attempt=attempt,
            refused=timer.refused + (outcome.failure.number == CommandError.number),
            failure=_reason(outcome.failure),
            failed_ms=now_ms,
        )
        look_ms = now_ms + backoff_ms(attempt)
        return _stored(instance, failed, look_ms, now_ms, Settled(look_ms, attempt))

    def _go_on(
        self, instance: Waiting, timer: Timer, now_ms: int, attempt: int = 0
    ) -> Step[Waiting]:
        """A firing is over: done, or given up after an attempt."""
        plan, given_up = timer.plan, attempt > 0
        if plan.after_ms:
            return _gone(instance, now_ms, Settled(0, attempt, given_up))
        if plan.catch_up == "all":
            due_ms = _following(plan, timer.due_ms)
        else:
            due_ms = _beyond(plan, timer.due_ms, now_ms)
        settled = Settled(due_ms, attempt, given_up)
        return _stored(instance, _next(timer, due_ms), due_ms, now_ms, settled)


def call_of(name: str, timer: Timer, now_ms: int) -> Message:
    """The message of a timer's next firing."""
    call = timer.plan.call
    generation = f"{timer.started_ms}.{timer.nth}.{timer.number}"
    firing = digest(name.encode(), generation.encode()).hex()
    own = call.key and (not timer.refused or call.key.startswith(DERIVED))
    return Message(
        MessageKind.QUERY if call.is_query else MessageKind.COMMAND,
        call.component,
        call.entity,
        call.method,
        call.payload,
        Encoding.MSGPACK,
        Encoding.MSGPACK,
        call.key if own else f"{TIMER}-{firing}",
        call.metadata,
        f"timer-{firing[:16]}-{timer.attempt + 1}",
        now_ms + call.timeout_ms if call.timeout_ms else 0,
    )


def backoff_ms(attempt: int) -> int:
    """Wait after a failed attempt, 1 and up, in milliseconds (TI-04)."""
    return min(BACKOFF_MS << min(attempt - 1, 8), BACKOFF_MS_MAX)


def decoded(payload: bytes) -> Timer:
    """The timer of a stored record."""
    return _TIMER.decode(payload)


# ---- times ---------------------------------------------------------------------------------------
def _first(plan: Plan, now_ms: int) -> int:
    if plan.cron:
        return cron.next_after(plan.cron, plan.zone, now_ms)
    wait_ms = plan.after_ms or plan.every_ms
    if wait_ms < 1 or plan.max_retries < -1:
        raise refusal(InvalidPayload("a timer's plan: a time or a number out of range"))
    return now_ms + wait_ms


def _following(plan: Plan, due_ms: int) -> int:
    """The period after one."""
    if plan.cron:
        return cron.next_after(plan.cron, plan.zone, due_ms)
    return due_ms + plan.every_ms


def _beyond(plan: Plan, due_ms: int, now_ms: int) -> int:
    """The first period after now; there was one at `due_ms`."""
    if plan.cron:
        return cron.next_after(plan.cron, plan.zone, max(due_ms, now_ms))
    passed = max(0, now_ms - due_ms) // plan.every_ms
    return due_ms + (passed + 1) * plan.every_ms


# ---- steps ---------------------------------------------------------------------------------------
def _next(timer: Timer, due_ms: int) -> Timer:
    """The same before its next firing."""
    return Timer(timer.plan, timer.started_ms, timer.nth, due_ms, timer.number + 1)


def _token(timer: Timer) -> bytes:
    return b"%d.%d.%d" % (timer.started_ms, timer.nth, timer.number)


def _reason(failure: Failure) -> str:
    return f"{failure.number} {failure.message}"[:REASON_CHARACTERS_MAX]


def _unchanged(instance: Waiting, answer: object = None) -> Step[Waiting]:
    return Step(instance, (), Reply(b"" if answer is None else _ENCODER.encode(answer)))


def _stored(
    instance: Waiting, timer: Timer, look_ms: int, now_ms: int, answer: object = None
) -> Step[Waiting]:
    """It waits on, in the store alone: nothing of it stays in memory."""
    changed = Waiting(
        instance.name,
        timer,
        instance.number + 1,
        instance.version + 1,
        instance.incarnation,
        look_ms,
    )
    record = Record(
        *(RecordKind.STATE, TIMER, instance.name, changed.number, now_ms),
        payload=_ENCODER.encode(timer),
        expires_ms=look_ms,
    )
    reply = Reply(b"" if answer is None else _ENCODER.encode(answer))
    return Step(changed, (record,), reply, forget=True)


def _gone(instance: Waiting, now_ms: int, answer: object) -> Step[Waiting]:
    record = Record(RecordKind.CLEANED, TIMER, instance.name, instance.number, now_ms)
    reply = Reply(_ENCODER.encode(answer))
    return Step(Waiting(instance.name), (record,), reply, forget=True)


_ENCODER = msgspec.msgpack.Encoder()
_PLAN = msgspec.msgpack.Decoder(Plan)
_TIMER = msgspec.msgpack.Decoder(Timer)
_OUTCOME = msgspec.msgpack.Decoder(Outcome)
