"""The behavior of named timers, by cases and against a small model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.engine.timer import (
    CANCEL,
    GET,
    START,
    CatchUp,
    KeptCall,
    Plan,
    Seen,
    TimerBehavior,
    Waiting,
    backoff_ms,
)
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import BehaviorError, Step
from actorkalix_cluster.shardhost.fired import FIRED, TIMER, Firing, Outcome, Settled
from actorkalix_cluster.shardhost.messages import Encoding, Failure, Message, MessageKind
from actorkalix_storage.api import Head, History, Position, RecordKind, StoredRecord

NOW_MS = 1_700_000_000_000
REFUSED = Failure("AK2001", "aborted", "not now")
LOST = Failure("AK3101", "deadline_exceeded", "no answer", outcome="unknown")
CALL = KeptCall("bell", "b", "ring", b"\x90", metadata=(("who", "me"),))

behavior = TimerBehavior(Limits())


class Player:
    """One name, with the time in hand; every instance is rebuilt from its record."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.instance = behavior.empty("t")

    def told(self, kind: MessageKind, method: str = "", payload: bytes = b"") -> bytes:
        """Step, store, and give the reply."""
        message = Message(kind, TIMER, "t", method, payload, Encoding.MSGPACK)
        step = behavior.step(self.instance, message, self.now_ms)
        self._check(step)
        self.instance = step.instance
        return step.reply.payload

    def _check(self, step: Step[Waiting]) -> None:
        assert step.reply.failure is None
        assert len(step.records) <= 1
        assert step.forget is bool(step.records), "what waits stays in no memory"
        for record in step.records:
            assert record.time_ms == self.now_ms
            if record.kind is RecordKind.CLEANED:
                assert step.instance == behavior.empty("t")
                return
            made = step.instance
            head = Head(made.version, made.number, 0, 1, 1, 1, 0, record.expires_ms)
            stored = StoredRecord(0, Position(1, 1, 1), (0, 0), 1, 0, record)
            assert behavior.restore("t", History(head, None, (stored,))) == made

    def start(self, plan: Plan) -> int:
        """Start it; when it is due."""
        payload = msgspec.msgpack.encode(plan)
        return msgspec.msgpack.decode(self.told(MessageKind.COMMAND, START, payload), type=int)

    def cancel(self) -> bool:
        """Whether there was one."""
        return msgspec.msgpack.decode(self.told(MessageKind.COMMAND, CANCEL), type=bool)

    def look(self) -> Firing | None:
        """What is to be called now."""
        told = self.told(MessageKind.EXPIRE)
        return msgspec.msgpack.decode(told, type=Firing) if told else None

    def fired(self, firing: Firing, failure: Failure | None = None) -> Settled:
        """Tell how the call ended."""
        payload = msgspec.msgpack.encode(Outcome(firing.token, failure))
        return msgspec.msgpack.decode(self.told(MessageKind.COMMAND, FIRED, payload), type=Settled)

    def seen(self) -> Seen | None:
        """The timer as `get` tells it."""
        told = self.told(MessageKind.QUERY, GET)
        return msgspec.msgpack.decode(told, type=Seen) if told else None

    def must_look(self) -> Firing:
        """The call that is due."""
        firing = self.look()
        assert firing is not None
        return firing


def test_the_call_is_made_as_it_was_kept() -> None:
    player = Player()
    assert player.start(Plan(CALL, after_ms=5_000)) == NOW_MS + 5_000
    player.now_ms += 4_999
    assert player.look() is None
    player.now_ms += 1
    call = player.must_look().message
    assert (call.kind, call.component, call.entity, call.method) == (
        *(MessageKind.COMMAND, "bell", "b", "ring"),
    )
    assert (call.payload, call.encoding, call.metadata) == (
        *(CALL.payload, Encoding.MSGPACK, CALL.metadata),
    )
    assert call.deadline_ms == 0
    assert call.correlation_id.startswith("timer-")


