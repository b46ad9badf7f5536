"""What the contract suite needs of a store besides the store, and short words for records."""

from __future__ import annotations

from typing import Protocol

from actorkalix_storage.api import (
    Append,
    Appended,
    Record,
    RecordKind,
    Store,
    StoreError,
    trim_payload,
)

START_MS = 1_700_000_000_000  # November 2023
COMPONENT = "cart"


class Harness(Protocol):
    """A store under test, and the ways in which its process may end."""

    @property
    def store(self) -> Store:
        """The store as it was opened last."""
        ...

    def fail_next_commit(self, error: StoreError) -> None:
        """Let the next commit fail: `StoreFull` stores nothing, `DurabilityLost` may."""
        ...

    def reopen(self) -> None:
        """Close the store and open it again."""
        ...

    def crash(self) -> None:
        """End the store as a kill would, and open it again."""
        ...

    def checkpoint(self) -> None:
        """Bring the tables to disk, where there is one."""
        ...

    def second(self) -> Harness:
        """Another new store of the same service: its number is 1, cluster and lineage the same."""
        ...

    def dispose(self) -> None:
        """Remove all traces."""
        ...


def event(
    number: int, payload: bytes = b"event", *, entity: str = "a", time_ms: int = START_MS,
    key: bytes = b"", reply: bytes = b"", expires_ms: int = 0, component: str = COMPONENT,
) -> Record:  # fmt: skip
    """An `EVENT` record."""
    return Record(
        RecordKind.EVENT, component, entity, number, time_ms, payload, key, reply, expires_ms
    )


def state(
    number: int, payload: bytes, *, entity: str = "a", time_ms: int = START_MS,
    component: str = COMPONENT,
) -> Record:  # fmt: skip
    """A `STATE` record."""
    return Record(RecordKind.STATE, component, entity, number, time_ms, payload)


def reply(
    number: int, key: bytes, payload: bytes, *, entity: str = "a", time_ms: int = START_MS
) -> Record:
    """A `REPLY` record."""
    return Record(RecordKind.REPLY, COMPONENT, entity, number, time_ms, key=key, reply=payload)


def deleted(number: int, *, entity: str = "a", time_ms: int = START_MS) -> Record:
    """A `DELETED` record."""
    return Record(RecordKind.DELETED, COMPONENT, entity, number, time_ms)


def cleaned(number: int, *, entity: str = "a", time_ms: int = START_MS) -> Record:
    """A `CLEANED` record."""
    return Record(RecordKind.CLEANED, COMPONENT, entity, number, time_ms)


def trimmed(number: int, offset: int, *, entity: str = "a", size: int = 100) -> Record:
    """A `TRIMMED` record."""
    payload = trim_payload(offset, size, b"rest")
    return Record(RecordKind.TRIMMED, COMPONENT, entity, number, START_MS, payload)


def write(
    store: Store, *records: Record, shard: int = 0, version: int | None = None,
    epoch: int | None = None,
) -> Appended:  # fmt: skip
    """Commit records of one subject on top of what is there; they must be taken."""
    if version is None:
        head = store.head(shard, records[0].component, records[0].entity)
        version = head.version if head else 0
    if epoch is None:
        epoch = store.shard(shard).position.epoch
    (outcome,) = store.commit([Append(shard, epoch, version, records)])
    assert isinstance(outcome, Appended), outcome
    return outcome
