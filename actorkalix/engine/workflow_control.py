"""Where a workflow stands between two messages, and the table of what it takes there.

Theory of operation. A workflow is a state of the user's and a `Control` of ours; each record of it
is an `Entry`: what happened, and the control afterwards, whole. So coming back from storage is
reading the newest control and the newest state, without any logic, and the log is the timeline.
What a record rarely changes (`Kept`: promises, undo calls, children) is in it only then.

    status       at work                                  time that counts (`at_ms`)
    NEW          nothing yet                              -
    RUNNING      an activity: a step, an undo call,       not before it
                 a call that starts a child
    RETRYING     the same after a failed attempt          the next attempt
    PAUSED       -                                        the end of the pause, 0 for none
    WAITING      - (for promises)                         the end of the wait, 0 for none
    SUSPENDED    - (`within` says what it resumes)        none, but the others go on meanwhile
    ENDED FAILED TIMED_OUT TERMINATED                     when it is deleted, 0 for never
    DELETED                                               none

Executions. Whenever an activity is to be run, `run` is one higher: token and execution belong
together, so the result of one that was suspended, terminated, timed out or superseded meanwhile
finds another number and is dropped (number 5 of the ten hardest). `number` counts the activities
that were entered; it stays from attempt to attempt, and so do the keys of the calls.

The workflow's timeout (`deadline_ms`) is a time on the wall, whatever the status. Of a suspended
workflow it waits for the resume if a step is to follow it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from actorkalix_cluster.shardhost.fired import FIRED
from actorkalix_cluster.shardhost.messages import MessageKind

from .instance import Instance
from .workflow_messages import CHILD_ENDED, NOTES, STATUS, Parent, PublicStatus

Notes: TypeAlias = tuple[tuple[int, tuple[bytes, ...]], ...]
"""Numbers of records, each with what it tells those who listen."""


class Status(enum.IntEnum):
    """See the head of this file. A number once released never changes its meaning."""

    NEW = 0
    RUNNING = 1
    RETRYING = 2
    PAUSED = 3
    WAITING = 4
    SUSPENDED = 5
    ENDED = 6
    FAILED = 7
    TIMED_OUT = 8
    TERMINATED = 9
    DELETED = 10


class Ask(enum.Enum):
    """What may come to a workflow."""

    COMMAND = "command"
    QUERY = "query"
    STATUS = "status"
    DUE = "due"
    RESULT = "result"
    SUSPEND = "suspend"
    RESUME = "resume"
    TERMINATE = "terminate"
    RESTART = "restart"
    RESOLVE = "resolve"
    CHILD = "child"
    CLEAN = "clean"


class Act(enum.Enum):
    """What is done about it."""

    HANDLE = "handle"  # run the handler; its changes are stored
    READ = "read"  # run the handler; what it would change is refused
    HOLD = "hold"  # it waits until the activity is over (WF-13)
    TELL = "tell"  # the status
    RUN = "run"  # give the activity out, if it is its time
    PASS = "pass"  # time: a pause or a wait is over, if it is
    TAKE = "take"  # the result, if it is of the newest execution
    STOP = "stop"  # suspend
    RESUME = "resume"
    END = "end"  # terminate
    RESTART = "restart"
    KEEP = "keep"  # the promise's value, or the child's end
    EXPIRE = "gone"  # delete it, if it is its time
    CLEAN = "clean"
    REFUSE = "refuse"  # an error: it is over
    NOTHING = "-"  # not applicable: no change, no error


def _table() -> Mapping[tuple[Status, Ask], Act]:
    text = """
               command query status due  result suspend resume terminate restart resolve child clean
    NEW         handle  read  tell   -    -      -       -      end       refuse  keep    -     -
    RUNNING     hold    read  tell   run  take   stop    -      end       restart keep    keep  -
    RETRYING    hold    read  tell   run  take   stop    -      end       restart keep    keep  -
    PAUSED      handle  read  tell   pass -      stop    -      end       restart keep    keep  -
    WAITING     handle  read  tell   pass -      stop    -      end       restart keep    keep  -
    SUSPENDED   read    read  tell   pass -      -       resume end       restart keep    keep  -
    ENDED       read    read  tell   gone -      -       -      -         restart refuse  -     -
    FAILED      read    read  tell   gone -      -       -      -         restart refuse  -     -
    TIMED_OUT   read    read  tell   gone -      -       -      -         restart refuse  -     -
    TERMINATED  read    read  tell   gone -      -       -      -         restart refuse  -     -
    DELETED     read    read  tell   -    -      -       -      -         refuse  refuse  -   clean
    """
    rows = [line.split() for line in text.strip().splitlines()]
    asks = [Ask(name) for name in rows[0]]
    return {
        (Status[row[0]], ask): Act(act)
        for row in rows[1:]
        for ask, act in zip(asks, row[1:], strict=True)
    }


TABLE: Mapping[tuple[Status, Ask], Act] = _table()
"""What is done about a message in a status. DUE and time: the workflow's timeout comes first."""

