"""What the parts of one host share."""

from __future__ import annotations

from dataclasses import dataclass

from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.committer import Committer
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.observer import Observer
from actorkalix_cluster.shardhost.shards import Shards
from actorkalix_cluster.shardhost.ticket import Desk
from actorkalix_cluster.shardhost.watchdog import Watch
from actorkalix_storage.api import Store


@dataclass(frozen=True)
class Parts:
    """One store, who works for it, one clock, one set of bounds, and the books of this host."""

    store: Store
    committer: Committer
    clock: Clock
    limits: HostLimits
    observer: Observer
    shards: Shards
    desk: Desk
    watch: Watch
