"""The watchdog: which user code holds the loop, how long, and what follows (architecture 22).

Theory of operation. All user code of a host runs on its loop, so what holds the loop stops every
entity of the host. The loop writes into `Watch.work` what it begins and None when that is over:
two assignments, no clock, no lock. A thread of its own looks at it every 25 ms; what it finds there
twice has held the loop in between. `Watch.judge` decides on what a look has found and is pure,
`Watchdog` is the thread around it.

    held for            follows
    handler_slow_ms     a warning with the loop's stack (one a handler each 10 s, with a count);
                        a strike, when it is a handler
    strikes_max times   the component is blocked: AK3007 until the next start, others go on
    handler_unready_ms  `unready` has a reason: the host gets no new connections
    handler_hang_ms     the component is blocked and `on_hang` ends the process

A strike is: one step that was really running for `handler_slow_ms`, whether it worked or slept,
once a step. Loads, snapshots and remembered replies are named and may hang as well, but bring no
strike: how long a load takes is up to how much is stored. Not its fault, and taken off:

    the thread waited for a CPU         as the kernel counts it (schedstat; 0 where there is none)
    a full collection of garbage        whoever allocates next pays for all
    the watchdog itself came late       then everything was stopped (SIGSTOP, a frozen or throttled
                                        machine) or the step kept the interpreter lock: only CPU
                                        time of the loop's thread counts beyond two ticks

What waits for a disk or for a lock counts: a handler has no business there. So a machine that
swaps can bring a strike; it takes three.

Threads: `work` is written on the loop alone, everything else on the watchdog's thread alone; any
thread may ask. Whoever reads a dict that may change takes a copy, which is one operation.
"""

from __future__ import annotations

import enum
import gc
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Message

log = logging.getLogger("actorkalix.entity")

TICK_MS = 25  # a quarter of handler_slow: what is named has been seen several times
LATE_TICKS = 2  # a longer gap between two looks says that the watchdog did not run
TOLD_EVERY_NS = 10_000_000_000
FRAMES_MAX = 20  # innermost; what is above them is the loop's own
MS = 1_000_000  # nanoseconds


class Doing(enum.Enum):
    """User code that is no handler."""

    LOAD = "load"
    SNAPSHOT = "snapshot"
    REMEMBERED = "remembered reply"


class Chore(msgspec.Struct, frozen=True):
    """What a host does with an entity besides its handlers."""

    doing: Doing
    component: str
    entity: str


Work = tuple[int, Message | Chore]
"""Host's time at the begin, and what a handler handles or a chore; each begin makes a new one."""


class Look(msgspec.Struct, frozen=True):
    """What the watchdog saw at once. Nanoseconds but for `now_ms`; only differences count.

    Attributes:
        at_ns: when, on a clock that only goes on.
        now_ms: the same on the host's clock, which may jump.
        cpu_ns: CPU time of the loop's thread.
        queued_ns: how long that thread was ready and had no CPU.
        collecting_ns: how long garbage was collected.
        work: what ran, read after the times.
    """

    at_ns: int
    now_ms: int
    cpu_ns: int
    queued_ns: int
    collecting_ns: int
    work: Work | None


class Slow(msgspec.Struct, frozen=True):
    """Work that has held the loop for long; `untold` others of the same handler since the last."""

    work: Work
    held_ms: int
    untold: int


class Blocked(msgspec.Struct, frozen=True):
    """A component answers nothing from now on."""

    component: str
    reason: str


class Hung(msgspec.Struct, frozen=True):
    """The host has to end."""

    reason: str


Finding = Slow | Blocked | Hung