_CONTROLS: Mapping[str, Ask] = {
    "suspend": Ask.SUSPEND,
    "resume": Ask.RESUME,
    "terminate": Ask.TERMINATE,
    "restart": Ask.RESTART,
    "resolve": Ask.RESOLVE,
    CHILD_ENDED: Ask.CHILD,
    FIRED: Ask.RESULT,
}

OVER = (Status.ENDED, Status.FAILED, Status.TIMED_OUT, Status.TERMINATED, Status.DELETED)
BUSY = (Status.RUNNING, Status.RETRYING)

_PUBLIC: dict[Status, PublicStatus] = {
    Status.NEW: "not_started",
    Status.RUNNING: "running",
    Status.RETRYING: "retrying",
    Status.PAUSED: "paused",
    Status.WAITING: "waiting",
    Status.SUSPENDED: "suspended",
    Status.ENDED: "ended",
    Status.FAILED: "failed",
    Status.TIMED_OUT: "timed_out",
    Status.TERMINATED: "terminated",
    Status.DELETED: "deleted",
}


def public(status: Status) -> PublicStatus:
    """How a status is called outside."""
    return _PUBLIC[status]


class Activity(enum.IntEnum):
    """What runs while a workflow is RUNNING or RETRYING."""

    STEP = 0
    UNDO = 1  # the newest undo call; when none is left, `then` or the end `goal`
    CHILD = 2  # the first of the calls that start children; then it waits for their ends


class Control(msgspec.Struct, frozen=True, array_like=True):
    """Our part of a workflow.

    Attributes:
        status: see the head of this file.
        within: of SUSPENDED: the status before. Of an end: RUNNING or RETRYING where it came upon
            an activity that was not completed.
        born_ms: time of the first record; names this life.
        run, number: see "Executions" at the head.
        activity: what is run.
        step, arguments: the step that is run or was run last, and its input.
        entered_ms: when the activity was entered.
        at_ms: see the head.
        failures: failed attempts of the activity.
        failure: how the last of them ended, or "".
        then: PAUSED: step after the pause. WAITING: step that gets the values. UNDO: step after it.
        late: WAITING: step after the end of the wait. PAUSED: command to run instead of a step.
        promises: WAITING: for all of these, in the order in which the step gets them.
        single: WAITING: the step gets one value, not a list.
        reason: of the pause, suspension or end.
        goal: of UNDO without `then`: the end that it comes to.
        deadline_ms: the workflow's timeout, 0 for none and once it has passed.
        last: the step that follows the workflow's timeout is on its way; it can only end.
        held: reason of what was suspended.
        quiet_ms: of what is over: until then calls of what was cut off may take effect.
    """

    status: Status = Status.NEW
    within: Status = Status.NEW
    born_ms: int = 0
    run: int = 0
    number: int = 0
    activity: Activity = Activity.STEP
    step: str = ""
    arguments: bytes = b""
    entered_ms: int = 0
    at_ms: int = 0
    failures: int = 0
    failure: str = ""
    then: str = ""
    late: str = ""
    promises: tuple[str, ...] = ()
    single: bool = False
    reason: str = ""
    goal: Status = Status.ENDED
    deadline_ms: int = 0
    last: bool = False
    held: str = ""
    quiet_ms: int = 0


