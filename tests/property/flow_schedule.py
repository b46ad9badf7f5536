"""Random schedules that try the engine of workflows against the reference model."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from actorkalix.engine.workflow_messages import (
    Finish,
    GoTo,
    PauseFor,
    StepFailed,
    StepOutcome,
    WaitOn,
    unpack_input,
)
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.fired import Firing
from tests.property.flow_model import OVER, TIMEOUTS, UNDO, Model
from tests.unit.actorkalix.engine.flows import Bench, Closing, Ending, Obedient, failure

WEIGHTS = {
    "expire": 10,
    "succeed_newest": 4,
    "fail_newest": 6,
    "advance_to_due": 6,
    "advance_little": 3,
    "go": 3,
    "rest": 2,
    "wait": 2,
    "register": 3,
    "crash": 2,
    "resume": 3,
}
"""How often a move is made, against once for all others: so that much happens to most workflows."""


@dataclass
class Execution:
    """An execution that was given out."""

    firing: Firing
    what: tuple[int, int]  # activity and attempt
    began_ms: int
    quiet_ms: int  # its calls take no effect after this


class Schedule:
    """A random schedule, played on an engine and on the model."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        cls: type[Any] = self.random.choice((Obedient, Obedient, Ending, Closing))
        self.bench = Bench(cls)
        limit_ms = 0 if cls is Obedient else 60_000
        self.model = Model(self.bench.now_ms, limit_ms, cls is Closing)
        self.given: list[tuple[Execution, int]] = []  # with the model's execution
        self.since = 0  # those before have the keys of the step that was restarted
        self.undone: list[str] = []
        self.running = 0
        self.counts = 0
        self.log: list[str] = []

    def play(self, moves: int) -> None:
        """Make so many moves; each is checked.

        Raises:
            AssertionError: engine and model differ.
        """
        names = sorted(name for name in dir(self) if name.startswith("do_"))
        weights = [WEIGHTS.get(name.removeprefix("do_"), 1) for name in names]
        for _ in range(moves):
            name = self.random.choices(names, weights)[0]
            if self.model.at == "deleted" and self.random.random() < 0.5:
                return  # nothing happens to it any more
            self.log.append(name)
            getattr(self, name)()
            self.check()

    def check(self) -> None:
        """Engine and model say the same."""
        seen, model = self.bench.look(), self.model
        where = (seen, model)
        assert seen.status in model.status, where
        state = self.bench.flow.state
        assert (None if state is None else state.count) == model.count, where
        assert seen.undo == len(model.undo), where
        assert seen.deadline_ms == model.deadline_ms, where
        if model.at == "busy" and not model.suspended:
            assert seen.attempt == model.attempt, where
            if model.step != UNDO:
                assert seen.step == model.step, where

    # ---- commands --------------------------------------------------------------------------------
    def _command(self, method: str, *args: Any) -> bool:
        """Whether a command that changes something was taken; checks that it should have been."""
        model = self.model
        reply_number = None
        try:
            reply = self.bench.call(method, *args)
            held = self.bench.last is not None and self.bench.last.hold
            reply_number = "" if reply.failure is None else reply.failure.number
        except BehaviorError as error:
            held = False
            reply_number = _number(error)
        if model.is_late or (model.at == "busy" and not model.suspended):
            assert held, (method, reply_number)
            return False
        assert not held, method
        if model.suspended or model.at in OVER:
            assert reply_number == ("AK2009" if model.at == "deleted" else "AK2017"), reply_number
            return False
        assert not reply_number, (method, reply_number)
        return True

    def _count(self) -> int:
        self.counts += 1
        return self.counts

    def do_put(self) -> None:
        count = self._count()
        if self._command("put", count):
            self.model.count = count

    def do_go(self) -> None:
        count, to = self._count(), self.random.choice(("plain", "thrice", "undoing", "deadly"))
        if self._command("go", count, to):
            self.model.count = count
            self.model.follow(GoTo(to))

    def do_rest(self) -> None:
        seconds, then = self.random.choice((0, 5, 20)), self.random.choice(("step", "command"))
        if self._command("rest", seconds, then):
            step, late = ("plain", "") if then == "step" else ("", "wake")
            self.model.follow(PauseFor("", seconds * 1_000, step, late))

    def do_wait(self) -> None:
        seconds = self.random.choice((0, 5, 20))
        if self._command("wait", seconds):
            self.model.follow(WaitOn("word", "heard", seconds * 1_000, "plain"))

    def do_register(self) -> None:
        amount = self._count()
        if self._command("register", amount):
            self.model.count = self.model.count or 0
            self.model.undo.append(amount)

    def do_finish(self) -> None:
        how = self.random.choice(("end", "undo", "undo", "undo", "undo", "delete"))
        model = self.model
        if how == "delete" and model.at in OVER and model.at != "deleted":
            self.bench.value("finish", "delete")
            model.end("deleted")
        elif self._command("finish", how):
            if how == "undo":
                model.begin()
                model.compensate("ended")
            else:
                model.follow(Finish(delete=how == "delete"))

    # ---- executions ------------------------------------------------------------------------------
    def do_expire(self) -> None:
        model = self.model
        runs = model.at == "busy" and not model.suspended and not model.is_late
        if runs and self.running == model.execution:
            return  # a host has one firing of an actor at a time
        firing = self.bench.expire()
        if model.is_late:
            assert firing is None, "what is late runs no more"
            model.time_out()  # of what is suspended, underneath
            return
        if model.suspended or model.at in OVER or model.at == "new":
            assert firing is None
            return
        if model.at == "busy":
            self._given(firing)
        elif 0 < model.due_ms <= model.now_ms:
            assert firing is None
            if model.at == "paused" and model.then == "wake":
                model.due_ms, before = 0, model.count or 0
                model.count = before + 1_000
                if before % 3:
                    model.follow(GoTo("plain"))
            elif model.at == "paused":
                model.enter(model.then)
            else:
                model.enter("plain")
        else:
            assert firing is None

    def _given(self, firing: Firing | None) -> None:
        model, now_ms = self.model, self.model.now_ms
        what = (model.activity, model.attempt)
        key = "" if firing is None or model.step != UNDO else firing.message.key
        runs = [run for run, _ in self.given if run.firing.message.key != key]
        before = [run for run, _ in self.given[: self.since] if run.what[0] == model.activity]
        others = [run for run in runs if run.what != what and run not in before]
        quiet_ms = max((run.quiet_ms for run in others), default=0)
        if firing is None:
            longest = max(quiet_ms, model.due_ms) + 6_000
            jitter = 1.25 * (model.due_ms - now_ms) if model.due_ms > now_ms else 0
            may_wait = model.due_ms > now_ms or now_ms < longest or jitter
            assert may_wait or model.attempt > 1, "what is due is given out"
            return
        assert model.due_ms <= now_ms, "nothing is given out before its time"
        assert quiet_ms <= now_ms, "calls of another execution may still take effect"
        timeout_ms = TIMEOUTS.get(model.step, 5_000)
        assert firing.message.deadline_ms == now_ms + timeout_ms
        run = Execution(firing, what, now_ms, now_ms + timeout_ms)
        self.given.append((run, model.execution))
        self.running = model.execution

    def do_succeed(self) -> None:
        self._result("succeed")

    def do_fail(self) -> None:
        self._result("fail")

    def do_succeed_newest(self) -> None:
        self._result("succeed", newest=True)

    def do_fail_newest(self) -> None:
        self._result("fail", newest=True)

    def _result(self, how: str, *, newest: bool = False) -> None:
        if not self.given:
            return
        run, execution = self.given[-1] if newest else self.random.choice(self.given)
        model = self.model
        counts = execution == model.execution and model.at == "busy" and not model.suspended
        undo = model.step == UNDO
        late = model.is_late
        following, outcome, final = self._outcome(how, run, undo)
        if late and model.at == "busy" and not model.suspended:
            assert self.bench.fired(run.firing, outcome).dropped
            model.time_out()
            return
        dropped = self.bench.fired(run.firing, outcome).dropped
        assert dropped is not counts, "a result counts if and only if it is of the newest execution"
        if not counts:
            return
        if how == "fail":
            model.fail(final)
        elif undo:
            key = run.firing.message.key
            assert key not in self.undone, "an undo call is made once"
            self.undone.append(key)
            model.undone()
        else:
            if isinstance(outcome, StepOutcome) and outcome.state is not None:
                model.count = self.counts
            model.follow(following)

    def _outcome(self, how: str, run: Execution, undo: bool) -> tuple[Any, Any, bool]:
        if undo or run.firing.message.method == "put":
            for other, _ in self.given:
                if other.firing.message.key == run.firing.message.key:
                    other.quiet_ms = 0  # it is one call, under one key
            return None, failure() if how == "fail" else None, False
        if how == "fail":
            final = self.random.random() < 0.1
            run.quiet_ms = self.random.choice((0, self.model.now_ms, run.quiet_ms))
            classes = ("Broken", "Exception") if final else ("ValueError",)
            outcome = StepOutcome(
                failed=StepFailed(failure(), classes), calls_until_ms=run.quiet_ms
            )
            return None, outcome, final and self.model.step == "deadly"
        for other, _ in self.given:
            if other.what[0] == run.what[0]:
                other.quiet_ms = 0  # they made the same calls under the same keys
        following: Any = self.random.choice(
            (
                *(GoTo("thrice"), GoTo("undoing"), GoTo("undoing"), Finish("done")),
                *(GoTo("plain"), GoTo("thrice"), GoTo("undoing"), PauseFor("", 5_000, "plain")),
                *(
                    PauseFor("", 9_000, "", "wake"),
                    PauseFor(),
                    WaitOn("word", "heard", 5_000, "plain"),
                ),
                Finish("", self.random.random() < 0.3),
            )
        )
        state = self.bench.state_of(self._count()) if self.random.random() < 0.5 else None
        return following, StepOutcome(following, state), False

    # ---- controls --------------------------------------------------------------------------------
    def do_suspend(self) -> None:
        model = self.model
        self.bench.control("suspend", "wait")
        if model.at not in (*OVER, "new"):
            model.suspended = True

    def do_resume(self) -> None:
        self.bench.control("resume")
        if self.model.suspended:
            self.model.suspended = False
            if self.model.at == "busy":
                self.model.execution += 1

    def do_terminate(self) -> None:
        if self.random.random() < 0.8:
            return
        self.bench.control("terminate", "enough")
        if self.model.at not in OVER:
            self.model.end("terminated")

    def do_restart(self) -> None:
        model = self.model
        if self.random.random() < 0.6 or model.at in ("new", "deleted"):
            return
        steps = self.bench.flow.inputs
        if not steps:
            return
        step = self.random.choice(sorted(steps))
        anew = self.random.random() < 0.3
        same = not anew and model.goes_on(step)
        self.bench.control("restart", step, anew)
        if same:  # its calls have the keys that they had
            self.since = len(self.given)
            before = [run for run, _ in self.given if run.what[0] == model.activity]
            numbers = {unpack_input(run.firing.message.payload).number for run in before}
            assert numbers <= {self.bench.flow.control.number}, "it is the same activity"
        if model.at in OVER:
            model.at = "new"
        model.begin()
        last, model.suspended = model.last, False
        model.enter(step, same=same)
        model.last = last

    def do_resolve(self) -> None:
        model = self.model
        known = model.opened and model.at not in OVER
        try:
            self.bench.control("resolve", "word", f"word {self._count()}")
            number = ""
        except BehaviorError as error:
            number = _number(error)
        if model.at in OVER or model.at == "new":
            assert number in ("AK2017", "AK2018"), number
        elif not known:
            assert number == "AK2018", number
        else:
            assert not number
            if model.word is None:
                model.word = "said"
            model.listen()

    # ---- the world -------------------------------------------------------------------------------
    def do_advance(self) -> None:
        self.bench.advance(self.random.choice((0.001, 0.5, 1, 3, 10, 40)))
        self.model.now_ms = self.bench.now_ms

    def do_advance_little(self) -> None:
        self.bench.advance(self.random.choice((0.5, 1, 3)))
        self.model.now_ms = self.bench.now_ms

    def do_advance_to_due(self) -> None:
        due_ms = self.bench.flow.expires_ms
        if self.bench.now_ms < due_ms < self.bench.now_ms + 30_000:
            self.bench.now_ms = self.model.now_ms = due_ms

    def do_crash(self) -> None:
        self.bench.crash()
        self.running = 0

    def do_snapshot(self) -> None:
        if self.bench.stored:
            self.bench.take_snapshot()

    def do_query(self) -> None:
        try:
            count = self.bench.value("get").count
        except AssertionError:
            count = None
        assert count == self.model.count


def _number(error: BehaviorError) -> str:
    assert error.reply.failure is not None, "a refusal says why"
    return error.reply.failure.number
