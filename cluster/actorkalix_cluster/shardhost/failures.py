"""What a host may answer instead of an actor. The numbers are those of `actorkalix explain`."""

from __future__ import annotations

from actorkalix_cluster.shardhost.messages import Failure
from actorkalix_storage.api import StoreError

RETRY_AFTER_MS = 1_000


def unknown_component(component: str) -> Failure:
    """No actor kind has this id."""
    return Failure("AK2003", "not_found", f"no component has the id {component!r}")


def unexpected(correlation_id: str) -> Failure:
    """The user's code failed; the log has the rest under the correlation id (ES-82)."""
    return Failure("AK2010", "internal", f"unexpected error [{correlation_id}]")


def overloaded(what: str, retry_after_ms: int = RETRY_AFTER_MS) -> Failure:
    """A queue is full."""
    return Failure(
        "AK3001", "unavailable", f"{what}; nothing was executed", retry_after_ms=retry_after_ms
    )


def draining(retry_after_ms: int = RETRY_AFTER_MS) -> Failure:
    """The host stops."""
    return Failure(
        "AK3002",
        "unavailable",
        "this host is stopping and takes no more commands",
        retry_after_ms=retry_after_ms,
    )


def store_full(reason: str) -> Failure:
    """No space for the commit."""
    return Failure("AK3003", "resource_exhausted", reason or "the disk is full", http_status=507)


def owner_away(shard: int, retry_after_ms: int = RETRY_AFTER_MS) -> Failure:
    """Nobody here owns the shard."""
    return Failure(
        "AK3004",
        "unavailable",
        f"the owner of shard {shard} is away",
        retry_after_ms=retry_after_ms,
    )


def host_away(retry_after_ms: int = RETRY_AFTER_MS) -> Failure:
    """The host has not started yet, or has ended."""
    return Failure(
        "AK3004", "unavailable", "this host is not running", retry_after_ms=retry_after_ms
    )


def store_fenced(store: int, reason: str) -> Failure:
    """Nobody opens the store any more; asking again soon makes no sense."""
    return Failure(
        "AK3004", "unavailable", f"store {store} is not served: {reason}", retry_after_ms=30_000
    )


def not_here(failure: Failure) -> bool:
    """Whether a host says with it that another one, or the same one later, may take the message."""
    return failure.number in _NOT_HERE


_NOT_HERE = frozenset({"AK3002", "AK3004"})


def deadline_passed() -> Failure:
    """It was not started, and now it is too late."""
    return Failure("AK3005", "deadline_exceeded", "its time was over before it began")


def not_committed(reason: str) -> Failure:
    """Worked out and then left out of its commit."""
    return Failure("AK3006", "aborted", f"it was not stored: {reason}", http_status=503)


def component_blocked(component: str) -> Failure:
    """Its handlers held the loop too often, or once for too long."""
    return Failure(
        "AK3007",
        "unavailable",
        f"the component {component!r} held up its host and answers nothing until the service is "
        "started again",
    )


def process_ended(component: str, entity: str, reason: str, retry_after_ms: int) -> Failure:
    """The process of its own in which an actor ran is not there; what it did is not stored."""
    return Failure(
        "AK3008",
        "unavailable",
        f"the process of {component} {entity!r} has no answer, {reason}; nothing was executed",
        retry_after_ms=retry_after_ms,
    )


def no_room(component: str, entity: str, retry_after_ms: int = RETRY_AFTER_MS) -> Failure:
    """No node had room for the process of an actor, for as long as its callers could wait."""
    return Failure(
        "AK3009",
        "unavailable",
        f"the process of {component} {entity!r} has not started in time, for it may ask for more "
        "than any node has now; nothing was executed",
        retry_after_ms=retry_after_ms,
    )


def outcome_unknown(reason: str) -> Failure:
    """It was started, and nobody knows how it ended."""
    return Failure("AK3101", "deadline_exceeded", reason, outcome="unknown")


def durability_lost(reason: str) -> Failure:
    """What is on disk is not known."""
    return Failure("AK3102", "unavailable", reason, outcome="unknown")


def damaged(shard: int, reason: str) -> Failure:
    """Bytes on disk are not what was written."""
    return Failure("AK4001", "data_loss", f"shard {shard} is damaged and not served: {reason}")


def of_store(error: StoreError) -> Failure:
    """An error of the store that has no case of its own here."""
    return Failure(error.number, "internal", str(error), outcome=error.outcome)


def bug(correlation_id: str) -> Failure:
    """We failed; the log has the rest under the correlation id."""
    return Failure("AK9001", "internal", f"a bug of actorkalix [{correlation_id}]")
