"""Bounds of a host: every queue in it has one. In milliseconds, bytes and numbers of things."""

from __future__ import annotations

import msgspec


class HostLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a host takes.

    Attributes:
        commit_bytes_max: records of one commit; a larger append goes alone.
        commit_queue_max: appends that wait for a commit or are in one.
        speculation_max: commands of one actor that wait for a commit.
        mailbox_max: messages of one actor that wait for anything else.
        actors_max: live actors; beyond it the least recently used leave memory.
        passivate_after_ms: idle time after which an actor leaves memory.
        retention_ms: between an actor's delete and its cleanup.
        clean_every_ms: between two runs of the cleaner.
        keys_kept_ms: how long an idempotency key counts.
        retry_after_ms: advice to those who are refused because of load.
        look_ahead_ms: how far ahead due times are read from the store at once.
        snapshot_backlog_bytes_max: snapshots that wait for the store; what is beyond is left out.
        maintain_after_ms: until the store gets time for itself after a commit.
    """

    commit_bytes_max: int = 1_048_576
    commit_queue_max: int = 16_384
    speculation_max: int = 256
    mailbox_max: int = 1_024
    actors_max: int = 100_000
    passivate_after_ms: int = 30_000
    retention_ms: int = 7 * 86_400_000
    clean_every_ms: int = 3_600_000
    keys_kept_ms: int = 86_400_000
    retry_after_ms: int = 1_000
    look_ahead_ms: int = 600_000
    snapshot_backlog_bytes_max: int = 67_108_864
    maintain_after_ms: int = 1_000
