"""What benchmarks are asked and what they give: settings, rows with targets, points of curves.

A row is one fact: a figure, where it makes sense beside another that was taken in the same run, in
turn with it. Figures are medians over the rounds, ratios the median of the rounds' ratios: the
machine is shared with the load generator and with whatever else runs, and both sides of a ratio
suffer from that alike. A row knows what it has to reach.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from .load import Load


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """How large and for how long; without more words the full size.

    Attributes:
        scratch: where stores are kept that take long to make.
        rounds: measurements of each figure.
        seconds: of a measurement.
        connections: of HTTP, and callers where there is no HTTP; one request in flight on each.
        keys: entities that a load is spread over.
        clients: points of the group commit curve.
        entities: on disk, points of that curve; rows compare the last with the first.
        cold: first commands whose latency is taken.
        idle: live entities whose memory is taken.
        storm: cold entities that are activated in a burst.
        events: of the entity that has many; one below a snapshot, so that most is replayed.
        timers: named timers that are started, and fire.
        waiting: those that wait while nothing happens.
        updates: of value entities, while the data file is looked at.
        large: bytes of a large state.
        floods, flood_s: rounds with more than is taken, and how long each is.
        histories: of a simulated cluster, on all cores together.
        hosts: numbers of hosts on this node.
        view_events: of which a view is made.
        view_rate: commands a second while a view's lag is taken.
        view_rows, view_pages: of a large view, and how many of its pages are read.
        workflows: of three steps, from start to end.
        peer_workflows: the same of those that ours stand beside; 0 leaves them out.
        paused: workflows whose memory is taken.
        running: workflows that go on after a kill.
    """

    scratch: Path
    rounds: int = 5
    seconds: float = 2.0
    connections: int = 64
    keys: int = 1_000
    clients: tuple[int, ...] = (1, 4, 16, 64, 256, 1_024)
    entities: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    cold: int = 1_000
    idle: int = 50_000
    storm: int = 100_000
    events: int = 99_999
    timers: int = 50_000
    waiting: int = 1_000_000
    updates: int = 2_000_000
    large: int = 10_000_000
    floods: int = 3
    flood_s: float = 30.0
    histories: int = 200
    hosts: tuple[int, ...] = (1, 2, 4)
    view_events: int = 200_000
    view_rate: int = 2_000
    view_rows: int = 1_000_000
    view_pages: int = 10_000
    workflows: int = 5_000
    peer_workflows: int = 400
    paused: int = 100_000
    running: int = 10_000


Of = Literal["value", "ratio", "excess"]


class Target(msgspec.Struct, frozen=True):
    """What a row has to reach.

    Attributes:
        of: the figure itself, its ratio to the other one, or how much it is above that.
        bound: in the row's unit; of a ratio, a factor.
        at_most: it is to be no more than that; else no less.
    """

    of: Of
    bound: float
    at_most: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table.

    Attributes:
        what: was measured.
        beside: what else, "" for nothing.
        durable: answers leave when what they say is on disk; None where nothing is written.
        payload_bytes: of a request's body.
        connections: requests in flight at a time; 0 where that is not the question.
        percentile: of latencies; "" for figures that are none.
        unit: of both figures.
        value: median over the rounds.
        other: the same of `beside`.
        ratio: median over the rounds of value : other.
        p99_ms: of the requests that the value comes from, median over the rounds.
        targets: all are to be reached; a row without any is there to be looked at.
    """

    what: str
    beside: str = ""
    durable: bool | None = None
    payload_bytes: int = 0
    connections: int = 0
    percentile: str = ""
    unit: str
    value: float
    other: float | None = None
    ratio: float | None = None
    p99_ms: float | None = None
    targets: tuple[Target, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether it reaches its targets; None where it has none."""
        return all(_reaches(self, target) for target in self.targets) if self.targets else None


class CommitPoint(msgspec.Struct, frozen=True):
    """A point of the group commit curve: the round with the median rate."""

    clients: int
    rate: float
    commits: float
    p50_ms: float
    p99_ms: float


class EntitiesPoint(msgspec.Struct, frozen=True):
    """What so many entities on disk cost: opening, a first command, a later one, a load, memory.

    `bytes_each` is what an entity that was asked takes, with what the allocator keeps.
    """

    entities: int
    open_ms: float
    cold_ms: float
    warm_ms: float
    rate: float
    bytes_each: float


Result = Row | CommitPoint | EntitiesPoint


def at_least(bound: float, of: Of = "value") -> Target:
    """Reached by this or more."""
    return Target(of, bound)


def at_most(bound: float, of: Of = "value") -> Target:
    """Reached by this or less."""
    return Target(of, bound, True)


def rate_row(
    what: str,
    mine: Sequence[Load],
    beside: str = "",
    others: Sequence[Load] = (),
    *,
    targets: tuple[Target, ...] = (),
    durable: bool | None = True,
    payload_bytes: int = 0,
    unit: str = "commands/s",
) -> Row:
    """A row of rates, from loads taken round by round in turn."""
    return Row(
        what=what,
        beside=beside,
        durable=durable,
        payload_bytes=payload_bytes,
        connections=mine[0].connections,
        unit=unit,
        value=statistics.median(load.rate for load in mine),
        other=statistics.median(load.rate for load in others) if others else None,
        ratio=ratio_of([load.rate for load in mine], [load.rate for load in others]),
        p99_ms=statistics.median(load.p99_ms for load in mine),
        targets=targets,
    )


def latency_row(
    what: str,
    mine: Sequence[Load],
    beside: str,
    others: Sequence[Load],
    *,
    targets: tuple[Target, ...],
    durable: bool | None = True,
    payload_bytes: int = 0,
) -> Row:
    """A row of median latencies."""
    return Row(
        what=what,
        beside=beside,
        durable=durable,
        payload_bytes=payload_bytes,
        connections=mine[0].connections,
        percentile="p50",
        unit="ms",
        value=statistics.median(load.p50_ms for load in mine),
        other=statistics.median(load.p50_ms for load in others),
        ratio=ratio_of([load.p50_ms for load in mine], [load.p50_ms for load in others]),
        p99_ms=statistics.median(load.p99_ms for load in mine),
        targets=targets,
    )


def ratio_of(mine: Sequence[float], others: Sequence[float]) -> float | None:
    """Median of the rounds' ratios; None where there is nothing beside."""
    if not others:
        return None
    return statistics.median(one / other for one, other in zip(mine, others, strict=True))


def _reaches(row: Row, target: Target) -> bool:
    figure = row.value
    if target.of != "value":
        assert row.other is not None and row.ratio is not None, f"{row.what} stands beside nothing"
        figure = row.ratio if target.of == "ratio" else row.value - row.other
    return figure <= target.bound if target.at_most else figure >= target.bound