def test_queries_deadlines_and_keys_are_kept_too() -> None:
    player = Player()
    kept = KeptCall("bell", "b", "rung", b"", is_query=True, key="mine", timeout_ms=700)
    player.start(Plan(kept, after_ms=1))
    player.now_ms += 1
    firing = player.must_look()
    call = firing.message
    assert (call.kind, call.key) == (MessageKind.QUERY, "mine")
    assert call.deadline_ms == player.now_ms + 700
    player.fired(firing, REFUSED)
    player.now_ms += 3_000
    assert player.must_look().message.key != "mine"  # under it only the refusal is told again


def test_a_firing_has_one_key_however_often_it_is_attempted() -> None:
    player = Player()
    player.start(Plan(CALL, every_ms=60_000))
    player.now_ms += 60_000
    first = player.must_look()
    assert player.must_look() == first
    player.fired(first, LOST)
    player.now_ms += 3_000
    second = player.must_look()
    assert second.message.key == first.message.key
    player.fired(second, REFUSED)
    player.now_ms += 6_000
    third = player.must_look()
    assert third.message.key == first.message.key
    player.fired(third)
    player.now_ms += 60_000
    fourth = player.must_look()
    assert fourth.message.key not in (first.message.key, third.message.key)
    assert len(fourth.message.key) <= 128


def test_a_firing_of_another_generation_is_dropped() -> None:
    player = Player()
    player.start(Plan(CALL, after_ms=1))
    player.now_ms += 1
    old = player.must_look()
    player.start(Plan(CALL, after_ms=1))
    assert player.fired(old) == Settled(dropped=True)
    player.cancel()
    assert player.fired(old) == Settled(dropped=True)
    for _ in range(3):
        player.start(Plan(CALL, after_ms=1))
        assert player.fired(old) == Settled(dropped=True)
    assert player.seen() is not None


