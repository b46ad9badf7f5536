"""Metrics of a host for Prometheus; nobody else knows prometheus-client.

Names and labels are a contract with dashboards: units in the name, labels of few values (never an
entity id).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from actorkalix.gateway.process_metrics import of_dedicated
from actorkalix.gateway.view_metrics import ViewUse, of_feeds, of_views
from actorkalix.process_listing import DedicatedUse
from actorkalix_cluster.shardhost.observer import ConsumerStats, Fired, HostStats

SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
RECORDS = tuple(float(2**power) for power in range(13))  # 1 to 4,096
BYTES = tuple(float(4**power) for power in range(3, 12))  # 64 B to 4 MiB


class FolderUse(msgspec.Struct, frozen=True):
    """The data folder and its disk.

    Attributes:
        used_bytes: of the folder.
        free_bytes: of its disk.
        reclaimed_bytes, reclaimed_records: that this host has reclaimed in the log.
    """

    used_bytes: int
    free_bytes: int
    reclaimed_bytes: int = 0
    reclaimed_records: int = 0


class Metrics:
    """Keeps what happened and shows it: the shard host's `Observer`, the endpoint's `Answered`.

    Calls come from one event loop. What comes with every message is counted in plain numbers, and
    handed over at a scrape: the locks of prometheus-client cost ten times as much as counting.
    """

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._commands = Counter(
            "actorkalix_commands",
            "Commands and queries answered, by result: ok or error.",
            ["component", "method", "result"],
            registry=registry,
        )
        self._errors = Counter(
            "actorkalix_errors",
            "Errors answered over HTTP, by the number that `actorkalix explain` knows.",
            ["number"],
            registry=registry,
        )
        self._commit_records = Histogram(
            "actorkalix_commit_records",
            "Records in a commit.",
            buckets=RECORDS,
            registry=registry,
        )
        self._commit_bytes = Histogram(
            "actorkalix_commit_bytes",
            "Bytes that a commit wrote to the log.",
            buckets=BYTES,
            registry=registry,
        )
        self._commit_seconds = Histogram(
            "actorkalix_commit_seconds",
            "Seconds that a commit took, sync included.",
            buckets=SECONDS,
            registry=registry,
        )
        self._activations = Counter(
            "actorkalix_activations",
            "Entities loaded into memory.",
            ["component"],
            registry=registry,
        )
        self._activation_seconds = Histogram(
            "actorkalix_activation_seconds",
            "Seconds that loading an entity took.",
            buckets=SECONDS,
            registry=registry,
        )
        self._passivations = Counter(
            "actorkalix_passivations",
            "Entities that left memory.",
            ["component"],
            registry=registry,
        )
        self._http = Counter(
            "actorkalix_http_requests",
            "HTTP requests answered, by status.",
            ["status"],
            registry=registry,
        )
        self._timer_calls = Counter(
            "actorkalix_timer_calls",
            "Calls that named timers made, by what became of them: ok, failed, given_up.",
            ["result"],
            registry=registry,
        )
        self._results: dict[tuple[str, str, str], int] = {}
        self._statuses: dict[int, int] = {}
        self._fired: dict[Fired, int] = {}
        self._latencies = _Latencies()
        registry.register(self._latencies)
        self._gauges = _Gauges()
        registry.register(self._gauges)

    def bind(
        self,
        stats: Callable[[], HostStats],
        folder: Callable[[], FolderUse] | None = None,
        views: Callable[[], Sequence[ViewUse]] | None = None,
        dedicated: Callable[[], Sequence[DedicatedUse]] = tuple,
    ) -> None:
        """Names what is asked at every scrape.

        Args:
            stats: of the host.
            folder: the use of its data folder.
            views, dedicated: what it keeps processes for.
        """
        self._gauges.stats = stats
        self._gauges.dedicated = dedicated
        self._gauges.folder = folder
        self._gauges.views = views

    def handled(self, component: str, method: str, seconds: float, number: str) -> None:
        """A message was answered; `number` is "" or the AK number of its failure."""
        at = (component, method, "error" if number else "ok")
        self._results[at] = self._results.get(at, 0) + 1
        self._latencies.observe(component, seconds)

    def committed(self, appends: int, records: int, bytes_written: int, seconds: float) -> None:
        """A commit came back."""
        self._commit_records.observe(records)
        self._commit_bytes.observe(bytes_written)
        self._commit_seconds.observe(seconds)

    def activated(self, component: str, seconds: float) -> None:
        """An entity was loaded."""
        self._activations.labels(component).inc()
        self._activation_seconds.observe(seconds)

    def passivated(self, component: str) -> None:
        """An entity left memory."""
        self._passivations.labels(component).inc()

    def timer_fired(self, result: Fired) -> None:
        """A named timer's call was answered."""
        self._fired[result] = self._fired.get(result, 0) + 1

    def answered(self, status: int, number: str) -> None:
        """An HTTP request was answered; `number` is "" or the AK number of its problem."""
        self._statuses[status] = self._statuses.get(status, 0) + 1
        if number:
            self._errors.labels(number).inc()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics as text, and its content type.

        Args:
            accept: header of the scrape; decides between Prometheus' own format and OpenMetrics.
        """
        self._hand_over()
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _hand_over(self) -> None:
        """Give what was counted since the last scrape to the counters."""
        results, self._results = self._results, {}
        for labels, count in results.items():
            self._commands.labels(*labels).inc(count)
        statuses, self._statuses = self._statuses, {}
        for status, count in statuses.items():
            self._http.labels(str(status)).inc(count)
        fired, self._fired = self._fired, {}
        for result, count in fired.items():
            self._timer_calls.labels(result).inc(count)


class _Latencies:
    """A histogram of seconds by component, of plain numbers."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}  # by bucket; the last one has what is above all
        self._sums: dict[str, float] = {}

    def observe(self, component: str, seconds: float) -> None:
        """One more."""
        counts = self._counts.get(component)
        if counts is None:
            counts = self._counts[component] = [0] * (len(SECONDS) + 1)
            self._sums[component] = 0.0
        counts[bisect_left(SECONDS, seconds)] += 1
        self._sums[component] += seconds

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            "actorkalix_command_seconds",
            "Seconds from a command's or query's arrival at the host to its answer.",
            labels=["component"],
        )
        bounds = [*map(str, SECONDS), "+Inf"]
        for component, counts in self._counts.items():
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([component], buckets, self._sums[component])
        yield family


