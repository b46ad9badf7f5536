"""Metrics of several hosts as one exposition (LT-32)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser

from actorkalix.gateway import scraping
from actorkalix.gateway.metrics import Metrics
from actorkalix.gateway.scraping import ClusterMetrics, metrics_methods
from actorkalix.ports import HostMethod, HostView
from actorkalix.runtime.fanout import LocalCalls
from actorkalix_cluster.shardhost.observer import HostStats
from tests.unit.actorkalix.runtime.cluster import Processes

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PARSER: Any = parser  # has no types
Hosts = dict[int, dict[str, HostMethod]]


def host(handled: int) -> dict[str, HostMethod]:
    """One that has answered a number of commands, with stats and a label to escape."""
    metrics = Metrics()
    for _ in range(handled):
        metrics.handled("cart", 'a"\\b', 0.002, "")
    metrics.bind(lambda: HostStats({"cart": handled}, 0, 0, 4, {}))
    return dict(metrics_methods(metrics))


def shown(hosts: Hosts, *views: HostView, accept: str = "") -> str:
    metrics = ClusterMetrics(LocalCalls(hosts), Processes(*views))
    return asyncio.run(metrics.scrape(accept))[0].decode()


def test_every_sample_names_its_store_and_every_family_comes_once() -> None:
    text = shown({0: host(2), 1: host(3)})
    for line in (
        'actorkalix_commands_total{component="cart",method="a\\"\\\\b",result="ok",store="0"} 2.0',
        'actorkalix_commands_total{component="cart",method="a\\"\\\\b",result="ok",store="1"} 3.0',
        'actorkalix_command_seconds_bucket{component="cart",le="0.00025",store="1"} 0.0',
        'actorkalix_command_seconds_count{component="cart",store="1"} 3.0',
        'actorkalix_live_entities{component="cart",store="0"} 2.0',
        'actorkalix_shards{store="1"} 4.0',
    ):
        assert f"\n{line}\n" in text
    described = [line for line in text.splitlines() if line.startswith(("# HELP", "# TYPE"))]
    names = [" ".join(line.split()[:3]) for line in described]
    assert len(names) == len(set(names))
    assert "# TYPE actorkalix_commands_total counter" in described


def test_both_formats_hold_the_same() -> None:
    text = shown({0: host(1), 1: host(1)}, HostView(0, "serving"), accept=OPENMETRICS)
    assert text.endswith("# EOF\n")
    families: Iterable[Metric] = PARSER.text_string_to_metric_families(text)  # strict
    samples = {
        (sample.name, sample.labels.get("store")): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples["actorkalix_commands_total", "1"] == 1
    assert samples["actorkalix_host_deaths_total", "0"] == 0
    plain = shown({0: host(1), 1: host(1)}, HostView(0, "serving"))
    for name, store in samples:
        assert name in plain, (name, store)


def test_the_controllers_own() -> None:
    text = shown(
        {},
        HostView(0, "serving", deaths=1, deaths_total=7),
        HostView(1, "fenced", deaths_total=5),
        HostView(2, "serving"),
    )
    for line in (
        'actorkalix_hosts{state="serving"} 2.0',
        'actorkalix_hosts{state="fenced"} 1.0',
        'actorkalix_hosts{state="draining"} 0.0',
        'actorkalix_host_deaths_total{store="0"} 7.0',
        'actorkalix_host_deaths_total{store="1"} 5.0',
        "actorkalix_stores_fenced 1.0",
    ):
        assert f"\n{line}\n" in f"\n{text}"


def test_who_does_not_answer_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(_: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    hosts: Hosts = {0: host(1), 1: {"metrics": hangs}, 2: {}}
    metrics = ClusterMetrics(LocalCalls(hosts), Processes())
    monkeypatch.setattr(scraping, "SCRAPE_S_MAX", 0.05)
    asyncio.run(metrics.scrape(""))
    text = asyncio.run(metrics.scrape(""))[0].decode()
    assert 'actorkalix_shards{store="0"} 4.0' in text
    assert 'actorkalix_shards{store="1"}' not in text
    for store, count in ((0, 0), (1, 2), (2, 2)):
        assert f'\nactorkalix_scrape_errors_total{{store="{store}"}} {count}.0\n' in text


def test_content_types_by_accept() -> None:
    metrics = ClusterMetrics(LocalCalls({}), Processes())
    assert asyncio.run(metrics.scrape(""))[1].startswith("text/plain; version=")
    assert asyncio.run(metrics.scrape(OPENMETRICS))[1].startswith("application/openmetrics-text")
