"""What the store does between commits: snapshots, and work of its own. No answer waits for it.

A snapshot is made when the append that made it due is durable, from the instance that this append
led to. It waits for a moment between two commits; a newer one of the same actor takes its place,
and what would go beyond `snapshot_backlog_bytes_max` is left out. One that is not written costs
no more than the replay of some more records.

The store gets time for itself `maintain_after_ms` after a commit: bursts are served first, and
under steady load it is asked once in that time; work that takes longer goes on with the new time.

Threads: snapshots are put in on the loop and taken out by the store's writer, under a lock that
is held for neither's work.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from actorkalix_cluster.shardhost.actor import Actor
from actorkalix_cluster.shardhost.clock import Handle
from actorkalix_cluster.shardhost.parts import Parts
from actorkalix_cluster.shardhost.watchdog import Doing
from actorkalix_storage.api import Position, Snapshot, StoreFull

log = logging.getLogger("actorkalix.store")

Subject = tuple[int, str, str]


class Upkeep:
    """Background work of one store."""

    def __init__(self, parts: Parts, on_fatal: Callable[[Exception], object]) -> None:
        self._store = parts.store
        self._committer = parts.committer
        self._clock = parts.clock
        self._limits = parts.limits
        self._watch = parts.watch
        self._on_fatal = on_fatal
        self._timer: Handle | None = None
        self._stopped = False
        self._lock = threading.Lock()
        self._asked_ms = 0  # when the store was asked last
        self._asked = False  # since the last slice began
        self._maintaining = False  # slices are under way; they take what is asked meanwhile
        self._waiting: dict[Subject, Snapshot] = {}
        self._waiting_bytes = 0

    def committed(self) -> None:
        """Something was committed: the store will have work."""
        if self._timer is None and not self._stopped:
            self._timer = self._clock.call_later(self._limits.maintain_after_ms, self._maintain)

    def snapshot(self, actor: Actor, instance: Any, position: Position) -> None:
        """Store the instance, which `position` has led to, some time."""
        try:
            with self._watch.doing(
                Doing.SNAPSHOT, actor.component, actor.entity, self._clock.now_ms()
            ):
                made = actor.behavior.snapshot(instance)
        except Exception:
            log.exception("no snapshot of %s %r", actor.component, actor.entity)
            return
        self.keep(actor, made, actor.incarnation, position)

    def keep(self, actor: Actor, made: Snapshot, incarnation: int, position: Position) -> None:
        """Store a snapshot of the actor as `position` has led to it, some time."""
        if self._stopped:
            return
        snapshot = msgspec.structs.replace(made, incarnation=incarnation, offset=position.offset)
        subject = (actor.shard.number, actor.component, actor.entity)
        with self._lock:
            first = not self._waiting
            older = self._waiting.get(subject)
            size = self._waiting_bytes + len(made.payload) - (len(older.payload) if older else 0)
            if size > self._limits.snapshot_backlog_bytes_max and not first:
                return
            self._waiting[subject] = snapshot
            self._waiting_bytes = size
        if first:
            self._committer.background(self._put_one, self._failed)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    # ---- on the writer's thread ---------------------------------------------------------------
    def _put_one(self) -> bool:
        with self._lock:
            if not self._waiting or self._stopped:
                return False
            subject = next(iter(self._waiting))
            snapshot = self._waiting.pop(subject)
            self._waiting_bytes -= len(snapshot.payload)
            more = bool(self._waiting)
        self._store.put_snapshot(*subject, snapshot)
        return more

    def _maintain_once(self) -> bool:
        with self._lock:
            now_ms, self._asked = self._asked_ms, False
        try:
            more = not self._stopped and self._store.maintain(now_ms)
        except Exception:
            with self._lock:
                self._maintaining = False
            raise
        return self._goes_on(more)

    def _goes_on(self, more: bool) -> bool:
        """Whether another slice follows; the store may have been asked again meanwhile."""
        with self._lock:
            self._maintaining = more or (self._asked and not self._stopped)
            return self._maintaining

    # ---- on the loop --------------------------------------------------------------------------
    def _maintain(self) -> None:
        self._timer = None
        with self._lock:
            self._asked_ms, self._asked = self._clock.now_ms(), True
            is_under_way, self._maintaining = self._maintaining, True
        if not is_under_way:
            self._committer.background(self._maintain_once, self._failed)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, StoreFull):
            log.warning("background work of the store waits for space: %s", error)
            with self._lock:
                self._waiting.clear()
                self._waiting_bytes = 0
        else:
            self._on_fatal(error)
