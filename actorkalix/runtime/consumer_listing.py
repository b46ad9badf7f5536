"""Consumers of one store for operators: of a running host, or by the cursors of one at rest.

A host that runs knows all of it. Of a store at rest the cursors are known: which shards a consumer
has read, the records behind them, and the subjects that are parked. Records about the
shard itself are not counted, for a store at rest ends with its cursors.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping

import msgspec

from actorkalix.consumer_views import ConsumerView, ParkedView
from actorkalix_cluster.placement.sharding import PINNED, pinned_id
from actorkalix_cluster.shardhost.consumers import Consumers
from actorkalix_cluster.shardhost.cursors import CURSORS, Cursor, Parked, unpack_cursors
from actorkalix_storage.api import Store

SUBJECTS_MAX = 1_000
"""Parked subjects of one answer."""

READ_PAGE = 256


class ConsumersAsked(msgspec.Struct, frozen=True):
    """The consumers that are asked of a store; the subjects of one of them, `limit` at most."""

    consumer: str
    limit: int


def consumers_of(running: Consumers, asked: ConsumersAsked) -> list[ConsumerView]:
    """The consumers of a host that runs.

    Args:
        running: the host's.
        asked: whose subjects, and how many.
    """
    found: list[ConsumerView] = []
    for one in running.consumers:
        s = one.stats()
        parked = running.parked(s.consumer) if s.consumer == asked.consumer else []
        found.append(
            ConsumerView(
                s.consumer,
                shards=s.shards,
                behind=s.behind,
                waiting=s.waiting,
                parked=s.parked,
                paused_until_ms=s.paused_until_ms,
                handled=s.handled,
                failures=s.failures,
                dead_letters=s.dead,
                failure=s.failure,
                failed_ms=s.failed_ms,
                subjects=longest((_parked(*each) for each in parked), asked.limit),
                gaps=s.gaps,
                gap=s.gap,
            )
        )
    return found


def consumers_at_rest(
    store: Store, is_home: Callable[[int], bool], asked: ConsumersAsked
) -> list[ConsumerView]:
    """The consumers that have cursors in a store, by id.

    Args:
        store: open; nobody writes to it.
        is_home: whether a shard is at home there.
        asked: whose subjects, and how many.
    """
    found: dict[str, list[ConsumerView]] = {}
    for shard in filter(is_home, range(store.identity.shards)):
        cursors = _cursors(store, shard)
        behind = _behind(store, shard, cursors)
        for name, cursor in cursors.items():
            subjects = [_parked(shard, one) for one in cursor.parked]
            view = ConsumerView(
                name,
                shards=1,
                behind=behind[name],
                parked=len(subjects),
                subjects=tuple(subjects) if name == asked.consumer else (),
            )
            found.setdefault(name, []).append(view)
    return [merged_view(parts, asked.limit) for _, parts in sorted(found.items())]


def merged_view(parts: Iterable[ConsumerView], limit: int) -> ConsumerView:
    """One consumer, from what is known of its parts.

    Args:
        parts: one or more, all of that consumer.
        limit: subjects at most.
    """
    parts = list(parts)
    last = max(parts, key=lambda part: part.failed_ms)

    def total(field: str) -> int:
        return sum(getattr(part, field) for part in parts)

    return ConsumerView(
        parts[0].consumer,
        *(parts[0].action, parts[0].source),
        *(total("shards"), total("behind"), total("waiting"), total("parked")),
        max(part.paused_until_ms for part in parts),
        *(total("handled"), total("failures"), total("dead_letters")),
        *(last.failure, last.failed_ms),
        longest((subject for part in parts for subject in part.subjects), limit),
        total("gaps"),
        next((part.gap for part in parts if part.gap), ""),
    )


def longest(subjects: Iterable[ParkedView], limit: int) -> tuple[ParkedView, ...]:
    """Those that wait longest."""
    return tuple(
        heapq.nsmallest(limit, subjects, key=lambda one: (one.since_ms, one.shard, one.offset))
    )


def _parked(shard: int, one: Parked) -> ParkedView:
    return ParkedView(
        one.component, one.entity, shard, one.offset, one.attempts, one.since_ms, one.failure
    )


def _cursors(store: Store, shard: int) -> Mapping[str, Cursor]:
    history = store.load(shard, CURSORS, pinned_id(shard))
    if history is None or not history.records:
        return {}
    return unpack_cursors(history.records[-1].record.payload)


def _behind(store: Store, shard: int, cursors: Mapping[str, Cursor]) -> dict[str, int]:
    """Records behind each cursor."""
    counts = dict.fromkeys(cursors, 0)
    at = min((cursor.offset for cursor in cursors.values()), default=0)
    while cursors and (page := store.records(shard, at, limit=READ_PAGE)):
        for stored in page:
            at = stored.position.offset
            component = stored.record.component
            if not component or component.startswith(PINNED):  # about the shard itself
                continue
            for name, cursor in cursors.items():
                counts[name] += cursor.offset < at
    return counts
