"""Puts the parts of a service together: behaviors on a shard host over a store, a router."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.engine.sending import SENDING, SendingBehavior
from actorkalix.engine.timer import TimerBehavior
from actorkalix.engine.topic import TOPIC, TopicBehavior
from actorkalix.limits import Limits
from actorkalix.model.hosting import Dedicated
from actorkalix.runtime.feeding import sources_of
from actorkalix.runtime.outside import Publishing
from actorkalix.runtime.subscriptions import subscribers_of
from actorkalix_cluster.placement.ring import RingStore, propose
from actorkalix_cluster.shardhost.behavior import Behavior, Step
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.committer import Committer
from actorkalix_cluster.shardhost.elsewhere import Elsewhere, Places
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_cluster.shardhost.firing import Reach
from actorkalix_cluster.shardhost.host import ShardHost
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.messages import Message
from actorkalix_cluster.shardhost.nearby import Nearby
from actorkalix_cluster.shardhost.observer import Observer
from actorkalix_cluster.shardhost.router import Router
from actorkalix_cluster.shardhost.subscriber import Subscriber
from actorkalix_cluster.shardhost.watchdog import Watch
from actorkalix_storage.api import HomeTable, Store


def build_host(
    service: ServiceDescriptor,
    store: Store,
    *,
    shards: Iterable[int] | None = None,
    clock: Clock,
    committer: Committer,
    limits: Limits | None = None,
    observer: Observer | None = None,
    on_fatal: Callable[[str], object] | None = None,
    wrap: Callable[[Behavior[Any]], Behavior[Any]] | None = None,
    watch: Watch | None = None,
    attend: Callable[[Subscriber], Subscriber] | None = None,
    places: Callable[[Mapping[str, Behavior[Any]]], Places] = Nearby,
    ran: Callable[[Message, Step[Any]], object] | None = None,
    publishing: Sequence[Publishing] = (),
) -> ShardHost:
    """A host that runs a service on a store; it is not started yet.

    Side effects leave and subscriptions read when it is started and connected.

    Args:
        service: whose components to run.
        store: open, and nobody else's.
        shards: whose home is the store; all of the service when not given.
        clock: real or virtual.
        committer: does the store's work.
        limits: of the service; the defaults when not given.
        observer: is told what happened.
        on_fatal: is told why the process has to end.
        wrap: puts something around each behavior; test kits and `--dev` use `development`.
        watch: what a `Watchdog` looks at; it knows which components are blocked.
        attend: puts something around each subscriber; simulations note what it is handed.
        places: makes the places of entities with `hosting=Dedicated(...)`; in this process when not
            given.
        ran: is told of each step that was made there, with the records as they are written.
        publishing: who publish to topics of brokers outside.
    """
    limits = limits or Limits()
    behaviors = _behaviors_of(service, limits, wrap)
    dedicated = dedicated_components(service)
    if dedicated:
        made = places({component_id: behaviors[component_id] for component_id in dedicated})
        for component_id, hosting in dedicated.items():
            idle_stop_ms = max(1, _ms(hosting.idle_stop))
            behaviors[component_id] = Elsewhere(behaviors[component_id], made, idle_stop_ms, ran)
    behaviors |= _ours(limits)

    def subscribers(reach: Reach) -> list[Subscriber]:
        found = subscribers_of(service, reach, publishing)
        return found if attend is None else [attend(each) for each in found]

    return ShardHost(
        store,
        behaviors,
        shards=shards,
        clock=clock,
        limits=host_limits(limits),
        committer=committer,
        observer=observer,
        on_fatal=on_fatal,
        watch=watch,
        subscribers=subscribers,
        feeds=sources_of(service),
    )


def _ours(limits: Limits) -> dict[str, Behavior[Any]]:
    """Behaviors of what is there in every service."""
    return {
        TIMER: TimerBehavior(limits),
        TOPIC: TopicBehavior(limits),
        SENDING: SendingBehavior(limits),
    }


def _behaviors_of(
    service: ServiceDescriptor,
    limits: Limits,
    wrap: Callable[[Behavior[Any]], Behavior[Any]] | None,
) -> dict[str, Behavior[Any]]:
    behaviors = {
        component_id: behavior_for(component, limits)
        for component_id, component in service.components.items()
        if component.kind not in ("action", "view")
    }
    if wrap is None:
        return behaviors
    return {component_id: wrap(behavior) for component_id, behavior in behaviors.items()}


def dedicated_components(service: ServiceDescriptor) -> dict[str, Dedicated]:
    """Components whose entities have a process of their own each, with what it needs."""
    hostings = {
        each.component_id: each.options.get("hosting") for each in service.components.values()
    }
    return {name: found for name, found in hostings.items() if isinstance(found, Dedicated)}


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
    return Router(HomeTable(1, homes), hosts, clock=clock, ask_timeout_ms=timeout_ms)


def host_limits(limits: Limits) -> HostLimits:
    """A service's limits in the words of a host: milliseconds, bytes and numbers."""
    return HostLimits(
        commit_bytes_max=limits.commit_bytes_max,
        commit_queue_max=limits.commit_queue_max,
        speculation_max=limits.speculation_max,
        mailbox_max=limits.mailbox_max,
        actors_max=limits.entities_max,
        firings_max=limits.timer_calls_max,
        steps_max=limits.steps_max,
        passivate_after_ms=_ms(limits.passivate_after),
        retention_ms=_ms(limits.retention),
        clean_every_ms=_ms(limits.clean_every),
        keys_kept_ms=_ms(limits.idempotency_kept),
        handler_slow_ms=_ms(limits.handler_slow),
        handler_unready_ms=_ms(limits.handler_unready),
        handler_hang_ms=_ms(limits.handler_hang),
        handler_strikes_max=limits.handler_strikes_max,
        residences_max=limits.dedicated_max,
        residence_start_ms=_ms(limits.dedicated_start),
    )


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
