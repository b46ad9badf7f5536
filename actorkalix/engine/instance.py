"""An entity between two messages, and the table of what it takes in which part of its life."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from actorkalix.model.effects import Decision
from actorkalix_cluster.shardhost.messages import MessageKind


class Life(enum.IntEnum):
    """Parts of an entity's life. They follow from the instance; nothing else says them."""

    NEW = 1  # no change yet: it has the empty state
    ALIVE = 2
    DELETED = 3  # readable, takes no changes, waits for cleanup


_NEW, _ALIVE, _DELETED = Life  # bound here: to look one up takes 0.1 us


class Outcome(enum.Enum):
    """What a message may do in a part of life."""

    HANDLE = "handle"  # run the handler; its changes are stored
    READ = "read"  # run the handler; it may change nothing
    EXPIRE = "expire"  # delete it if its time has passed
    CLEAN = "clean"  # forget it: the id begins anew
    NOTHING = "nothing"  # too late, or nothing for entities: answer, change nothing


TRANSITIONS: dict[tuple[Life, MessageKind], Outcome] = {
    (Life.NEW, MessageKind.COMMAND): Outcome.HANDLE,
    (Life.ALIVE, MessageKind.COMMAND): Outcome.HANDLE,
    (Life.DELETED, MessageKind.COMMAND): Outcome.READ,
    (Life.NEW, MessageKind.QUERY): Outcome.READ,
    (Life.ALIVE, MessageKind.QUERY): Outcome.READ,
    (Life.DELETED, MessageKind.QUERY): Outcome.READ,
    (Life.NEW, MessageKind.EXPIRE): Outcome.NOTHING,
    (Life.ALIVE, MessageKind.EXPIRE): Outcome.EXPIRE,
    (Life.DELETED, MessageKind.EXPIRE): Outcome.NOTHING,
    (Life.NEW, MessageKind.CLEAN): Outcome.NOTHING,
    (Life.ALIVE, MessageKind.CLEAN): Outcome.NOTHING,
    (Life.DELETED, MessageKind.CLEAN): Outcome.CLEAN,
    (Life.NEW, MessageKind.STEP): Outcome.NOTHING,
    (Life.ALIVE, MessageKind.STEP): Outcome.NOTHING,
    (Life.DELETED, MessageKind.STEP): Outcome.NOTHING,
    (Life.NEW, MessageKind.CONTROL): Outcome.NOTHING,
    (Life.ALIVE, MessageKind.CONTROL): Outcome.NOTHING,
    (Life.DELETED, MessageKind.CONTROL): Outcome.NOTHING,
}


class Instance(msgspec.Struct, frozen=True):
    """All that an entity is between two messages. Immutable: a step makes a new one.

    Attributes:
        entity: its id.
        state: the user's state; replaced, never mutated.
        number: changes in this life (events, or states of a value entity): the sequence number.
        version: records in this life, replies remembered under keys included.
        incarnation: offset of the first record of this life; 0 until the entity was loaded from
            storage.
        deleted_ms: when it was deleted, 0 while it is not.
        expires_ms: when it expires, 0 for never.
        snapshot_number: `number` of the newest snapshot taken.
    """

    entity: str
    state: Any
    number: int = 0
    version: int = 0
    incarnation: int = 0
    deleted_ms: int = 0
    expires_ms: int = 0
    snapshot_number: int = 0


def life_of(instance: Instance) -> Life:
    """The part of life that the instance is in."""
    if instance.deleted_ms:
        return _DELETED
    return _ALIVE if instance.number else _NEW


def changing(decision: Decision) -> bool:
    """The decision changes the instance, or the course that a workflow takes."""
    changes = decision.events or decision.has_state or decision.transition or decision.undo
    return bool(changes or decision.delete)
