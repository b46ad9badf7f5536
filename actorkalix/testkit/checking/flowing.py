"""Rules of workflows: over their records, and over who ran which step when."""

from __future__ import annotations

from collections.abc import Iterator

from actorkalix.engine.workflow_control import BUSY, OVER, Control, Did, Entry, Kept, Status
from actorkalix_cluster.shardhost.outgoing import unpack_messages

from .evidence import Evidence, Execution, Flowed
from .verdicts import Finding

_GOES_ON = (Status.NEW, Status.PAUSED, Status.WAITING)
_LIVES = tuple(status for status in Status if status not in OVER)
_MAY: dict[Did, tuple[Status, ...]] = {
    Did.COMMAND: _GOES_ON,
    Did.COMPLETED: BUSY,
    Did.ATTEMPT_FAILED: BUSY,
    Did.GAVE_UP: BUSY,
    Did.UNDONE: BUSY,
    Did.CHILD_STARTED: BUSY,
    Did.PAUSE_OVER: (Status.PAUSED,),
    Did.WAKE_FAILED: (Status.PAUSED,),
    Did.EXPIRED: OVER,
    Did.WAIT_OVER: (Status.WAITING,),
    Did.RESOLVED: _LIVES,
    Did.CHILD_ENDED: _LIVES,
    Did.TIMED_OUT: _LIVES,
    Did.SUSPENDED: tuple({*_LIVES} - {Status.NEW, Status.SUSPENDED}),
    Did.RESUMED: (Status.SUSPENDED,),
    Did.TERMINATED: _LIVES,
    Did.RESTARTED: tuple({*Status} - {Status.NEW, Status.DELETED}),
}
"""In which status something may happen."""
_RESULTS = (Did.COMPLETED, Did.ATTEMPT_FAILED, Did.GAVE_UP, Did.UNDONE, Did.CHILD_STARTED)
_TIMED = (Did.PAUSE_OVER, Did.WAIT_OVER, Did.WAKE_FAILED, Did.EXPIRED)
_STEPS = (Did.COMPLETED, Did.ATTEMPT_FAILED, Did.GAVE_UP)


# ---- records -------------------------------------------------------------------------------------
def records_follow(evidence: Evidence, findings: list[Finding]) -> int:
    """Each record of a workflow may follow the one before it.

    Nothing but results comes while a step runs, and only that of the newest execution; attempts
    are counted without a gap, restarts of hosts or not; a pause or a wait ends once, in its time;
    an undo call is done once; after an end nothing comes but a restart.
    """
    lives: dict[tuple[str, str, int, int], list[Flowed]] = {}
    for flowed in evidence.flows:
        stored = flowed.stored
        life = (stored.component, stored.entity, stored.lineage, stored.incarnation)
        lives.setdefault(life, []).append(flowed)
    for flows in lives.values():
        flows.sort(key=lambda flowed: flowed.stored.offset)
        for flowed, said in _Life().look(flows):
            stored = flowed.stored
            findings.append(Finding(f"{stored}: {said}", stored.component, stored.entity))
    return len(evidence.flows)


class _Life:
    """A workflow's records, looked at in order."""

    def __init__(self) -> None:
        self._control = Control()
        self._kept = Kept()
        self._failed: dict[int, int] = {}  # attempts of an activity
        self._undone: set[str] = set()  # by their keys

    def look(self, flows: list[Flowed]) -> Iterator[tuple[Flowed, str]]:
        for flowed in flows:
            entry = flowed.entry
            if entry is None:
                yield flowed, "it cannot be read"
                return
            for said in self._problems(entry, flowed.time_ms):
                yield flowed, said
            self._control = entry.control
            self._kept = entry.kept or self._kept

    def _problems(self, entry: Entry, time_ms: int) -> Iterator[str]:
        before, did = self._control, entry.did
        deletes = did is Did.COMMAND and entry.control.status is Status.DELETED
        if before.status not in _MAY[did] and not (deletes and before.status in OVER):
            yield f"{did.name} while it is {before.status.name}"
        if did in _RESULTS:
            if entry.run != before.run:
                yield f"{did.name} by execution {entry.run}, the newest is {before.run}"
            if before.at_ms > time_ms:
                yield f"{did.name} {before.at_ms - time_ms} ms before its time"
            yield from self._attempts(entry, before.number)
        if did is Did.RESTARTED:
            self._failed.pop(entry.control.number, None)  # its attempts are counted anew
        if did in _TIMED and not 0 < before.at_ms <= time_ms:
            yield f"{did.name} though its time has not come, or has been"
        if did is Did.TIMED_OUT and not 0 < before.deadline_ms <= time_ms:
            yield "TIMED_OUT though its time has not come, or has been"
        if did is Did.UNDONE:
            yield from self._undo(entry)

    def _attempts(self, entry: Entry, number: int) -> Iterator[str]:
        failed = self._failed.get(number, 0)
        if entry.attempt != failed + 1:
            yield f"attempt {entry.attempt} of activity {number}, {failed} have failed"
        if entry.did in (Did.UNDONE, Did.CHILD_STARTED):
            self._failed[number] = 0  # the next call of the same activity
        elif entry.did is not Did.COMPLETED:
            self._failed[number] = failed + 1

    def _undo(self, entry: Entry) -> Iterator[str]:
        before = self._kept.undo
        after = self._kept.undo if entry.kept is None else entry.kept.undo
        if not before or after != before[:-1]:
            yield f"UNDONE leaves {len(after)} undo calls of {len(before)}"
        if before:
            key = unpack_messages(before[-1])[0].key
            if key in self._undone:
                yield "an undo call is done twice"
            self._undone.add(key)


# ---- executions ----------------------------------------------------------------------------------
def steps_follow_records(evidence: Evidence, findings: list[Finding]) -> int:
    """A step begins when what leads to it is stored; its result comes of an execution."""
    ran: dict[tuple[str, str, int, int], list[Execution]] = {}
    for execution in evidence.executions:
        whose = (execution.component, execution.entity)
        ran.setdefault((*whose, execution.number, execution.attempt), []).append(execution)
        if not execution.durable:
            what = f"step {execution.step!r}, number {execution.number}"
            text = f"{what} of {whose} began before what leads to it was stored"
            findings.append(Finding(text, *whose))
    before: dict[tuple[str, str], Control] = {}
    for flowed in evidence.flows:
        stored, entry = flowed.stored, flowed.entry
        whose = (stored.component, stored.entity)
        number = before.get(whose, Control()).number
        if entry is not None and entry.step and entry.did in _STEPS:
            runs = ran.get((*whose, number, entry.attempt), [])
            wanted = "handled" if entry.did is Did.COMPLETED else "failed"
            if not any(each.outcome == wanted for each in runs):
                text = f"{stored}: {entry.did.name} attempt {entry.attempt} of {entry.step!r}"
                findings.append(Finding(f"{text}, and none such has {wanted}", *whose))
        if entry is not None:
            before[whose] = entry.control
    return len(evidence.executions) + len(evidence.flows)
