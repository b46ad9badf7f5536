"""Metrics of a whole service: those of every host with the label `store`, and the controller's own.

A host shows its own metrics to nobody but the controller, which asks for them at each scrape, in
OpenMetrics: of the two formats the one that loses nothing. Families that several hosts have become
one, with one HELP and TYPE. A host that does not answer soon is left out of this scrape and
counted, so that one that hangs does not take the others' metrics along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import parser

from actorkalix.errors import ActorkalixError
from actorkalix.gateway.metrics import Metrics
from actorkalix.ports import HOST_STATES, Fleet, FleetView, HostCalls, HostMethod

SCRAPE_S_MAX = 2.0  # for a host; Prometheus itself waits 10 s for all of us
LABEL = "store"
OPENMETRICS = "application/openmetrics-text"
_PARSER: Any = parser  # has no types


def metrics_methods(metrics: Metrics) -> Mapping[str, HostMethod]:
    """What a host offers to `ClusterMetrics`, by name.

    Args:
        metrics: the host's.
    """

    async def scrape(accept: bytes) -> bytes:
        wanted = msgspec.msgpack.decode(accept, type=str)
        return msgspec.msgpack.encode(metrics.exposition(wanted))

    return {"metrics": scrape}


class ClusterMetrics:
    """Shows the metrics of all hosts as one exposition.

    Args:
        calls: ways to the hosts.
        fleet: the processes, which are counted.
    """

    def __init__(self, calls: HostCalls, fleet: Fleet) -> None:
        self._calls = calls
        self._fleet = fleet
        self._errors: dict[int, int] = {}

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """The metrics as text, and its content type.

        Args:
            accept: header of the scrape; decides between Prometheus' own format and OpenMetrics.
        """
        async with asyncio.TaskGroup() as asking:
            tasks = {n: asking.create_task(self._of_host(n)) for n in self._calls.stores()}
        texts = {store: task.result() for store, task in tasks.items()}
        families = [*_merged(texts), *_of_fleet(self._fleet.fleet()), self._scrape_errors()]
        encode, content_type = choose_encoder(accept)
        return encode(_Families(families)), content_type

    async def _of_host(self, store: int) -> str:
        """Its exposition, or "" when it does not answer."""
        errors = self._errors.setdefault(store, 0)
        try:
            async with asyncio.timeout(SCRAPE_S_MAX):
                answer = await self._calls.call(
                    store, "metrics", msgspec.msgpack.encode(OPENMETRICS)
                )
        except (ActorkalixError, TimeoutError):
            self._errors[store] = errors + 1
            return ""
        text, _ = msgspec.msgpack.decode(answer, type=tuple[bytes, str])
        return text.decode()

    def _scrape_errors(self) -> Metric:
        text = "Scrapes that a store's host is missing from."
        family = CounterMetricFamily("actorkalix_scrape_errors", text, labels=[LABEL])
        for store, count in sorted(self._errors.items()):
            family.add_metric([str(store)], count)
        return family


def _merged(texts: Mapping[int, str]) -> list[Metric]:
    """The families of all hosts, each once, its samples with the store that they are of."""
    families: dict[str, Metric] = {}
    for store, text in sorted(texts.items()):
        parts: Iterable[Metric] = _PARSER.text_string_to_metric_families(text) if text else ()
        for part in parts:
            family = families.setdefault(
                part.name, Metric(part.name, part.documentation, part.type, part.unit)
            )
            family.samples += [
                sample._replace(labels={**sample.labels, LABEL: str(store)})
                for sample in part.samples
            ]
    return list(families.values())


def _of_fleet(fleet: FleetView) -> Iterator[Metric]:
    hosts = GaugeMetricFamily("actorkalix_hosts", "Hosts by what they do.", labels=["state"])
    for state in HOST_STATES:
        hosts.add_metric([state], sum(host.state == state for host in fleet.hosts))
    yield hosts
    text = "Host processes that died, since the controller began."
    deaths = CounterMetricFamily("actorkalix_host_deaths", text, labels=[LABEL])
    for host in fleet.hosts:
        deaths.add_metric([str(host.store)], host.deaths_total)
    yield deaths
    fenced = sum(host.state == "fenced" for host in fleet.hosts)
    text = "Stores that are not served until the service is started again."
    yield GaugeMetricFamily("actorkalix_stores_fenced", text, value=fenced)


class _Families:
    """What an encoder takes in place of a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
