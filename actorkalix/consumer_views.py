"""Consumers and dead letters as operators see them, and the port through which they act on them."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec


class ParkedView(msgspec.Struct, frozen=True):
    """A subject that waits because its consumer fails on it.

    Attributes:
        component, entity: the subject.
        shard, offset: of its first record that was not handled.
        attempts: that failed; 0 while another record of it is tried for the first time.
        since_ms: time of the first of them, milliseconds since 1970.
        failure: of the last one.
    """

    component: str
    entity: str
    shard: int
    offset: int
    attempts: int
    since_ms: int
    failure: str


class ConsumerView(msgspec.Struct, frozen=True):
    """A consumer, over all stores of a service. Of a folder at rest only the cursors are known.

    Attributes:
        consumer: its id.
        action, source: whose it is, and whose changes it takes; "" where the code is not here.
        shards: that it reads; at rest those that it has a cursor in.
        behind: records of the logs that it has not passed, those of others among them.
        waiting: entries in memory, not handled yet.
        parked: number of subjects that wait.
        paused_until_ms: it waits as a whole and tries again then; 0 while it does not.
        handled, failures, dead_letters: since the hosts began.
        failure, failed_ms: of its last failure and when, "" and 0 while there was none.
        subjects: some of those that wait, the longest first, where asked for.
        gaps: stretches of messages that were dropped before it read them, since the hosts began.
        gap: the newest of them in words, or "".
    """

    consumer: str
    action: str = ""
    source: str = ""
    shards: int = 0
    behind: int = 0
    waiting: int = 0
    parked: int = 0
    paused_until_ms: int = 0
    handled: int = 0
    failures: int = 0
    dead_letters: int = 0
    failure: str = ""
    failed_ms: int = 0
    subjects: tuple[ParkedView, ...] = ()
    gaps: int = 0
    gap: str = ""


class DeadLetterView(msgspec.Struct, frozen=True):
    """An entry that a consumer has given up.

    Attributes:
        id: of the letter, as `replay` and `drop` take it.
        consumer: who failed on it.
        component, entity, sequence_number, kind, time_ms: of the record.
        shard, epoch, offset: where it stood.
        attempts: that failed.
        since_ms, failed_ms: time of the first and of the last of them.
        failure: of the last one.
        type, type_version, payload, metadata: of the record, where one letter is shown.
        note: why the payload is not shown, or "".
    """

    id: str
    consumer: str
    component: str
    entity: str
    sequence_number: int
    kind: str
    time_ms: int
    shard: int
    epoch: int
    offset: int
    attempts: int
    since_ms: int
    failed_ms: int
    failure: str
    type: str = ""
    type_version: int = 0
    payload: Any = None
    metadata: dict[str, str] = {}
    note: str = ""


class DeadLetterPage(msgspec.Struct, frozen=True):
    """Dead letters of a service; `next_page` asks for more, "" on the last page."""

    letters: list[DeadLetterView]
    next_page: str


class RetryOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/consumers/retry`: a consumer, and one entity or "" for all."""

    consumer: str
    entity: str = ""


class Retried(msgspec.Struct, frozen=True):
    """Answer of `POST /admin/consumers/retry`: how many parked subjects are tried now."""

    consumer: str
    entity: str
    subjects: int


class LetterOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/dead-letters/replay` and `drop`: id of a dead letter."""

    id: str


class Replayed(msgspec.Struct, frozen=True):
    """Answer of `replay`: it was handled and is gone, or why not; then it is still there."""

    id: str
    handled: bool
    failure: str = ""


class Dropped(msgspec.Struct, frozen=True):
    """Answer of `drop`: whether there was such a letter."""

    id: str
    dropped: bool


class Consuming(Protocol):
    """What operators see of consumers and do about them; a folder at rest is only looked at."""

    async def consumers(self, consumer: str, *, limit: int) -> list[ConsumerView]: ...

    async def retry(self, consumer: str, entity: str) -> Retried: ...

    async def dead_letters(self, consumer: str, *, page: str, limit: int) -> DeadLetterPage: ...

    async def dead_letter(self, letter: str) -> DeadLetterView: ...

    async def replay(self, letter: str) -> Replayed: ...

    async def drop(self, letter: str) -> Dropped: ...
