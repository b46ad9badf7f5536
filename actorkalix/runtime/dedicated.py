"""Entities with a process of their own: what a host asks Ray for, and what runs there.

`places_on_ray` is the host's side, `answers` is named in its order and called in the process, which
imports the service as hosts do. There each entity is run by the same behavior as in a host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.model.hosting import Dedicated
from actorkalix.runtime.composition import dedicated_components
from actorkalix.runtime.development import development
from actorkalix.runtime.loading import ServiceSpec, load
from actorkalix.runtime.logs import log_to_stderr
from actorkalix.runtime.orders import HostConfig
from actorkalix_cluster.rayhost.dedicated import DedicatedPlaces
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


def places_on_ray(
    service: ServiceDescriptor, config: HostConfig
) -> Callable[[Mapping[str, Behavior[Any]]], Places]:
    """For `build_host`: dedicated entities run in Ray actors of their own.

    Args:
        service: whose entities.
        config: what the host was told to be; the processes are made likewise.
    """

    def made(_: Mapping[str, Behavior[Any]]) -> Places:
        assert config.making is not None, "a host of a run"
        told = msgspec.msgpack.encode(ProcessConfig(config.spec, config.dev))
        options = {
            component: options_of(hosting)
            for component, hosting in dedicated_components(service).items()
        }
        return DedicatedPlaces(config.making, FACTORY, told, options)

    return made


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