class Child(msgspec.Struct, frozen=True, array_like=True):
    """A workflow that this one has started, or is to start.

    Attributes:
        component, entity: it.
        start: the message that starts it, packed; b"" once that is done.
        ended: its end was told, or it never began.
    """

    component: str
    entity: str
    start: bytes = b""
    ended: bool = False


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a workflow keeps from step to step.

    Attributes:
        opened: promises that may be resolved.
        values: of those that were and are not used yet, in JSON.
        undo: calls that undo what was done, each packed alone with its key, oldest first.
        children: in the order of their start.
        parent: who started it.
    """

    opened: tuple[str, ...] = ()
    values: Mapping[str, bytes] = {}
    undo: tuple[bytes, ...] = ()
    children: tuple[Child, ...] = ()
    parent: Parent | None = None


class Did(enum.IntEnum):
    """What an entry tells of. A number once released never changes its meaning."""

    COMMAND = 1  # a command changed state or course; `what` is its name
    COMPLETED = 2  # a step: with its transition
    ATTEMPT_FAILED = 3
    GAVE_UP = 4  # an attempt failed for the last time: what follows is in the control
    PAUSE_OVER = 5
    WAIT_OVER = 6  # without the promise
    RESOLVED = 7  # `what` is the promise
    TIMED_OUT = 8  # the workflow
    SUSPENDED = 9
    RESUMED = 10
    TERMINATED = 11
    RESTARTED = 12
    UNDONE = 13  # an undo call; `what` is whom it called
    CHILD_STARTED = 14  # `what` is "component/id"
    CHILD_ENDED = 15
    EXPIRED = 16  # it has ended long ago, and is deleted
    WAKE_FAILED = 17  # the command at the end of a pause, `what`: it is run again


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """The payload of a workflow's record (of the kind `EVENT`).

    Attributes:
        did: what happened.
        control: after it.
        state: the new state as it is stored, None where it is as before.
        kept: what is kept after it, None where it is as before.
        what: see `Did`.
        step, attempt: that completed or failed.
        began_ms, ended_ms: of that attempt; the record's time is `ended_ms` too.
        run: number of its execution, see `Control`.
        failure: how it ended, or "".
    """

    did: Did
    control: Control
    state: bytes | None = None
    kept: Kept | None = None
    what: str = ""
    step: str = ""
    attempt: int = 0
    began_ms: int = 0
    ended_ms: int = 0
    failure: str = ""
    run: int = 0
    notes: tuple[bytes, ...] = ()


class Folded(msgspec.Struct, frozen=True, array_like=True):
    """The payload of a workflow's snapshot."""

    control: Control
    kept: Kept
    state: bytes | None = None
    inputs: Mapping[str, bytes] = {}


class Flow(Instance, frozen=True):
    """A workflow between two messages. Immutable: a step makes a new one.

    Attributes:
        control: our part.
        kept: what it keeps.
        stored: the state as it is stored; None where there is none.
        inputs: with which each step was entered the last time, by its name.
        doubtful: it came from storage with an activity under way, or that was cut off: an execution
            before may have made calls of which nobody knows.
        notes: what it has told of late, by the records that tell it.
        notes_since: notes of all records after this one are there.
    """

    control: Control = Control()
    kept: Kept = Kept()
    stored: bytes | None = None
    inputs: Mapping[str, bytes] = {}
    doubtful: bool = False
    notes: Notes = ()
    notes_since: int = 0


_KINDS: Mapping[MessageKind, Ask] = {
    MessageKind.COMMAND: Ask.COMMAND,
    MessageKind.QUERY: Ask.QUERY,
    MessageKind.EXPIRE: Ask.DUE,
    MessageKind.CLEAN: Ask.CLEAN,
}


def asked(kind: MessageKind, method: str) -> Ask | None:
    """What a message is; None where it is a control that nobody knows."""
    if kind is MessageKind.CONTROL:
        return _CONTROLS.get(method)
    return Ask.STATUS if method in (STATUS, NOTES) else _KINDS.get(kind)


def expires_ms(control: Control, now_ms: int) -> int:
    """When the store is to say that something is due, 0 for never."""
    status = control.status
    if status in OVER or status is Status.NEW:
        return control.at_ms
    times = [control.at_ms or now_ms if status in BUSY else control.at_ms]
    if status is Status.SUSPENDED:
        times = []
    times.append(control.deadline_ms)
    return min((time for time in times if time), default=0)


def token_of(control: Control) -> bytes:
    """Names the newest execution of the activity."""
    return b"%d.%d" % (control.born_ms, control.run)


def run_of(token: bytes) -> int:
    """Number of the execution that a token names."""
    return int(token.rpartition(b".")[2] or 0)


def entry_of(payload: bytes) -> Entry:
    """What a record tells.

    Raises:
        msgspec.MsgspecError: it is no entry.
    """
    return _entry.decode(payload)


def pack(value: Entry | Folded) -> bytes:
    """The bytes of an entry or a snapshot."""
    return _encoder.encode(value)


def folded_of(payload: bytes) -> Folded:
    """What a snapshot holds.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _folded.decode(payload)


_encoder = msgspec.msgpack.Encoder()
_entry = msgspec.msgpack.Decoder(Entry)
_folded = msgspec.msgpack.Decoder(Folded)