class _Gauges:
    """What is looked at when asked for, instead of being told."""

    stats: Callable[[], HostStats] | None = None
    folder: Callable[[], FolderUse] | None = None
    views: Callable[[], Sequence[ViewUse]] | None = None
    dedicated: Callable[[], Sequence[DedicatedUse]] = tuple

    def collect(self) -> Iterator[Metric]:
        if self.stats is not None:
            stats = self.stats()
            live = GaugeMetricFamily(
                "actorkalix_live_entities", "Entities in memory.", labels=["component"]
            )
            for component, count in stats.live.items():
                live.add_metric([component], count)
            yield live
            yield _gauge("mailbox_depth", "Messages that wait for their entity.", stats.mailbox)
            yield _gauge("commit_queue", "Appends not yet durable.", stats.commit_queue)
            yield _gauge("shards", "Shards that this host owns.", stats.shards)
            damaged = len(stats.damaged)
            yield _gauge("damaged_shards", "Shards not served for damage.", damaged)
            yield from _of_consumers(stats.consumers)
            yield from of_feeds(stats.feeds)
        if self.views is not None:
            yield from of_views(self.views())
        yield from of_dedicated(self.dedicated())
        if self.folder is not None:
            use = self.folder()
            yield _gauge("data_bytes", "Bytes of the data folder.", use.used_bytes)
            yield _gauge("disk_free_bytes", "Bytes free on its disk.", use.free_bytes)
            yield _counter("reclaimed_bytes", "Bytes reclaimed in the log.", use.reclaimed_bytes)
            yield _counter(
                "reclaimed_records", "Records reclaimed in the log.", use.reclaimed_records
            )


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"actorkalix_{name}", text, value=value)


def _of_consumers(consumers: Sequence[ConsumerStats]) -> Iterator[Metric]:
    """What each consumer has done and has still to do."""
    counters = (
        ("entries", "Entries that the consumer has handled.", "handled"),
        ("failures", "Times that the consumer failed.", "failures"),
        ("dead_letters", "Entries that the consumer has given up.", "dead"),
    )
    gauges = (
        ("parked_subjects", "Subjects that wait because the consumer fails on them.", "parked"),
        ("lag_records", "Records of the logs that the consumer has not passed.", "behind"),
        ("waiting_entries", "Entries in memory that the consumer has not handled.", "waiting"),
    )
    families: list[tuple[CounterMetricFamily | GaugeMetricFamily, str]] = [
        (CounterMetricFamily(f"actorkalix_consumer_{name}", text, labels=["consumer"]), field)
        for name, text, field in counters
    ]
    families += [
        (GaugeMetricFamily(f"actorkalix_consumer_{name}", text, labels=["consumer"]), field)
        for name, text, field in gauges
    ]
    for family, field in families:
        for one in consumers:
            family.add_metric([one.consumer], getattr(one, field))
        yield family
    paused = GaugeMetricFamily(
        "actorkalix_consumer_paused", "1 while the consumer waits as a whole.", labels=["consumer"]
    )
    for one in consumers:
        paused.add_metric([one.consumer], int(one.paused_until_ms > 0))
    yield paused


def _gauge(name: str, text: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"actorkalix_{name}", text, value=value)
