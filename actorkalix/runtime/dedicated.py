"""Entities with a process of their own: what a host asks Ray for, and what runs there.

`PlacesOnRay` is the host's side, `answers` is named in its order and called in the process, which
imports the service as hosts do. There each entity is run by the same behavior as in a host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.model.hosting import Dedicated
from actorkalix.process_listing import DedicatedUse, ProcessView
from actorkalix.runtime.composition import dedicated_components
from actorkalix.runtime.development import development
from actorkalix.runtime.loading import ServiceSpec, load
from actorkalix.runtime.logs import log_to_stderr
from actorkalix.runtime.orders import HostConfig
from actorkalix_cluster.rayhost.dedicated import DedicatedPlaces, PlaceSeen, PlacesTally
from actorkalix_cluster.rayhost.tasks import TaskOptions
from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.elsewhere import Places
from actorkalix_cluster.shardhost.resident import Resident

FACTORY = "actorkalix.runtime.dedicated:answers"


class ProcessConfig(msgspec.Struct, frozen=True):
    """What a process is told to be; travels as msgpack.

    Attributes:
        spec: where the service is defined; the process imports it itself.
        dev: as in `RunConfig`.
    """

    spec: ServiceSpec
    dev: bool


class PlacesOnRay:
    """For `build_host`: dedicated entities run in Ray actors of their own.

    Args:
        service: whose entities.
        config: what the host was told to be; the processes are made likewise.
    """

    def __init__(self, service: ServiceDescriptor, config: HostConfig) -> None:
        self._service = service
        self._config = config
        self._places: DedicatedPlaces | None = None

    def __call__(self, _: Mapping[str, Behavior[Any]]) -> Places:
        """Make them, once."""
        config = self._config
        assert config.making is not None, "a host of a run"
        told = msgspec.msgpack.encode(ProcessConfig(config.spec, config.dev))
        options = {
            component: options_of(hosting)
            for component, hosting in dedicated_components(self._service).items()
        }
        self._places = DedicatedPlaces(config.making, FACTORY, told, options)
        return self._places

    def processes(self, store: int) -> list[ProcessView]:
        """Those that there are now.

        Args:
            store: of the host that keeps them.
        """
        return [] if self._places is None else listed(self._places.standing, store)

    def uses(self) -> list[DedicatedUse]:
        """The same by component, for metrics."""
        places = self._places
        return [] if places is None else used(places.standing, places.tallies)


def listed(standing: Iterable[PlaceSeen], store: int) -> list[ProcessView]:
    """Places as operators see them, by component and entity."""
    views = [
        ProcessView(
            kind="dedicated",
            component=one.component,
            entity=one.entity,
            state="serving" if one.pid else "starting",
            pid=one.pid,
            node=one.node,
            memory_bytes=one.usage.memory_bytes,
            cpu_s=one.usage.cpu_s,
            store=store,
        )
        for one in standing
    ]
    return sorted(views, key=lambda view: (view.component, view.entity))


def used(standing: Sequence[PlaceSeen], tallies: Mapping[str, PlacesTally]) -> list[DedicatedUse]:
    """Places by component."""
    found: list[DedicatedUse] = []
    for component, tally in tallies.items():
        mine = [one for one in standing if one.component == component]
        serving = sum(one.pid > 0 for one in mine)
        found.append(
            DedicatedUse(
                component,
                len(mine) - serving,
                serving,
                sum(one.usage.memory_bytes for one in mine),
                tally.over_cpu_s + sum(one.usage.cpu_s for one in mine),
                tally.started,
                tally.deaths,
            )
        )
    return found


def options_of(hosting: Dedicated) -> TaskOptions:
    """What the process of an instance needs of Ray."""
    env = hosting.runtime_env
    return TaskOptions(
        hosting.num_cpus,
        hosting.num_gpus,
        hosting.memory or 0,
        msgspec.json.encode(dict(env), order="deterministic").decode() if env else "",
    )


def answers(config: bytes) -> Callable[[bytes], bytes]:
    """In the process: what answers its host's requests.

    Args:
        config: a `ProcessConfig` in msgpack.

    Raises:
        DefinitionError: the service cannot be imported in this process.
    """
    log_to_stderr()
    told = msgspec.msgpack.decode(config, type=ProcessConfig)
    service = load(told.spec).service
    behaviors: dict[str, Behavior[Any]] = {
        component: behavior_for(service.descriptor.components[component], service.limits)
        for component in dedicated_components(service.descriptor)
    }
    if told.dev:
        behaviors = {component: development(each) for component, each in behaviors.items()}
    return Resident(behaviors).answer
