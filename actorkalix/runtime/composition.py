"""Puts a service's parts together: behaviors of its components on a shard host over a store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.limits import Limits
from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.committer import Committer
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.observer import Observer
from actorkalix_storage.api import Store


def build_host(
    service: ServiceDescriptor,
    store: Store,
    *,
    clock: Clock,
    committer: Committer,
    limits: Limits | None = None,
    observer: Observer | None = None,
    on_fatal: Callable[[str], object] | None = None,
    wrap: Callable[[Behavior[Any]], Behavior[Any]] | None = None,
) -> ShardHost:
    """A host that runs a service on a store; it is not started yet.

    Args:
        service: whose components to run.
        store: open, and nobody else's.
        clock: real or virtual.
        committer: does the store's work.
        limits: of the service; the defaults when not given.
        observer: is told what happened.
        on_fatal: is told why the process has to end.
        wrap: puts something around each behavior; test kits watch them.
    """
    limits = limits or Limits()
    behaviors = {
        component_id: behavior_for(component, limits)
        for component_id, component in service.components.items()
    }
    if wrap is not None:
        behaviors = {component_id: wrap(behavior) for component_id, behavior in behaviors.items()}
    return ShardHost(
        store,
        behaviors,
        clock=clock,
        limits=host_limits(limits),
        committer=committer,
        observer=observer,
        on_fatal=on_fatal,
    )


def host_limits(limits: Limits) -> HostLimits:
    """A service's limits in the words of a host: milliseconds, bytes and numbers."""
    return HostLimits(
        commit_bytes_max=limits.commit_bytes_max,
        commit_queue_max=limits.commit_queue_max,
        speculation_max=limits.speculation_max,
        mailbox_max=limits.mailbox_max,
        actors_max=limits.entities_max,
        passivate_after_ms=_ms(limits.passivate_after),
        retention_ms=_ms(limits.retention),
        clean_every_ms=_ms(limits.clean_every),
        keys_kept_ms=_ms(limits.idempotency_kept),
    )


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
