"""Metrics of processes beside a host: those of dedicated entities, by component."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from actorkalix.process_listing import DedicatedUse

LABEL = "component"


def of_dedicated(uses: Sequence[DedicatedUse]) -> Iterator[Metric]:
    """How many there are, what they use, what became of them; nothing where there never are any.

    Args:
        uses: by component.
    """
    if not uses:
        return
    there = GaugeMetricFamily(
        "actorkalix_dedicated_processes",
        "Processes of dedicated entities, by what they do.",
        labels=[LABEL, "state"],
    )
    memory = GaugeMetricFamily(
        "actorkalix_dedicated_bytes", "Memory of those on this node.", labels=[LABEL]
    )
    counters = (
        ("cpu_seconds", "Processor time of those on this node.", "cpu_s"),
        ("starts", "Processes that were begun.", "started"),
        ("deaths", "Processes that ended, or could not be made, unasked.", "deaths"),
    )
    families = [
        (CounterMetricFamily(f"actorkalix_dedicated_{name}", text, labels=[LABEL]), field)
        for name, text, field in counters
    ]
    for one in uses:
        there.add_metric([one.component, "starting"], one.starting)
        there.add_metric([one.component, "serving"], one.serving)
        memory.add_metric([one.component], one.memory_bytes)
        for family, field in families:
            family.add_metric([one.component], getattr(one, field))
    yield there
    yield memory
    for family, _ in families:
        yield family
