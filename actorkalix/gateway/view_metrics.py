"""Metrics of views: what feeds have handed over, and what became of it and of queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from actorkalix_cluster.shardhost.observer import FeedStats

LABEL = "view"


class ViewUse(msgspec.Struct, frozen=True):
    """A view as a host sees it.

    Attributes:
        view: its id.
        failed: queries that were not answered with a value, by the number of the error.
        keeps: the host keeps the view's process; only then the following is known.
        deaths: of that process.
        handled, duplicates, gaps: records, since the process began.
        whole: all there was has been read once.
        refused: records that its handlers failed on, since the process began.
        memory_bytes, cpu_s: of the process.
    """

    view: str
    failed: Mapping[str, int] = {}
    keeps: bool = False
    deaths: int = 0
    handled: int = 0
    duplicates: int = 0
    gaps: int = 0
    whole: bool = False
    refused: int = 0
    memory_bytes: int = 0
    cpu_s: float = 0.0


def of_feeds(feeds: Sequence[FeedStats]) -> Iterator[Metric]:
    """What this host's shards have for each view, and what of that the view has."""
    handed = CounterMetricFamily(
        "actorkalix_view_entries", "Entries that the view has taken of this host.", labels=[LABEL]
    )
    gauges = (
        ("lag_records", "Records of this host's logs that the view has not passed.", "behind"),
        ("waiting_entries", "Entries in memory that the view has not taken.", "waiting"),
        ("parked_subjects", "Subjects that wait because the view fails on them.", "held"),
        ("refused_batches", "Batches in a row that the view did not take.", "refused"),
    )
    families = [
        (GaugeMetricFamily(f"actorkalix_view_{name}", text, labels=[LABEL]), field)
        for name, text, field in gauges
    ]
    for one in feeds:
        handed.add_metric([one.feed], one.handed)
        for family, field in families:
            family.add_metric([one.feed], getattr(one, field))
    yield handed
    for family, _ in families:
        yield family


def of_views(views: Sequence[ViewUse]) -> Iterator[Metric]:
    """Queries that failed here; and of views that this host keeps, what became of records."""
    failed = CounterMetricFamily(
        "actorkalix_view_query_errors",
        "Queries of the view that were not answered with a value, by the number of the error.",
        labels=[LABEL, "number"],
    )
    counters = (
        ("process_deaths", "Ends of the view's process.", "deaths"),
        ("handled", "Records that the view's process has handled.", "handled"),
        ("duplicates", "Records that it had already.", "duplicates"),
        ("gaps", "Subjects that wait because a record of theirs is missing.", "gaps"),
        ("refused", "Records that its handlers failed on.", "refused"),
        ("process_cpu_seconds", "Processor time of the view's process.", "cpu_s"),
    )
    families = [
        (CounterMetricFamily(f"actorkalix_view_{name}", text, labels=[LABEL]), field)
        for name, text, field in counters
    ]
    whole = GaugeMetricFamily(
        "actorkalix_view_whole", "1 when all there was has been read once.", labels=[LABEL]
    )
    memory = GaugeMetricFamily(
        "actorkalix_view_process_bytes", "Memory of the view's process.", labels=[LABEL]
    )
    for one in views:
        for number, count in sorted(one.failed.items()):
            failed.add_metric([one.view, number], count)
        if one.keeps:
            whole.add_metric([one.view], int(one.whole))
            memory.add_metric([one.view], one.memory_bytes)
            for family, field in families:
                family.add_metric([one.view], getattr(one, field))
    yield failed
    for family, _ in families:
        yield family
    yield whole
    yield memory
