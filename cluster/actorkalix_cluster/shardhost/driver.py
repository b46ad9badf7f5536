"""The driver: steps actors, sends their records to the commit queue, and lets answers go when they are true.

Theory of operation. A step is pure and takes no time that matters, so there is no task per actor: a message to a live
actor is stepped at once, on the loop, and what it wrote joins the commit queue as a flight. The next command sees the
speculative instance right away; at most `speculation_max` commands of an actor are under way like that (architecture
6), so that a hot key is not bound by the disk.

What leaves when. Nothing that an answer rests on may be missing after a crash:

    answer of                      leaves
    a command that wrote           when its append is durable
    a command that wrote nothing,  when the actor's last append in flight is durable, and only if the shard is
      a domain error, a fault        still ours then
    a query                        at once: it sees the durable instance alone; only if the shard is still ours
    the same key again             with the first one's append, or with what the store remembers

An append that fails takes along everything that rested on it, for each of them was worked out on a state that never
came to be: the actor is dropped and comes back from storage with the next message. Code of the user's that raises
costs the actor its instances too, but not the appends in flight: those were good before it ran (ES-82).

Idempotency keys (architecture 12). A key at work in the actor is joined. Else the store is asked, unless the actor
has no record at all. Keys count for `keys_kept_ms` by record time. What is remembered is the business of the
behavior; the host only finds it.
"""

from __future__ import annotations

import logging
import secrets

import msgspec
from actorkalix_storage.api import (
    Append,
    Appended,
    Position,
    Refused,
    RefusalKind,
    Store,
    StoreError,
    StoredRecord,
    StoreFull,
)

from actorkalix_cluster.shardhost import failures
from actorkalix_cluster.shardhost.actor import Actor, Flight, Lookup, State, Turn
from actorkalix_cluster.shardhost.behavior import BehaviorError, BehaviorFault, Step
from actorkalix_cluster.shardhost.clock import Clock
from actorkalix_cluster.shardhost.commits import CommitQueue
from actorkalix_cluster.shardhost.committer import Committer, Outcomes
from actorkalix_cluster.shardhost.limits import HostLimits
from actorkalix_cluster.shardhost.live import LiveActors
from actorkalix_cluster.shardhost.messages import Failure, Message, MessageKind, Reply
from actorkalix_cluster.shardhost.observer import Observer
from actorkalix_cluster.shardhost.shards import Shards
from actorkalix_cluster.shardhost.ticket import Desk, Stage, Ticket
from actorkalix_cluster.shardhost.upkeep import Upkeep
