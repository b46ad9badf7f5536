"""What the store does between commits: snapshots, and work of its own. No answer waits for it.

A snapshot is made when the append that made it due is durable, from the instance that this append
led to. One that cannot be written costs a log line: recovery then replays a few more records. The
store gets a slice for itself `maintain_after_ms` after a commit, so that bursts are served first;
while commits go on, that is once in that time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from actorkalix_cluster.shardhost.actor import Actor
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_storage.api import Position, Snapshot, StoreFull

log = logging.getLogger("actorkalix.store")


class Upkeep:
    """Background work of one store."""

    def __init__(self, parts: Parts, on_fatal: Callable[[Exception], object]) -> None:
        self._store = parts.store
        self._committer = parts.committer
        self._clock = parts.clock
        self._after_ms = parts.limits.maintain_after_ms
        self._on_fatal = on_fatal
        self._timer: Handle | None = None

    def committed(self) -> None:
        """Something was committed: the store will have work."""
        if self._timer is None:
            self._timer = self._clock.call_later(self._after_ms, self._maintain)

    def snapshot(self, actor: Actor, instance: Any, position: Position) -> None:
        """Store the instance, which `position` has led to."""
        try:
            made = actor.behavior.snapshot(instance)
        except Exception:
            log.exception("no snapshot of %s %r", actor.component, actor.entity)
            return
        snapshot = msgspec.structs.replace(
            made, incarnation=actor.incarnation, offset=position.offset
        )
        shard, component, entity = actor.shard.number, actor.component, actor.entity
        self._committer.background(
            lambda: self._put(shard, component, entity, snapshot), self._failed
        )

    def stop(self) -> None:
        """Begin nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _put(self, shard: int, component: str, entity: str, snapshot: Snapshot) -> bool:
        self._store.put_snapshot(shard, component, entity, snapshot)
        return False

    def _maintain(self) -> None:
        self._timer = None
        now_ms = self._clock.now_ms()
        self._committer.background(lambda: self._store.maintain(now_ms), self._failed)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, StoreFull):
            log.warning("background work of the store waits for space: %s", error)
        else:
            self._on_fatal(error)
