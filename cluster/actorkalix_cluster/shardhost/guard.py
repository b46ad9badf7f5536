"""The guard of reclaiming: says when a deleted subject may be forgotten (architecture 19). Pure.

A subject goes when nothing can ask for it any more: no idempotency key of it counts, and every
registered consumer has passed its last record, which is the notice of its delete. A consumer of
another lineage has not passed anything: its position says nothing about this log.
"""

from __future__ import annotations

from collections.abc import Mapping

from actorkalix_storage.api import Head, Position


def reason_to_keep(
    head: Head,
    lineage: int,
    consumers: Mapping[str, Position],
    *,
    now_ms: int,
    keys_kept_ms: int,
) -> str:
    """Why a deleted subject must stay, or "" when it may go.

    Args:
        head: of the subject.
        lineage: of the store.
        consumers: newest position in the subject's shard that each registered consumer has
            passed, by its name.
        now_ms: the shard's time.
        keys_kept_ms: how long an idempotency key counts.
    """
    if not head.deleted_ms:
        return "it is not deleted"
    if head.time_ms + keys_kept_ms > now_ms:
        return "an idempotency key may still count"
    for name, passed in consumers.items():
        if passed.lineage != lineage or passed.offset < head.offset:
            return f"the consumer {name} has not passed it"
    return ""