def test_ti_04_backoff() -> None:
    assert [backoff_ms(n) // 1000 for n in (1, 2, 3, 4, 5, 6, 10_000)] == [3, 6, 12, 24, 30, 30, 30]


def test_what_is_no_plan_is_refused() -> None:
    player = Player()
    wrong = [b"\xc1", b"", msgspec.msgpack.encode({}), msgspec.msgpack.encode([[1]])]
    plans = [Plan(CALL), Plan(CALL, after_ms=-1), Plan(CALL, after_ms=1, max_retries=-2)]
    wrong += [msgspec.msgpack.encode(plan) for plan in plans]
    for payload in wrong:
        with pytest.raises(BehaviorError, match="a timer's plan"):
            player.told(MessageKind.COMMAND, START, payload)
    with pytest.raises(BehaviorError, match="never comes"):
        player.start(Plan(CALL, cron="0 0 30 2 *"))
    with pytest.raises(BehaviorError, match="no time zone"):
        player.start(Plan(CALL, cron="@daily", zone="Mars"))
    with pytest.raises(BehaviorError, match="payload_bytes_max"):
        player.start(Plan(KeptCall("c", "e", "m", bytes(1_000_001)), after_ms=1))
    with pytest.raises(BehaviorError, match="no handler 'snooze'"):
        player.told(MessageKind.COMMAND, "snooze")
    assert player.seen() is None


def test_nothing_is_remembered_and_nothing_is_cleaned() -> None:
    player = Player()
    player.start(Plan(CALL, after_ms=1))
    assert player.told(MessageKind.CLEAN) == b""
    assert player.seen() is not None
    assert behavior.snapshot(player.instance).number == 1
    message = Message(MessageKind.COMMAND, TIMER, "t", START, key="k")
    assert len(behavior.key_hash(message)) == 16
    with pytest.raises(AssertionError):
        behavior.remembered(message, b"")


def test_a_long_failure_is_cut() -> None:
    player = Player()
    player.start(Plan(CALL, after_ms=1))
    player.now_ms += 1
    player.fired(player.must_look(), Failure("AK2001", "aborted", "no " * 10_000))
    seen = player.seen()
    assert seen is not None
    assert len(seen.timer.failure) == 500


# ---- against a model -----------------------------------------------------------------------------
@dataclass
class Model:
    """What a timer is to do, said in another way: all periods that are still to come."""

    plan: Plan
    grid: range
    wake_ms: int
    failed: int = 0

    def done(self, now_ms: int) -> bool:
        """Forget the first period, and those that nobody wants; whether it is over."""
        self.failed = 0
        self.grid = self.grid[1:]
        if self.plan.catch_up != "all":
            while self.grid and self.grid[0] <= now_ms:
                self.grid = self.grid[1:]
        self.wake_ms = self.grid[0] if self.grid else 0
        return not self.grid


Act = tuple[Literal["start", "cancel", "ok", "fail"], int, Plan]
WAITS = st.integers(500, 90_000)
EVER_MS = 10**9
PLANS = st.one_of(
    st.builds(Plan, st.just(CALL), after_ms=WAITS, max_retries=st.integers(-1, 3)),
    st.builds(
        Plan,
        st.just(CALL),
        every_ms=WAITS,
        max_retries=st.integers(-1, 3),
        catch_up=st.sampled_from(["one", "all", "none"]),
    ),
)
ACTS = st.tuples(
    st.sampled_from(["start", "cancel", "ok", "ok", "fail", "fail"]), st.integers(0, 120_000), PLANS
)


@settings(max_examples=300)
@given(st.lists(ACTS, max_size=40))
def test_a_timer_does_what_the_model_says(acts: list[Act]) -> None:
    player, model = Player(), None
    for act, wait_ms, plan in acts:
        player.now_ms += wait_ms
        now_ms = player.now_ms
        if act == "start":
            player.start(plan)
            first_ms = now_ms + (plan.after_ms or plan.every_ms)
            grid = range(first_ms, first_ms + (EVER_MS if plan.every_ms else 1), plan.every_ms or 1)
            model = Model(plan, grid, grid[0])
        elif act == "cancel":
            assert player.cancel() is (model is not None)
            model = None
        else:
            model = looked(player, model, None if act == "ok" else REFUSED)
        seen = player.seen()
        assert (seen is None) == (model is None)
        if seen is not None and model is not None:
            assert (seen.timer.due_ms, seen.look_ms) == (model.grid[0], model.wake_ms)
            assert seen.timer.attempt == model.failed


def looked(player: Player, model: Model | None, failure: Failure | None) -> Model | None:
    """A look at the timer and the end of its call, on both sides."""
    now_ms, firing = player.now_ms, player.look()
    if model is None or now_ms < model.wake_ms:
        assert firing is None
        return model
    skipped = (
        model.plan.catch_up == "none"
        and model.plan.every_ms > 0
        and model.failed == 0
        and model.grid[0] + model.plan.every_ms <= now_ms
    )
    if skipped:
        assert firing is None
        return None if model.done(now_ms) else model
    assert firing is not None, "it is time"
    settled = player.fired(firing, failure)
    if failure is not None:
        model.failed += 1
        if not 0 <= model.plan.max_retries < model.failed:
            model.wake_ms = now_ms + min(30_000, 3_000 * 2 ** (model.failed - 1))
            assert settled == Settled(model.wake_ms, model.failed)
            return model
        assert settled.given_up
    return None if model.done(now_ms) else model


def test_the_policies_by_example() -> None:
    runs: dict[CatchUp, int] = {"one": 1, "all": 6, "none": 0}
    for catch_up, expected in runs.items():
        player = Player()
        player.start(Plan(CALL, every_ms=10_000, catch_up=catch_up))
        player.now_ms += 65_000
        count = 0
        while (firing := player.look()) is not None:
            player.fired(firing)
            count += 1
        assert count == expected
        seen = player.seen()
        assert seen is not None
        assert seen.look_ms == NOW_MS + 70_000


def test_by_cron_missed_days_are_one_run() -> None:
    player = Player()
    first = player.start(Plan(CALL, cron="0 3 * * *", zone="Europe/Berlin"))
    player.now_ms = first + 3 * 86_400_000 + 1
    settled = player.fired(player.must_look())
    assert settled.due_ms == first + 4 * 86_400_000
