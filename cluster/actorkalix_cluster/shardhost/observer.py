"""What a shard host tells whoever measures it. Calls are made on the loop and must not block."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

Fired: TypeAlias = Literal["ok", "failed", "given_up"]
"""What became of a timer's call; a failed one is made again."""


class ConsumerStats(msgspec.Struct, frozen=True):
    """A look at one consumer of a host.

    Attributes:
        consumer: its id.
        shards: that it reads.
        behind: records of their logs that it has not passed, those of others among them.
        waiting: entries in memory, not handled yet.
        parked: subjects that wait because it fails on them.
        paused_until_ms: it waits as a whole and tries again then; 0 while it does not.
        handled: entries, since the host began.
        failures: since the host began.
        dead: dead letters that it has made, since the host began.
        failure, failed_ms: of its last failure and when, "" and 0 while there was none.
        gaps: stretches of messages that were dropped before it read them, since the host began.
        gap: the newest of them in words, or "".
    """

    consumer: str
    shards: int
    behind: int
    waiting: int
    parked: int
    paused_until_ms: int
    handled: int
    failures: int
    dead: int
    failure: str
    failed_ms: int
    gaps: int = 0
    gap: str = ""


class FeedStats(msgspec.Struct, frozen=True):
    """A look at one feed of a host.

    Attributes:
        feed: its id, which is that of its view.
        shards: that it reads.
        behind: records of their logs that its target does not have, those of others among them.
        behind_most: of them in one shard.
        waiting: entries in memory that the target does not have.
        held: subjects that wait because the target fails on them.
        handed: entries that the target took, since the host began.
        refused: batches in a row that it did not take; 0 when it took the last one.
        failure: why not, "" where it did.
    """

    feed: str
    shards: int
    behind: int
    behind_most: int
    waiting: int
    held: int
    handed: int
    refused: int
    failure: str


class HostStats(msgspec.Struct, frozen=True):
    """A look at a host, taken when asked for.

    Attributes:
        live: live entities by component id.
        mailbox: messages that wait for their entity (loading, or too many in flight).
        commit_queue: appends that wait for a commit or are in one.
        shards: shards owned.
        damaged: shards that are not served, with the reason.
        consumers: those who read the logs.
        feeds: those who hand the logs to views.
    """

    live: dict[str, int]
    mailbox: int
    commit_queue: int
    shards: int
    damaged: dict[int, str]
    consumers: tuple[ConsumerStats, ...] = ()
    feeds: tuple[FeedStats, ...] = ()


class Observer(Protocol):
    """Receives what happened."""

    def handled(self, component: str, method: str, seconds: float, number: str) -> None:
        """A message was answered; `number` is "" or the AK number of its failure."""
        ...

    def committed(self, appends: int, records: int, bytes_written: int, seconds: float) -> None:
        """A commit came back."""
        ...

    def activated(self, component: str, seconds: float) -> None:
        """An entity was loaded."""
        ...

    def passivated(self, component: str) -> None:
        """An entity left memory."""
        ...

    def timer_fired(self, result: Fired) -> None:
        """A named timer's call was answered."""
        ...


class SilentObserver:
    """Keeps nothing."""

    def handled(self, component: str, method: str, seconds: float, number: str) -> None:
        """Nothing."""

    def committed(self, appends: int, records: int, bytes_written: int, seconds: float) -> None:
        """Nothing."""

    def activated(self, component: str, seconds: float) -> None:
        """Nothing."""

    def passivated(self, component: str) -> None:
        """Nothing."""

    def timer_fired(self, result: Fired) -> None:
        """Nothing."""
