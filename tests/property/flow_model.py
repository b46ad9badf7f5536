"""A small reference model of a workflow.

The model knows nothing of records, tokens and deadlines of calls. It says what a workflow is at,
and which of the executions that were given out counts; when exactly something waits a little longer
than it has to is left to the engine, within bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from actorkalix.engine.workflow_messages import Finish, GoTo, PauseFor, WaitOn

TIMEOUTS = {"plain": 5_000, "thrice": 2_000, "undoing": 3_000, "deadly": 5_000, "heard": 5_000}
RETRIES = {"plain": -1, "thrice": 2, "undoing": 1, "deadly": 5, "heard": -1}
FIRST_WAIT = {"plain": 3_000, "thrice": 1_000, "undoing": 1_000, "deadly": 1_000, "heard": 3_000}
LONGEST_WAIT = {step: 8 * first if first == 1_000 else 30_000 for step, first in FIRST_WAIT.items()}
OVER = ("ended", "failed", "timed_out", "terminated", "deleted")
UNDO = "~undo"


@dataclass
class Model:
    """What a workflow is at."""

    now_ms: int
    limit_ms: int = 0  # of the whole, 0 for none
    late: bool = False  # a step follows that limit
    at: str = "new"  # new, busy, paused, waiting, and OVER
    suspended: bool = False
    step: str = ""
    activity: int = 0
    attempt: int = 0
    execution: int = 0  # counts those that may be given out
    due_ms: int = 0
    deadline_ms: int = 0
    then: str = ""
    word: str | None = None
    opened: bool = False
    count: int | None = None
    undo: list[int] = field(default_factory=list[int])
    goal: str = "ended"
    last: bool = False
    completed: bool = False  # the step that ran last

    # ---- where it is -----------------------------------------------------------------------------
    @property
    def status(self) -> set[str]:
        """Public statuses that would be right."""
        if self.suspended:
            return {"suspended"}
        if self.at == "busy":
            return {"retrying"} if self.attempt > 1 else {"running"}
        return {"not_started" if self.at == "new" else self.at}

    @property
    def is_late(self) -> bool:
        """The limit has passed."""
        return 0 < self.deadline_ms <= self.now_ms and self.at not in OVER

    # ---- what happens ----------------------------------------------------------------------------
    def begin(self) -> None:
        """The first transition."""
        if self.at == "new" and self.limit_ms:
            self.deadline_ms = self.now_ms + self.limit_ms

    def goes_on(self, step: str) -> bool:
        """The step was entered and never completed: restarted it is the same activity."""
        at = ("busy", "failed", "timed_out", "terminated")
        return step == self.step and not self.completed and self.at in at

    def enter(self, step: str, *, same: bool = False) -> None:
        """A step comes next."""
        self.at, self.step, self.attempt, self.completed = "busy", step, 1, False
        self.activity += not same
        self.execution += 1
        self.due_ms = self.now_ms

    def follow(self, following: Any) -> None:
        """As a step or command has decided."""
        self.completed = True
        self.begin()
        if self.last:
            self.end("timed_out")
            return
        match following:
            case GoTo(step):
                self.enter(step)
            case PauseFor(_, timeout_ms, step, command):
                self.at, self.then = "paused", step or command
                self.due_ms = self.now_ms + timeout_ms if timeout_ms else 0
            case WaitOn(_, _, timeout_ms, _):
                self.at, self.opened = "waiting", True
                self.due_ms = self.now_ms + timeout_ms if timeout_ms else 0
                self.listen()
            case Finish(_, delete):
                self.end("deleted" if delete else "ended")
            case _:
                raise AssertionError(f"no schedule has {following}")

    def listen(self) -> None:
        """The word may be there."""
        if self.at == "waiting" and self.word is not None:
            self.word, self.opened = None, False
            self.enter("heard")

    def compensate(self, goal: str) -> None:
        """The undo calls come next."""
        self.goal = goal
        self.enter(UNDO)
        if not self.undo:
            self.end(goal)

    def end(self, how: str) -> None:
        """It is over."""
        self.at, self.suspended, self.deadline_ms, self.last = how, False, 0, False
        self.word, self.opened = None, False
        if how == "deleted":
            self.count = None

    def time_out(self) -> None:
        """The limit has passed."""
        if not self.late:
            self.end("timed_out")
            return
        self.deadline_ms = 0
        self.enter("plain")
        self.last = True

    def fail(self, final: bool) -> None:
        """The attempt failed."""
        self.execution += 1
        retries = -1 if self.step == UNDO else RETRIES[self.step]
        if not final and not 0 <= retries < self.attempt:
            first, longest = FIRST_WAIT.get(self.step, 3_000), LONGEST_WAIT.get(self.step, 30_000)
            share = 1.0 if self.step in ("thrice", "undoing", "deadly") else 0.8  # less its jitter
            self.due_ms = self.now_ms + round(share * min(first * 2 ** (self.attempt - 1), longest))
            self.attempt += 1
        elif self.last:
            self.end("timed_out")
        elif self.step == "thrice":
            self.enter("plain")
        elif self.step == "undoing":
            self.compensate("failed")
        else:
            self.end("failed")

    def undone(self) -> None:
        """The newest undo call was answered."""
        self.undo.pop()
        self.execution += 1
        self.attempt, self.due_ms = 1, self.now_ms
        if not self.undo:
            self.end(self.goal)