class Watch:
    """What the loop does now, and the books about it. See the head of this file.

    Args:
        limits: of the host.
        blocked: components that are blocked already, with the reason; a host that takes over
            from one that hung must know them.
    """

    def __init__(self, limits: HostLimits, blocked: Mapping[str, str] | None = None) -> None:
        self._limits = limits
        self.work: Work | None = None
        self.off = dict(blocked or {})  # looked into before each message: a dict, no call
        self._strikes: dict[str, int] = {}
        self._before: Look | None = None
        self._held: tuple[Work | None, int] = (None, 0)
        self._was_slow = False
        self._told: dict[tuple[str, str], tuple[int, int]] = {}  # until when, untold since

    @contextmanager
    def doing(self, doing: Doing, component: str, entity: str, now_ms: int) -> Generator[None]:
        """User code runs within; the driver writes `work` by hand, for it does so most."""
        self.work = (now_ms, Chore(doing, component, entity))
        try:
            yield
        finally:
            self.work = None

    # ---- asked by any thread ------------------------------------------------------------------
    def held_ms(self) -> int:
        """How long the loop is held by what it runs now, as of the last look."""
        work, ns = self._held
        return ns // MS if work is not None and work is self.work else 0

    def held_by(self) -> str:
        """What the loop runs now, or ""."""
        work = self.work
        return "" if work is None else name_of(work)

    def unready(self) -> str:
        """Why the host is not ready, or ""."""
        held_ms, held_by = self.held_ms(), self.held_by()
        if held_ms < self._limits.handler_unready_ms or not held_by:
            return ""
        return f"{held_by} has held the loop for {held_ms} ms"

    def strikes(self) -> dict[str, int]:
        """How often handlers of a component held the loop for long."""
        return dict(self._strikes)

    def blocked(self) -> dict[str, str]:
        """Components that answer nothing until the next start, with the reason."""
        return dict(self.off)

    # ---- on the watchdog's thread -------------------------------------------------------------
    def judge(self, look: Look) -> list[Finding]:
        """What follows from a look; looks come in the order of their time."""
        before, self._before = self._before, look
        work, (seen, held_ns) = look.work, self._held
        if work is None or before is None:
            self._held = (None, 0)
            return []
        more_ns = self._ran_ns(before, look)
        if work is not seen:
            self._was_slow = False
            held_ns, more_ns = 0, min(more_ns, max(0, look.now_ms - work[0]) * MS)
        held_ns += more_ns
        self._held = (work, held_ns)
        findings: list[Finding] = []
        held_ms = held_ns // MS
        if held_ms >= self._limits.handler_slow_ms and not self._was_slow:
            self._was_slow = True
            findings += self._slow(work, held_ms, look.at_ns)
        if held_ms >= self._limits.handler_hang_ms:
            reason = f"{name_of(work)} has held the loop for {held_ms} ms"
            self.off.setdefault(work[1].component, reason)
            findings.append(Hung(reason))
        return findings

    def _ran_ns(self, before: Look, look: Look) -> int:
        """How long what runs has really run between two looks."""
        gap_ns = look.at_ns - before.at_ns
        wall_ns = gap_ns - (look.queued_ns - before.queued_ns)
        wall_max_ns = LATE_TICKS * tick_ms(self._limits) * MS
        ran_ns = max(min(wall_ns, wall_max_ns), min(gap_ns, look.cpu_ns - before.cpu_ns))
        return max(0, ran_ns - (look.collecting_ns - before.collecting_ns))

    def _slow(self, work: Work, held_ms: int, at_ns: int) -> Iterator[Finding]:
        component = work[1].component
        handler = (component, _method_of(work[1]))
        until_ns, untold = self._told.get(handler, (at_ns, 0))
        if at_ns < until_ns:
            self._told[handler] = (until_ns, untold + 1)
        else:
            self._told[handler] = (at_ns + TOLD_EVERY_NS, 0)
            yield Slow(work, held_ms, untold)
        if isinstance(work[1], Chore) or component in self.off:
            return
        count = self._strikes[component] = self._strikes.get(component, 0) + 1
        if count >= self._limits.handler_strikes_max:
            reason = (
                f"its handlers held the loop {count} times for {self._limits.handler_slow_ms} ms "
                f"or longer, the last one was {name_of(work)}"
            )
            self.off[component] = reason
            yield Blocked(component, reason)


