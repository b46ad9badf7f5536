"""What may go wrong in a simulated run, how often, and when.

There are two sorts. What goes wrong by itself (a batch lost, a write that fails) has a probability
an event, and a run draws it where the event is. What somebody or something does to a host (kill,
pause, partition) is planned before the run, each as a `Fault` of its own: a run that fails can then
be tried without it, and a person can read the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import msgspec

from .chance import Chance

CrashPoint = Literal["before_write", "after_write", "before_reply"]
Kind = Literal["kill", "pause", "replace", "twin", "partition", "full", "clock", "mistake"]
Preset = Literal["none", "usual", "harsh"]

_CRASH_POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)
_KINDS: tuple[Kind, ...] = get_args(Kind)

LONG_PAUSES = 0.1
"""Share of pauses of any length up to the longest: an exponential hardly ever draws such."""
INTERVAL_MIN_MS = 10
"""Of planned faults; more of them would leave no time in which anything works."""


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may go wrong and how often; without arguments as in `Faults.usual()`.

    Probabilities are from 0 to 1, times are of virtual time, whole and from 0 on. A mean interval
    of 0 is never, others are at least 10 ms. What is drawn with a minimum and a mean is the minimum
    and an exponential with that mean on top.

    Attributes:
        network_min_us, network_mean_us: a batch or receipt on its way between two hosts.
        drop: probability that a batch between hosts, or its receipt, is lost.
        swallow: that a batch is lost, and each time that it is sent again for up to 8 s.
        duplicate: that a batch arrives twice.
        reorder: that one takes many times as long, so that later ones arrive before it.
        partition_every_ms: mean interval of partitions of two hosts.
        partition_mean_ms: their mean length.
        partition_one_way: probability that a partition is in one direction only.
        client_min_us, client_mean_us: a request or answer between client and host.
        answer_lost: probability that a client never gets an answer.
        commit_min_us, commit_mean_us: a commit on a disk.
        commit_slow: probability that a commit takes 50 times as long.
        commit_fails: that a write fails before anything is stored.
        commit_breaks: that a sync fails; a coin says whether the write is stored.
        torn: that the write during which a process is killed is stored.
        full_every_ms: mean interval of full disks.
        full_mean_ms: how long a disk stays full.
        kill_every_ms: mean interval of kills of a host.
        pause_every_ms: mean interval of stops of a host.
        pause_mean_ms, pause_max_ms: how long a host is stopped; the longest at most 8,000.
        replace_every_ms: mean interval of graceful replacements of a host.
        twin_every_ms: mean interval of openings of a store whose host still lives, as if its lock
            did not hold: epochs alone keep the two apart.
        twin_mean_ms: how long the former host goes on.
        restart_min_us, restart_mean_us: from the end of a host to the next opening of its store.
        delivery_fails: probability that a consumer fails on what it was handed, before or after it
            has handled it.
        view_dies: probability that the process of a view dies while it takes a batch.
        view_lost: that its file is lost with it.
        mistake_every_ms: mean interval of processes of views that are taken for dead: another one
            is started, and both write one file.
        mistake_mean_ms: how long the former one goes on.
        place_mean_us: each step of a dedicated entity's process.
        place_fails: that such a process ends, each time before it runs something, and before the
            answer leaves.
        crash_at: probability, a visit, that a host is killed at a step of the commit path:
            `before_write`, `after_write` (stored, nobody told), `before_reply`.
        clock_every_ms: mean interval of jumps of a host's clock.
        clock_forward_ms, clock_backward_ms: the longest jumps.
        clock_skew_ms: how far a host's clock may be off when it starts.
    """

    network_min_us: int = 50
    network_mean_us: int = 300
    drop: float = 0.01
    swallow: float = 0.0005
    duplicate: float = 0.01
    reorder: float = 0.02
    partition_every_ms: int = 1_000
    partition_mean_ms: int = 150
    partition_one_way: float = 0.4
    client_min_us: int = 50
    client_mean_us: int = 200
    answer_lost: float = 0.01
    commit_min_us: int = 100
    commit_mean_us: int = 400
    commit_slow: float = 0.01
    commit_fails: float = 0.005
    commit_breaks: float = 0.001
    torn: float = 0.5
    full_every_ms: int = 3_000
    full_mean_ms: int = 60
    kill_every_ms: int = 1_000
    pause_every_ms: int = 1_200
    pause_mean_ms: int = 200
    pause_max_ms: int = 8_000
    replace_every_ms: int = 3_000
    twin_every_ms: int = 4_000
    twin_mean_ms: int = 100
    restart_min_us: int = 5_000
    restart_mean_us: int = 40_000
    delivery_fails: float = 0.01
    view_dies: float = 0.02
    view_lost: float = 0.1
    mistake_every_ms: int = 2_000
    mistake_mean_ms: int = 200
    place_mean_us: int = 300
    place_fails: float = 0.01
    crash_at: dict[CrashPoint, float] = msgspec.field(
        default_factory=lambda: dict.fromkeys(_CRASH_POINTS, 0.002)
    )
    clock_every_ms: int = 2_500
    clock_forward_ms: int = 2_000
    clock_backward_ms: int = 500
    clock_skew_ms: int = 50

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if name != "crash_at":
                _check(name, getattr(self, name))
        for point, probability in self.crash_at.items():
            if point not in _CRASH_POINTS:
                known = ", ".join(_CRASH_POINTS)
                raise ValueError(f"crash_at: there is no step {point!r}; there are {known}")
            _check_probability(f"crash_at.{point}", probability)

    @classmethod
    def none(cls) -> Faults:
        """Nothing goes wrong; messages and commits take their minimal time."""
        return _NONE

    @classmethod
    def usual(cls) -> Faults:
        """What a bad day has: 3 to 6 planned faults in 200 operations, and some loss."""
        return _USUAL

    @classmethod
    def harsh(cls) -> Faults:
        """Hardly anything works: three times as many faults, longer ones, a lossy network."""
        return _HARSH

    @classmethod
    def preset(cls, name: Preset) -> Faults:
        """The preset of this name."""
        return _PRESETS[name]


