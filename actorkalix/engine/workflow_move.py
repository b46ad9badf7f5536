"""A workflow's transition in the making: from where it stands to where it stands next. Pure.

Theory of operation. A `Move` begins with a workflow as it is and is told what happens; `done` makes
of it the workflow afterwards and its records, one entry and what goes with it. What others are to
be told because of it (children that end with their parent, a parent that waits for its child) goes
out with the same commit.

Late calls. An execution that was cut off may have made calls that take effect only now, up to their
deadlines. What goes another way (the next attempt, a failover, an undo, a step after the timeout)
therefore begins only when those deadlines have passed (`quiet_ms`); only a resumed step does not
wait, for it makes the same calls under the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from actorkalix.errors import InvalidPayload
from actorkalix_cluster.shardhost.outgoing import unpack_messages

from .workflow_control import (
    BUSY,
    OVER,
    Activity,
    Child,
    Kept,
    Status,
    public,
)
from .workflow_draft import Draft, promise_of, replace
from .workflow_messages import (
    PARENT,
    Finish,
    GoTo,
    Parent,
    PauseFor,
    StartAll,
    UndoAll,
    WaitOn,
    WireNext,
)
from .workflow_rules import CALL_TIMEOUT_MS


class Move(Draft):
    """One transition. See the head of this file."""

    def follow(self, following: WireNext | None) -> None:
        """Go on as a command or a step has decided."""
        if following is None:
            return
        self._completed = True
        self._begin()
        if self.control.last:
            deletes = isinstance(following, Finish) and following.delete
            reason = following.reason if isinstance(following, Finish) else ""
            self.finish(Status.TIMED_OUT, reason or "the workflow's timeout", delete=deletes)
            return
        match following:
            case GoTo(step, arguments):
                self.enter(step, arguments)
            case PauseFor(reason, timeout_ms, step, command):
                self._rest(Status.PAUSED, timeout_ms, then=step, late=command, reason=reason)
            case WaitOn(promise, then, timeout_ms, late):
                self.open((promise,))
                self._rest(
                    *(Status.WAITING, timeout_ms),
                    then=then,
                    late=late,
                    promises=(promise,),
                    single=True,
                )
                self.look()
            case StartAll(calls, then, single):
                self._start_children(calls, then, single=single)
            case UndoAll(then, reason):
                self.undo(then, Status.ENDED, reason)
            case Finish(reason, delete):
                self.finish(Status.ENDED, reason, delete=delete)

    def enter(self, step: str, arguments: bytes, *, not_before_ms: int = 0) -> None:
        """Run a step next."""
        self._activate(Activity.STEP, not_before_ms, step=step, arguments=arguments)

    def undo(self, then: str, goal: Status, reason: str, *, not_before_ms: int = 0) -> None:
        """Make the undo calls next, then run a step or come to an end."""
        self._activate(Activity.UNDO, not_before_ms, then=then, goal=goal, reason=reason)
        if not self.kept.undo:
            self.undone()

    def undone(self) -> None:
        """Go on where the undo calls were to lead, when none is left."""
        control = self.control
        if self.kept.undo:
            self._run_next()
        elif control.then:
            self.enter(control.then, b"", not_before_ms=control.at_ms)
        else:
            self.finish(control.goal, control.reason, quiet_ms=control.at_ms)

    def retry(self, at_ms: int, failure: str, failures: int) -> None:
        """Run the same again later, or at once."""
        self._run_again(at_ms)
        self._set(status=Status.RETRYING, failure=failure, failures=failures)
        self._doubtful = False  # by then it is quiet

    def look(self) -> None:
        """Go on if it waits and all is there that it waits for.

        A value that the step does not take is forgotten: somebody may say it anew.
        """
        control, values = self.control, self.kept.values
        if control.status is not Status.WAITING:
            return
        if any(name not in values for name in control.promises):
            return
        said = [values[name] for name in control.promises]
        self._forget(control.promises)
        try:
            arguments = self.rules.input_from(control.then, said, single=control.single)
        except InvalidPayload:
            return
        self.enter(control.then, arguments)

    def end_child(self, child: Child, value: bytes) -> None:
        """A child has ended (its start may not have been answered yet), or never began."""
        self._put_child(child, replace(child, ended=True))
        self.put_value(promise_of(child), value)

    def start_next(self) -> None:
        """The call that starts a child was answered: make the next, or wait for all their ends."""
        child = next(each for each in self.kept.children if each.start)
        self._put_child(child, replace(child, start=b""))
        if any(each.start for each in self.kept.children):
            self._run_next()
            return
        self._set(status=Status.WAITING, at_ms=0)
        self.look()

    def suspend(self, reason: str) -> None:
        """Stop for now; what ran is cut off."""
        self._set(status=Status.SUSPENDED, within=self.control.status, held=reason)

    def resume(self) -> None:
        """Go on where it was suspended; what ran runs again, under the same keys."""
        control = self.control
        self._set(status=control.within, within=Status.NEW, held="")
        if control.within in BUSY:
            self._set(run=control.run + 1)
            self._doubtful = True

    def finish(
        self, status: Status, reason: str = "", *, delete: bool = False, quiet_ms: int = 0
    ) -> None:
        """It is over; calls of what was cut off may take effect until `quiet_ms`."""
        self._tell_children()
        before = self.control.within if self._suspended else self.control.status
        cut_off = status is not Status.ENDED and before in BUSY and not self._completed
        self._set(
            status=Status.DELETED if delete else status,
            within=before if cut_off else Status.NEW,
            at_ms=0 if delete or not self.rules.expire_ms else self.now_ms + self.rules.expire_ms,
            deadline_ms=0,
            promises=(),
            reason=reason,
            last=False,
            quiet_ms=quiet_ms,
        )
        self._tell_parent(public(self.control.status), reason)
        self.kept = Kept(undo=self.kept.undo, parent=self.kept.parent)
        self._deleted = delete

    def expire(self) -> None:
        """What has ended is deleted; everybody was told of its end when it came."""
        self.kept = Kept()
        self._set(status=Status.DELETED, at_ms=0)
        self._deleted = True

    def restart(self, step: str, arguments: bytes, *, anew: bool = False) -> None:
        """Go on from a step, whatever it is at; after an end its timeout counts anew.

        A step that was never completed is the same activity still: its calls have the keys that
        they had, so what has counted does not count twice. One that was completed, or given up for
        another, is run as a new one; `anew` does that always.
        """
        control = self.control
        quiet_ms = max(self.quiet_ms(), control.quiet_ms)
        same = not anew and step == control.step and self._is_open()
        if control.status in OVER:
            self._set(status=Status.NEW, last=False, quiet_ms=0)
        self._begin()
        self._leave_children()
        self._set(within=Status.NEW, held="")
        if same:
            self._set(number=control.number - 1)  # which `enter` counts up again
        self.enter(step, arguments, not_before_ms=0 if same else quiet_ms)
        self._doubtful = same

    def time_out(self) -> None:
        """The workflow's timeout has passed: its step comes, or the end."""
        quiet_ms, late = self.quiet_ms(), self.rules.late_step
        if not late:
            self.finish(Status.TIMED_OUT, "the workflow's timeout", quiet_ms=quiet_ms)
            return
        self.surface()
        self._leave_children()
        self.enter(late, self.rules.late_input, not_before_ms=quiet_ms)
        self._set(deadline_ms=0, last=True)
        self.sink()

    def stay(self) -> None:
        """A pause stays one whose time is over: a command is run that may end it."""
        self._set(at_ms=0, late="", failures=0, failure="")

    def note(self, text: str) -> None:
        """How that command was refused, for those who look; it is not run again."""
        self._set(failure=text)

    def wake_again(self, at_ms: int, failure: str, failures: int) -> None:
        """That command has failed: the pause stays as it is, and it is run again later."""
        self._set(at_ms=at_ms, failure=failure, failures=failures)

    def adopt(self, parent: Parent) -> None:
        """The command that starts it is a parent's."""
        if self.control.status is Status.NEW and self.kept.parent is None:
            self.kept = replace(self.kept, parent=parent)

    def give_up(self, failure: str, failures: int) -> None:
        """The activity has failed for good; what follows says what comes."""
        self._set(failure=failure, failures=failures)

    def drop_undo(self) -> None:
        """The newest undo call is done."""
        self.kept = replace(self.kept, undo=self.kept.undo[:-1])

    def quiet_ms(self) -> int:
        """Until then calls of the execution that is cut off may take effect; 0 for none."""
        control = self.control
        status = control.within if control.status is Status.SUSPENDED else control.status
        if status not in BUSY:
            return 0
        if status is Status.RUNNING and control.at_ms > self.now_ms:
            return control.at_ms  # nothing of it has begun; what was before it is to be quiet then
        step = control.activity is Activity.STEP
        timeout_ms = self.rules.reach_of(control.step) if step else CALL_TIMEOUT_MS
        begun_ms = self.now_ms + timeout_ms
        return min(begun_ms, control.at_ms) if control.at_ms > self.now_ms else begun_ms

    # ---- within ----------------------------------------------------------------------------------
    def _is_open(self) -> bool:
        """The step that ran last was not completed: it is under way, or was cut off, or failed."""
        control = self.control
        status = control.status if control.status in BUSY else control.within
        return status in BUSY and control.activity is Activity.STEP

    def _begin(self) -> None:
        if self.control.status is Status.NEW and self.rules.timeout_ms:
            self._set(deadline_ms=self.now_ms + self.rules.timeout_ms)

    def _activate(self, activity: Activity, not_before_ms: int, **more: Any) -> None:
        control = self.control
        fresh = {"then": "", "reason": "", **more}
        self._set(
            status=Status.RUNNING,
            activity=activity,
            number=control.number + 1,
            run=control.run + 1,
            entered_ms=self.now_ms,
            at_ms=max(self.now_ms, not_before_ms),
            failures=0,
            failure="",
            late="",
            promises=(),
            **fresh,
        )

    def _run_next(self) -> None:
        """The next call of an activity that has several."""
        self._run_again(self.now_ms)
        self._set(status=Status.RUNNING, failures=0, failure="")

    def _run_again(self, at_ms: int) -> None:
        self._set(run=self.control.run + 1, at_ms=max(at_ms, self.now_ms))

    def _rest(self, status: Status, timeout_ms: int, **more: Any) -> None:
        fresh: Mapping[str, Any] = {"then": "", "late": "", "promises": (), "reason": "", **more}
        at_ms = self.now_ms + timeout_ms if timeout_ms else 0
        self._set(status=status, at_ms=at_ms, failures=0, failure="", **fresh)

    def _start_children(self, calls: tuple[bytes, ...], then: str, *, single: bool) -> None:
        number = self.control.number + 1
        parent = msgspec.json.encode(Parent(self.rules.component, self.flow.entity)).decode()
        children: list[Child] = []
        for nth, packed in enumerate(calls):
            keyed = self._keyed(packed, "child", number, nth, metadata=((PARENT, parent),))
            message = unpack_messages(keyed)[0]
            children.append(Child(message.component, message.entity, keyed))
        self.kept = replace(self.kept, children=(*self.kept.children, *children))
        promises = tuple(promise_of(each) for each in children)
        self._activate(Activity.CHILD, 0, then=then, single=single)
        self._set(promises=promises)
