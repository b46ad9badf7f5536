"""What is said to workflows, of them, and to whoever runs their steps: plain values.

    to a workflow                     payload                 answer
    COMMAND, QUERY   a handler        its arguments           its reply
    CONTROL          `CONTROLS`       their arguments         its status (`PublicStatus`)
    CONTROL          CHILD_ENDED      `ChildNotice`           nothing (from a child, never a client)
    QUERY            STATUS           -                       `WorkflowStatus`
    QUERY            NOTES            -                       `Heard`

    to the runner of steps
    STEP             the step's name  `StepInput`             `StepOutcome`

The controls are those of `model.workflows`: suspend, resume, terminate, restart, resolve. They do
not wait for a running step, as commands do (WF-13). The answer to STATUS is in the encoding that
the message accepts, what is between us in MessagePack.

A runner always answers a STEP message with a `StepOutcome`, also when the attempt failed. A failure
instead of it says that the attempt was not begun: it does not count, and is made again.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from actorkalix_cluster.shardhost.messages import Failure

CHILD_ENDED = "~child"
STATUS = "~status"
NOTES = "~notes"
"""Methods; handlers begin with a letter."""

PARENT = "ak-parent"
"""Metadata that a workflow gives the command with which it starts a child: `Parent` as JSON."""

PublicStatus: TypeAlias = Literal[
    "not_started",
    "running",  # a step, an undo call, or a call that starts a child
    "retrying",  # the same, and it waits for the next attempt
    "paused",
    "waiting",  # for a promise, or for children
    "suspended",
    "ended",
    "failed",
    "timed_out",
    "terminated",
    "deleted",
]


# ---- between workflows, and for those who look ---------------------------------------------------
class ChildNotice(msgspec.Struct, frozen=True, array_like=True):
    """How a child has ended: to its parent.

    Attributes:
        component, entity: the child.
        status, reason: of its end.
        state: its last state in JSON, b"" for none.
    """

    component: str
    entity: str
    status: str
    reason: str = ""
    state: bytes = b""


class Parent(msgspec.Struct, frozen=True):
    """Who started a workflow as its child.

    Attributes:
        component, entity: the parent.
    """

    component: str
    entity: str


class WorkflowStatus(msgspec.Struct, frozen=True):
    """Where a workflow stands.

    Attributes:
        status: see `PublicStatus`.
        step: that runs, or ran last; "" before the first.
        number: of steps entered so far.
        attempt: of the step, from 1; of a pause, how often the command at its end has failed;
            else 0.
        failure: how the attempt before ended, or "".
        next_ms: when something is due: the next attempt, or the end of a pause; 0 for never.
        deadline_ms: when the workflow times out, 0 for never.
        started_ms: time of its first change, 0 before.
        reason: of its pause, suspension or end, or "".
        suspended_in: status to which resuming leads back, or "".
        promises: that it waits for.
        undo: undo calls that are registered.
        children: "component/id" of children that have not ended.
        parent: "component/id", or "".
        sequence_number: of its newest record.
    """

    status: PublicStatus
    step: str = ""
    number: int = 0
    attempt: int = 0
    failure: str = ""
    next_ms: int = 0
    deadline_ms: int = 0
    started_ms: int = 0
    reason: str = ""
    suspended_in: str = ""
    promises: tuple[str, ...] = ()
    undo: int = 0
    children: tuple[str, ...] = ()
    parent: str = ""
    sequence_number: int = 0


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """What a workflow has told of late.

    Attributes:
        life: names this life of the id; 0 before it was started.
        number: of its newest record.
        since: notes of all records after this one are here; those before may be gone.
        over: it has ended.
        notes: numbers of records, each with its notes in MessagePack.
    """

    life: int
    number: int
    since: int
    over: bool
    notes: tuple[tuple[int, tuple[bytes, ...]], ...]


# ---- steps ---------------------------------------------------------------------------------------
class StepInput(msgspec.Struct, frozen=True, array_like=True):
    """An attempt of a step. Its message has the key that all attempts of it share, and the deadline
    of this one.

    Attributes:
        arguments: the step's input in MessagePack, b"" for none.
        state: the workflow's state as it is stored, None where there is none yet.
        number: of the step among those entered, from 1.
        attempt: from 1.
        sequence_number: of the workflow's newest record.
        timeout_ms: how long the attempt may take; where it has to wait for a process in which to
            run, the message's deadline says until when it may begin, and this counts from then on.
    """

    arguments: bytes = b""
    state: bytes | None = None
    number: int = 1
    attempt: int = 1
    sequence_number: int = 0
    timeout_ms: int = 0


class GoTo(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A step comes next, with its input in MessagePack."""

    step: str
    arguments: bytes = b""


