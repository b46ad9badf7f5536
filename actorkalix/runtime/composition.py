"""Puts the parts of a service together: behaviors on a shard host over a store, a router."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.limits import Limits
from actorkalix_cluster.placement.ring import RingStore, propose
from actorkalix_cluster.shardhost.behavior import Behavior
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.committer import Committer
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.observer import Observer
from actorkalix_cluster.shardhost.router import Router
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


def build_router(
    hosts: Mapping[int, ShardHost], *, shards: int, clock: Clock, limits: Limits | None = None
) -> Router:
    """A router over hosts by the numbers of their stores, one or more; it ends waits as well.

    Args:
        hosts: by the number of their store.
        shards: number of shards of the service.
        clock: the hosts'.
        limits: of the service: its `ask_timeout` counts here.
    """
    homes = propose([RingStore(number) for number in hosts], shards)
    timeout_ms = _ms((limits or Limits()).ask_timeout)
    return Router(homes, hosts, clock=clock, ask_timeout_ms=timeout_ms)


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
