"""The watchdog's judgement on fake time, and its thread around a loop that is held."""

from __future__ import annotations

import gc
import logging
import os
import threading
from typing import Any

import msgspec
import pytest

from actorkalix_cluster.shardhost import watchdog
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from actorkalix_cluster.shardhost.watchdog import (
    Blocked,
    Chore,
    Doing,
    Finding,
    Hung,
    Look,
    Slow,
    Watch,
    Watchdog,
    name_of,
)

MS = watchdog.MS
TICK_MS = watchdog.TICK_MS
WAIT_S = 30  # for a thread to do what it does at once; only a failing test waits that long


class Eyes:
    """Looks at a loop on fake time."""

    def __init__(self, **limits: Any) -> None:
        self.watch = Watch(HostLimits(**limits))
        self.now = Look(0, 1_000, 0, 0, 0, None)
        self.see()

    def see(self) -> list[Finding]:
        self.now = msgspec.structs.replace(self.now, work=self.watch.work)
        return self.watch.judge(self.now)

    def begin(self, method: str = "add", component: str = "cart") -> None:
        message = Message(MessageKind.COMMAND, component, "c1", method, correlation_id="cid-1")
        self.watch.work = (self.now.now_ms, message)

    def end(self) -> None:
        self.watch.work = None

    def pass_ms(
        self, ms: int, *, cpu_ms: int = 0, queued_ms: int = 0, collecting_ms: int = 0
    ) -> None:
        """Time passes, without a look."""
        now = self.now
        self.now = Look(
            now.at_ns + ms * MS,
            now.now_ms + ms,
            now.cpu_ns + cpu_ms * MS,
            now.queued_ns + queued_ms * MS,
            now.collecting_ns + collecting_ms * MS,
            None,
        )

    def run_ms(self, ms: int, **each: int) -> list[Finding]:
        """Time passes, with a look at every tick."""
        found: list[Finding] = []
        for _ in range(ms // TICK_MS):
            self.pass_ms(TICK_MS, **each)
            found += self.see()
        return found

    def slow_step(self, component: str = "cart", method: str = "add") -> list[Finding]:
        self.begin(method, component)
        found = self.run_ms(100)
        self.end()
        return [*found, *self.run_ms(TICK_MS)]


def kinds(found: list[Finding]) -> list[type]:
    return [type(each) for each in found]


def test_a_handler_is_named_once_when_it_has_held_the_loop_for_long() -> None:
    eyes = Eyes()
    eyes.begin()
    assert eyes.run_ms(75) == []
    (slow,) = eyes.run_ms(1_000)
    assert isinstance(slow, Slow)
    assert (slow.held_ms, slow.untold, name_of(slow.work)) == (100, 0, "cart 'c1'.add")
    assert eyes.watch.strikes() == {"cart": 1}


def test_many_short_steps_are_no_long_one() -> None:
    eyes = Eyes()
    for _ in range(100):
        eyes.begin()
        assert eyes.run_ms(75) == []
    assert eyes.watch.strikes() == {}


def test_only_what_passed_since_its_begin_counts() -> None:
    eyes = Eyes()
    eyes.pass_ms(40)
    eyes.begin()
    eyes.pass_ms(9)
    eyes.see()
    assert eyes.watch.held_ms() == 9
    eyes.run_ms(50)
    assert eyes.watch.held_ms() == 59


def test_a_process_that_was_stopped_blames_nobody() -> None:
    eyes = Eyes()
    eyes.begin()
    eyes.run_ms(25)
    eyes.pass_ms(3_600_000)  # SIGSTOP: an hour, and no CPU
    assert eyes.see() == []
    assert eyes.watch.held_ms() == 25 + watchdog.LATE_TICKS * TICK_MS


def test_a_handler_that_sleeps_is_seen_on_a_machine_that_is_too_busy_for_the_watchdog() -> None:
    eyes = Eyes()
    eyes.begin()
    found: list[Finding] = []
    for _ in range(200):
        eyes.pass_ms(1_000)
        found += eyes.see()
    assert kinds(found) == [Slow, Hung]


def test_a_step_that_keeps_the_interpreter_lock_is_seen_by_its_cpu_time() -> None:
    eyes = Eyes()
    eyes.begin()
    eyes.pass_ms(3_000, cpu_ms=2_900)  # a regular expression that backtracks: no look in between
    (slow,) = eyes.see()
    assert isinstance(slow, Slow)
    assert slow.held_ms == 2_900


def test_what_ran_before_it_is_not_blamed_on_a_new_step() -> None:
    eyes = Eyes()
    eyes.pass_ms(2_990, cpu_ms=2_990)
    eyes.begin()
    eyes.pass_ms(10, cpu_ms=10)
    assert eyes.see() == []
    assert eyes.watch.held_ms() == 10


def test_a_busy_machine_brings_no_strike() -> None:
    eyes = Eyes()
    eyes.begin()
    assert eyes.run_ms(500, queued_ms=22, cpu_ms=3) == []  # ready to run, and without a CPU
    assert eyes.watch.held_ms() == 60


@pytest.mark.parametrize("gap_ms", [40, 400])
def test_collecting_garbage_is_not_the_handlers_fault(gap_ms: int) -> None:
    eyes = Eyes()
    eyes.begin()
    eyes.run_ms(50)
    eyes.pass_ms(gap_ms, cpu_ms=gap_ms, collecting_ms=gap_ms - 5)
    assert eyes.see() == []
    assert eyes.watch.held_ms() == 55


def test_the_third_strike_blocks_the_component_and_no_other() -> None:
    eyes = Eyes()
    assert kinds(eyes.slow_step()) == [Slow]
    assert kinds(eyes.slow_step("shop")) == [Slow]
    assert eyes.watch.blocked() == {}
    assert kinds(eyes.slow_step(method="remove")) == [Slow]
    (blocked,) = eyes.slow_step()
    assert isinstance(blocked, Blocked)
    assert blocked.component == "cart"
    assert "3 times for 100 ms or longer, the last one was cart 'c1'.add" in blocked.reason
    assert eyes.watch.blocked() == {"cart": blocked.reason}
    assert eyes.watch.strikes() == {"cart": 3, "shop": 1}


def test_who_takes_over_knows_what_is_blocked() -> None:
    watch = Watch(HostLimits(), {"cart": "it hung"})
    assert watch.blocked() == {"cart": "it hung"}
    assert "cart" in watch.off


def test_a_handler_is_told_of_once_in_ten_seconds_with_a_count() -> None:
    eyes = Eyes(handler_strikes_max=1_000)
    told = [found for _ in range(100) for found in eyes.slow_step()]
    assert kinds(told) == [Slow, Slow]
    assert [slow.untold for slow in told if isinstance(slow, Slow)] == [0, 79]
    assert kinds(eyes.slow_step(method="remove")) == [Slow]  # another handler has its own


@pytest.mark.parametrize("doing", list(Doing))
def test_what_is_no_handler_is_named_and_brings_no_strike(doing: Doing) -> None:
    eyes = Eyes()
    eyes.watch.work = (eyes.now.now_ms, Chore(doing, "cart", "c1"))
    (slow,) = eyes.run_ms(2_000)
    assert isinstance(slow, Slow)
    assert name_of(slow.work) == f"the {doing.value} of cart 'c1'"
    assert eyes.watch.strikes() == {}
    assert eyes.watch.unready() == f"the {doing.value} of cart 'c1' has held the loop for 2000 ms"


def test_a_timers_step_is_named_by_its_kind() -> None:
    assert name_of((0, Message(MessageKind.EXPIRE, "cart", "c1"))) == "cart 'c1'.expire"


def test_health_sees_who_holds_the_loop() -> None:
    eyes = Eyes()
    assert (eyes.watch.held_ms(), eyes.watch.held_by(), eyes.watch.unready()) == (0, "", "")
    eyes.begin()
    eyes.run_ms(1_975)
    assert (eyes.watch.held_ms(), eyes.watch.unready()) == (1_975, "")
    assert eyes.watch.held_by() == "cart 'c1'.add"
    eyes.run_ms(25)
    assert eyes.watch.unready() == "cart 'c1'.add has held the loop for 2000 ms"
    eyes.end()  # no look since, and it is over all the same
    assert (eyes.watch.held_ms(), eyes.watch.held_by(), eyes.watch.unready()) == (0, "", "")


def test_ten_seconds_end_the_host_and_block_the_component() -> None:
    eyes = Eyes()
    eyes.begin()
    assert kinds(eyes.run_ms(9_975)) == [Slow]
    (hung,) = eyes.run_ms(25)
    assert hung == Hung("cart 'c1'.add has held the loop for 10000 ms")
    assert eyes.watch.blocked() == {"cart": "cart 'c1'.add has held the loop for 10000 ms"}


class Held:
    """A loop's thread that waits in a handler until the log has said what is expected."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.reached = threading.Event()
        self.hung: list[str] = []

    def on_hang(self, reason: str) -> None:
        self.hung.append(reason)
        self.reached.set()

    def hold(self) -> None:
        message = Message(MessageKind.COMMAND, "cart", "c1", "add", correlation_id="cid-7")
        self.watch.work = (0, message)
        assert self.reached.wait(WAIT_S), "the watchdog said nothing"
        self.watch.work = None


def test_the_thread_names_the_handler_with_its_stack(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(Watch(HostLimits(handler_slow_ms=8)))
    dog = Watchdog(held.watch, held.on_hang)
    warning = watchdog.log.warning

    def said(*args: object) -> None:
        warning(*args)
        held.reached.set()

    monkeypatch.setattr(watchdog.log, "warning", said)
    with caplog.at_level(logging.WARNING, "actorkalix.entity"):
        dog.start()
        try:
            held.hold()
        finally:
            dog.stop()
    text = caplog.text
    assert "cart 'c1'.add has held the loop for" in text
    assert "correlation id cid-7" in text
    assert "in hold" in text
    assert held.hung == []


def test_the_thread_ends_the_host(caplog: pytest.LogCaptureFixture) -> None:
    held = Held(Watch(HostLimits(handler_slow_ms=4, handler_unready_ms=5, handler_hang_ms=20)))
    dog = Watchdog(held.watch, held.on_hang)
    dog.start()
    try:
        held.hold()
    finally:
        dog.stop()
    (reason,) = held.hung
    assert reason.startswith("cart 'c1'.add has held the loop for ")
    assert held.watch.blocked() == {"cart": reason}
    assert f"this host ends: {reason}" in caplog.text


def test_it_looks_at_the_thread_that_started_it() -> None:
    watch = Watch(HostLimits(handler_slow_ms=3_600_000))
    dog = Watchdog(watch, print)
    dog.start()
    try:
        before = dog.look()
        gc.collect()
        with watch.doing(Doing.LOAD, "cart", "c1", 5):
            after = dog.look()
        assert after.work == (5, Chore(Doing.LOAD, "cart", "c1"))
        assert watch.work is None
        assert before.at_ns < after.at_ns
        assert before.cpu_ns < after.cpu_ns
        assert before.queued_ns <= after.queued_ns
        assert before.collecting_ns < after.collecting_ns
    finally:
        dog.stop()
        dog.stop()
    assert dog._on_collection not in gc.callbacks


def test_a_kernel_without_schedstat_is_lived_with(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*args: object) -> int:
        raise FileNotFoundError("schedstat")

    monkeypatch.setattr(os, "open", nowhere)
    dog = Watchdog(Watch(HostLimits()), print)
    dog.start()
    assert dog.look().queued_ns == 0
    dog.stop()