class PauseFor(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """It waits for a command.

    Attributes:
        reason: for those who look.
        timeout_ms: how long at most, 0 for ever.
        step: what comes then, or "".
        command: command that is run instead, or "".
    """

    reason: str = ""
    timeout_ms: int = 0
    step: str = ""
    command: str = ""


class WaitOn(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """It waits for a promise; `then` gets the value, after `timeout_ms` (not 0) comes `late`."""

    promise: str
    then: str
    timeout_ms: int = 0
    late: str = ""


class StartAll(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """It starts children and waits for their ends.

    Attributes:
        calls: messages that start them, each packed alone.
        then: step that gets how they ended: of the only one if `single`, else a list.
        single: see there.
    """

    calls: tuple[bytes, ...]
    then: str
    single: bool = False


class UndoAll(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """It makes the registered undo calls, the newest first; then comes a step, or the end ("")."""

    then: str = ""
    reason: str = ""


class Finish(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """It is done."""

    reason: str = ""
    delete: bool = False


WireNext: TypeAlias = GoTo | PauseFor | WaitOn | StartAll | UndoAll | Finish


class StepFailed(msgspec.Struct, frozen=True, array_like=True):
    """An attempt failed.

    Attributes:
        failure: what is shown of it.
        classes: names of the exception's class and of its bases, to be compared with the errors
            that are final.
    """

    failure: Failure
    classes: tuple[str, ...] = ()


class StepOutcome(msgspec.Struct, frozen=True, array_like=True):
    """What a command or an attempt of a step has decided.

    Attributes:
        next: what comes next; None only where a command lets it stay where it is, or with `failed`.
        state: the new state as it is stored, None: as it was.
        undo: messages that undo what was done, each packed alone, in the order of registration.
        side_effects: messages to send once all is durable, packed; b"" for none.
        promises: names that may be resolved from now on.
        failed: the attempt failed; of the rest only `undo` counts then.
        calls_until_ms: until then calls of it may still take effect whose answers nobody has seen;
            0 when there are none.
        notes: what those are told who listen, each in MessagePack.
    """

    next: WireNext | None = None
    state: bytes | None = None
    undo: tuple[bytes, ...] = ()
    side_effects: bytes = b""
    promises: tuple[str, ...] = ()
    failed: StepFailed | None = None
    calls_until_ms: int = 0
    notes: tuple[bytes, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_input = msgspec.msgpack.Decoder(StepInput)
_outcome = msgspec.msgpack.Decoder(StepOutcome)


def pack_input(given: StepInput) -> bytes:
    """The payload of a STEP message."""
    return _encoder.encode(given)


def unpack_input(payload: bytes) -> StepInput:
    """The attempt that a STEP message is about.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _input.decode(payload)


def pack_outcome(outcome: StepOutcome) -> bytes:
    """The payload of the answer to a STEP message."""
    return _encoder.encode(outcome)


def unpack_outcome(payload: bytes) -> StepOutcome:
    """What an attempt has decided.

    Raises:
        msgspec.MsgspecError: it is no outcome.
    """
    return _outcome.decode(payload)