class Watchdog:
    """The thread that looks.

    Args:
        watch: of the host.
        on_hang: is told on the watchdog's thread why the process has to end; it ends it.
    """

    def __init__(self, watch: Watch, on_hang: Callable[[str], object]) -> None:
        self._watch = watch
        self._on_hang = on_hang
        self._tick_s = tick_ms(watch._limits) / 1_000
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._collecting_ns = self._collects_since_ns = 0

    def start(self) -> None:
        """Look at the thread that calls this from now on: the loop's."""
        assert self._thread is None, "a watchdog starts once"
        self._loop_thread = threading.get_ident()
        self._cpu_clock = time.pthread_getcpuclockid(self._loop_thread)
        self._schedstat = -1
        with suppress(OSError):  # a kernel without it: what it would tell is taken as 0
            path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
            self._schedstat = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        gc.callbacks.append(self._on_collection)
        self._thread = threading.Thread(target=self._run, name="actorkalix-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; on the loop's thread."""
        if self._thread is None or self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        gc.callbacks.remove(self._on_collection)
        if self._schedstat >= 0:
            os.close(self._schedstat)

    def look(self) -> Look:
        """What is to be seen now."""
        # In one go, the work last: what is seen has run at least since the times read before it.
        # The file after that, for reading it gives the interpreter lock away, and a step that kept
        # it until now would be over before it is seen.
        at_ns = time.monotonic_ns()
        cpu_ns = time.clock_gettime_ns(self._cpu_clock)
        now_ms = time.time_ns() // MS
        work = self._watch.work
        collecting_ns = self._collecting_ns
        if self._collects_since_ns:  # it may be over, and just not written down
            collecting_ns += at_ns - self._collects_since_ns
        queued_ns = 0
        if self._schedstat >= 0:
            queued_ns = int(os.pread(self._schedstat, 64, 0).split()[1])
        return Look(at_ns, now_ms, cpu_ns, queued_ns, collecting_ns, work)

    def _run(self) -> None:
        while not self._stop.wait(self._tick_s):
            for finding in self._watch.judge(self.look()):
                self._tell(finding)
                if isinstance(finding, Hung):
                    return

    def _tell(self, finding: Finding) -> None:
        match finding:
            case Slow(work, held_ms, untold):
                self._warn(work, held_ms, untold)
            case Blocked(component, reason):
                log.error("%s answers 503 AK3007 until the next start: %s", component, reason)
            case Hung(reason):
                log.critical("this host ends: %s\n%s", reason, self._stack())
                self._on_hang(reason)

    def _warn(self, work: Work, held_ms: int, untold: int) -> None:
        stack = self._stack()
        if self._watch.work is not work:
            stack = "  it has ended just now, so its stack is gone"
        log.warning(
            "%s has held the loop for %d ms, no entity of this host is answered meanwhile; "
            "correlation id %s%s\n%s",
            name_of(work),
            held_ms,
            "none" if isinstance(work[1], Chore) else work[1].correlation_id,
            f"; {untold} more times since this was last said" if untold else "",
            stack,
        )

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        return "".join(traceback.format_stack(frame, FRAMES_MAX)).rstrip() if frame else ""

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:  # young ones are short, and many
            return
        now_ns = time.monotonic_ns()
        if phase == "start":
            self._collects_since_ns = now_ns
        else:
            self._collecting_ns += now_ns - self._collects_since_ns
            self._collects_since_ns = 0


def tick_ms(limits: HostLimits) -> int:
    """Time between two looks."""
    return max(1, min(TICK_MS, limits.handler_slow_ms // 4))


def name_of(work: Work) -> str:
    """What a log line calls it."""
    what = work[1]
    if isinstance(what, Chore):
        return f"the {what.doing.value} of {what.component} {what.entity!r}"
    return f"{what.component} {what.entity!r}.{_method_of(what)}"


def _method_of(what: Message | Chore) -> str:
    if isinstance(what, Chore):
        return what.doing.value
    return what.method or what.kind.name.lower()
