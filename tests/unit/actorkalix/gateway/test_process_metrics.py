"""Metrics of dedicated entities' processes, as Prometheus reads them."""

from __future__ import annotations

from actorkalix.gateway.metrics import Metrics
from actorkalix.gateway.process_metrics import of_dedicated
from actorkalix.process_listing import DedicatedUse
from actorkalix_cluster.shardhost.observer import HostStats
from tests.unit.actorkalix.gateway.test_view_metrics import samples

USE = DedicatedUse("model", 1, 2, 5_000, 3.5, 9, 4)


def test_they_are_shown_by_component() -> None:
    assert samples(of_dedicated([USE])) == {
        "actorkalix_dedicated_processes model,starting": 1,
        "actorkalix_dedicated_processes model,serving": 2,
        "actorkalix_dedicated_bytes model": 5_000,
        "actorkalix_dedicated_cpu_seconds_total model": 3.5,
        "actorkalix_dedicated_starts_total model": 9,
        "actorkalix_dedicated_deaths_total model": 4,
    }
    assert list(of_dedicated([])) == []


def test_they_stand_among_the_metrics_of_a_host() -> None:
    metrics = Metrics()
    assert b"dedicated" not in metrics.exposition("")[0]
    stats = HostStats({}, 0, 0, 1, {})
    metrics.bind(lambda: stats, dedicated=lambda: [USE])
    text = metrics.exposition("")[0].decode()
    assert 'actorkalix_dedicated_processes{component="model",state="serving"} 2.0' in text