class Conditions:
    """What goes wrong by itself at present.

    Attributes:
        rates: how often it does; nothing more from the healing on.
    """

    def __init__(self, rates: Faults) -> None:
        self.rates = rates


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A planned fault.

    Attributes:
        at_us: when, in microseconds from the start of the run.
        kind: what happens.
        host: number of the host (of its store) that it happens to.
        other: a partition's other host, else -1.
        length_us: how long it lasts: a pause, a partition, a full disk, a life beside a twin;
            else 0.
        amount: microseconds by which a clock jumps; 1 for a partition in which only what `host`
            sends to `other` is lost; else 0.
    """

    at_us: int
    kind: Kind
    host: int
    other: int = -1
    length_us: int = 0
    amount: int = 0

    def __str__(self) -> str:
        """As `at 1,203.4 ms: pause host 1 for 840.0 ms`."""
        return f"at {_ms(self.at_us)}: {self._what()}"

    def _what(self) -> str:
        host, length = f"host {self.host}", f"for {_ms(self.length_us)}"
        match self.kind:
            case "pause":
                return f"pause {host} {length}"
            case "partition" if self.amount:
                return f"lose what {host} sends to host {self.other} {length}"
            case "partition":
                return f"part {host} from host {self.other} {length}"
            case "full":
                return f"fill the disk of {host} {length}"
            case "mistake":
                return f"take the process of view {self.host} for dead, which lives on {length}"
            case "twin":
                return f"open the store of {host}, which lives on {length}"
            case "clock":
                return f"set the clock of {host} {_ms(self.amount, sign='+')}"
            case _:
                return f"{self.kind} {host}"


def plan_faults(chance: Chance, rates: Faults, *, hosts: int, length_us: int) -> tuple[Fault, ...]:
    """The faults of a run, in the order of their times.

    Args:
        chance: each kind of fault has a stream of its own from it.
        rates: how often each kind happens, and for how long.
        hosts: how many there are; with one there are no partitions.
        length_us: how long the run is at least; all faults begin within it.
    """
    found = [
        fault
        for kind in _KINDS
        if kind != "partition" or hosts > 1
        for fault in _of_kind(kind, chance.fork(kind), rates, hosts, length_us)
    ]
    return tuple(sorted(found, key=lambda fault: fault.at_us))  # stable: kinds keep their order


def _of_kind(
    kind: Kind, chance: Chance, rates: Faults, hosts: int, length_us: int
) -> Iterator[Fault]:
    """A Poisson process: exponential times between two faults of a kind."""
    every_us = getattr(rates, f"{kind}_every_ms") * 1000
    at_us = chance.exponential_us(every_us) if every_us else length_us
    while at_us < length_us:
        yield _fault(kind, at_us, chance, rates, hosts)
        at_us += chance.exponential_us(every_us)


def _fault(kind: Kind, at_us: int, chance: Chance, rates: Faults, hosts: int) -> Fault:
    host = chance.integer(0, hosts - 1)
    match kind:
        case "pause":
            return Fault(at_us=at_us, kind=kind, host=host, length_us=_pause_us(chance, rates))
        case "partition":
            return Fault(
                at_us=at_us,
                kind=kind,
                host=host,
                other=(host + chance.integer(1, hosts - 1)) % hosts,
                length_us=1 + chance.exponential_us(rates.partition_mean_ms * 1000),
                amount=int(chance.happens(rates.partition_one_way)),
            )
        case "full":
            length_us = 1 + chance.exponential_us(rates.full_mean_ms * 1000)
            return Fault(at_us=at_us, kind=kind, host=host, length_us=length_us)
        case "twin":
            length_us = 1 + chance.exponential_us(rates.twin_mean_ms * 1000)
            return Fault(at_us=at_us, kind=kind, host=host, length_us=length_us)
        case "mistake":
            length_us = 1 + chance.exponential_us(rates.mistake_mean_ms * 1000)
            return Fault(at_us=at_us, kind=kind, host=host, length_us=length_us)
        case "clock":
            back_us, forward_us = rates.clock_backward_ms * 1000, rates.clock_forward_ms * 1000
            amount = chance.integer(0, forward_us)
            if chance.happens(0.5):
                amount = -chance.integer(0, back_us)
            return Fault(at_us=at_us, kind=kind, host=host, amount=amount)
        case _:
            return Fault(at_us=at_us, kind=kind, host=host)


def _pause_us(chance: Chance, rates: Faults) -> int:
    longest_us = rates.pause_max_ms * 1000
    if chance.happens(LONG_PAUSES):
        return chance.integer(1, max(1, longest_us))
    return max(1, min(longest_us, chance.exponential_us(rates.pause_mean_ms * 1000)))


# ---- checks --------------------------------------------------------------------------------------
PROBABILITIES = (
    *("drop", "swallow", "duplicate", "reorder", "partition_one_way", "answer_lost"),
    *("commit_slow", "commit_fails", "commit_breaks", "torn", "delivery_fails", "place_fails"),
    *("view_dies", "view_lost"),
)
PAUSE_MAX_MS = 8_000
TIME_MAX_MS = 3_600_000


def _check(name: str, value: object) -> None:
    if name in PROBABILITIES:
        _check_probability(name, value)
        return
    most = PAUSE_MAX_MS if name == "pause_max_ms" else TIME_MAX_MS
    unit, most = ("microseconds", most * 1000) if name.endswith("_us") else ("ms", most)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{name} is {value!r}; it is a whole number of {unit} from 0 to {most:,}")
    if name.endswith("_every_ms") and 0 < value < INTERVAL_MIN_MS:
        raise ValueError(
            f"{name} is {value}; it is 0 for never, or a mean interval of at least "
            f"{INTERVAL_MIN_MS} ms"
        )


def _check_probability(name: str, value: Any) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{name} is {value!r}; it is a probability from 0 to 1")


def _ms(us: int, sign: Literal["", "+"] = "") -> str:
    return f"{us / 1000:{sign},.1f} ms"


# ---- presets -------------------------------------------------------------------------------------
_USUAL = Faults()
_NONE = Faults(
    network_mean_us=0,
    drop=0,
    swallow=0,
    duplicate=0,
    reorder=0,
    partition_every_ms=0,
    client_mean_us=0,
    answer_lost=0,
    commit_mean_us=0,
    commit_slow=0,
    commit_fails=0,
    commit_breaks=0,
    torn=0,
    full_every_ms=0,
    kill_every_ms=0,
    pause_every_ms=0,
    replace_every_ms=0,
    twin_every_ms=0,
    restart_mean_us=0,
    delivery_fails=0,
    view_dies=0,
    view_lost=0,
    mistake_every_ms=0,
    place_mean_us=0,
    place_fails=0,
    crash_at={},
    clock_every_ms=0,
    clock_skew_ms=0,
)
_HARSH = Faults(
    network_mean_us=2_000,
    drop=0.1,
    swallow=0.005,
    duplicate=0.1,
    reorder=0.1,
    partition_every_ms=300,
    partition_mean_ms=400,
    answer_lost=0.05,
    commit_mean_us=1_000,
    commit_slow=0.05,
    commit_fails=0.02,
    commit_breaks=0.005,
    full_every_ms=1_000,
    full_mean_ms=200,
    kill_every_ms=250,
    pause_every_ms=300,
    pause_mean_ms=1_000,
    replace_every_ms=1_000,
    twin_every_ms=1_500,
    twin_mean_ms=300,
    restart_mean_us=100_000,
    delivery_fails=0.1,
    view_dies=0.1,
    view_lost=0.2,
    mistake_every_ms=500,
    place_mean_us=2_000,
    place_fails=0.05,
    crash_at=dict.fromkeys(_CRASH_POINTS, 0.01),
    clock_every_ms=800,
    clock_forward_ms=60_000,
    clock_backward_ms=10_000,
    clock_skew_ms=1_000,
)
_PRESETS: dict[Preset, Faults] = {"none": _NONE, "usual": _USUAL, "harsh": _HARSH}
