"""Metrics of views, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from actorkalix.gateway.metrics import Metrics
from actorkalix.gateway.view_metrics import ViewUse, of_feeds, of_views
from actorkalix_cluster.shardhost.observer import FeedStats, HostStats

FEED = FeedStats("carts", 4, 9, 5, 2, 1, 120, 3, "no room")
KEPT = ViewUse("carts", {"AK2036": 2}, True, 1, 120, 7, 3, True, 4, 9_000, 1.5)


def samples(families: Iterable[Metric]) -> dict[str, float]:
    found: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(sample.labels[name] for name in sorted(sample.labels))
            found[f"{sample.name} {labels}"] = sample.value
    return found


def test_lag_and_what_waits_are_shown_by_view() -> None:
    assert samples(of_feeds([FEED])) == {
        "actorkalix_view_entries_total carts": 120,
        "actorkalix_view_lag_records carts": 9,
        "actorkalix_view_waiting_entries carts": 2,
        "actorkalix_view_parked_subjects carts": 1,
        "actorkalix_view_refused_batches carts": 3,
    }


def test_what_became_of_records_shows_whoever_keeps_the_view() -> None:
    assert samples(of_views([KEPT, ViewUse("other", {"AK3012": 1})])) == {
        "actorkalix_view_query_errors_total AK2036,carts": 2,
        "actorkalix_view_query_errors_total AK3012,other": 1,
        "actorkalix_view_process_deaths_total carts": 1,
        "actorkalix_view_handled_total carts": 120,
        "actorkalix_view_duplicates_total carts": 7,
        "actorkalix_view_gaps_total carts": 3,
        "actorkalix_view_refused_total carts": 4,
        "actorkalix_view_process_cpu_seconds_total carts": 1.5,
        "actorkalix_view_whole carts": 1,
        "actorkalix_view_process_bytes carts": 9_000,
    }


def test_they_stand_among_the_metrics_of_a_host() -> None:
    metrics = Metrics()
    stats = HostStats({}, 0, 0, 1, {}, feeds=(FEED,))
    metrics.bind(lambda: stats, views=lambda: [KEPT])
    text = metrics.exposition("")[0].decode()
    assert 'actorkalix_view_lag_records{view="carts"} 9.0' in text
    assert 'actorkalix_view_gaps_total{view="carts"} 3.0' in text
