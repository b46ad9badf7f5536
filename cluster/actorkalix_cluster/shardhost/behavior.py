"""The port through which a shard host runs an actor kind.

A behavior is pure: no clock, no I/O, no randomness, and an instance `I` is an immutable value.
The host holds two values of a live actor: the speculative one, which later commands see at once,
and the durable one, which queries see. It drops the speculative one when a commit fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from actorkalix_storage.api import History, Record, Snapshot

from .messages import Message, Reply

I = TypeVar("I")  # noqa: E741  an actor's whole state, immutable


class Step(msgspec.Struct, Generic[I], frozen=True):
    """What a message did to an actor.

    Attributes:
        instance: the actor afterwards (the same object when nothing changed).
        records: to append, all or none; empty when nothing changed.
        reply: leaves only when the records, and all that the step saw, are durable.
        snapshot_due: when the records are durable, ask `snapshot` and store it.
        forget: with durable records, drop the instance from memory: its id begins anew, or
            nothing is asked of it for long.
        hold: nothing was done: the command waits, and all commands after it, until the next record
            of the actor is durable. Queries and controls pass.
        fire: with durable records, something of the actor is due at once (see `firing`).
        halt: with durable records, what was given out as due before does not count any more.
        fault: what the user's code has raised where the records tell of it; the host logs it.
    """

    instance: I
    records: tuple[Record, ...]
    reply: Reply
    snapshot_due: bool = False
    forget: bool = False
    hold: bool = False
    fire: bool = False
    halt: bool = False
    fault: BaseException | None = None


class Behavior(Protocol[I]):
    """An actor kind: how its instances begin, come back, and answer."""

    def empty(self, entity: str) -> I:
        """The instance of an id without records."""
        ...

    def restore(self, entity: str, history: History) -> I:
        """The instance after its durable history.

        Raises:
            BehaviorError: what is stored cannot be read; the failure names type and record.
        """
        ...

    def step(self, instance: I, message: Message, now_ms: int) -> Step[I]:
        """Handle one message. The result's records carry `now_ms`.

        Raises:
            BehaviorError: refused; nothing changed and the instance stays good.
            Exception: the user's code failed: the host logs it, answers with a correlation id and
                rebuilds the instance from storage.
        """
        ...

    def version(self, instance: I) -> int:
        """Number of records the instance rests on in this life."""
        ...

    def snapshot(self, instance: I) -> Snapshot:
        """The instance as a snapshot (`offset` 0: the host fills it in)."""
        ...

    def key_hash(self, message: Message) -> bytes:
        """16 bytes that stand for the message's idempotency key in its subject's scope."""
        ...

    def remembered(self, message: Message, reply: bytes) -> Reply:
        """The stored reply in the message's encoding, or that another request has used its key."""
        ...


def fires(behavior: Behavior[Any]) -> bool:
    """What is due of its actors is given out to be done, by `firing`; else EXPIRE is all."""
    return bool(getattr(behavior, "fires", False))


def part_keys(behavior: Behavior[Any], message: Message) -> tuple[bytes, ...]:
    """16 bytes for each key of a message of several parts; none where the actor knows no parts.

    Raises:
        BehaviorError: the message is none of parts, or two of them have the same key.
    """
    keys_of: Callable[[Message], tuple[bytes, ...]] | None = getattr(behavior, "part_keys", None)
    return () if keys_of is None else keys_of(message)


def image_of(behavior: Behavior[I]) -> Callable[[I], bytes]:
    """Gives a snapshot's payload of an instance, to see by it whether the instance has changed.

    A behavior that has a cheaper way to it than `snapshot`, which also checks that what it writes
    can be read again, has it as `image`.
    """
    image: Callable[[I], bytes] | None = getattr(behavior, "image", None)
    return image or (lambda instance: behavior.snapshot(instance).payload)


class Around(Generic[I]):
    """A `Behavior` around another one, which does all of the work; for those that watch it.

    Args:
        behavior: the other one.
    """

    def __init__(self, behavior: Behavior[I]) -> None:
        self._behavior = behavior
        self.fires = fires(behavior)

    def empty(self, entity: str) -> I:
        return self._behavior.empty(entity)

    def restore(self, entity: str, history: History) -> I:
        return self._behavior.restore(entity, history)

    def step(self, instance: I, message: Message, now_ms: int) -> Step[I]:
        return self._behavior.step(instance, message, now_ms)

    def version(self, instance: I) -> int:
        return self._behavior.version(instance)

    def snapshot(self, instance: I) -> Snapshot:
        return self._behavior.snapshot(instance)

    def key_hash(self, message: Message) -> bytes:
        return self._behavior.key_hash(message)

    def remembered(self, message: Message, reply: bytes) -> Reply:
        return self._behavior.remembered(message, reply)

    def part_keys(self, message: Message) -> tuple[bytes, ...]:
        return part_keys(self._behavior, message)


class BehaviorError(Exception):
    """A typed refusal; it carries the reply's failure and costs nothing but the message."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.failure.message if reply.failure else "")
        self.reply = reply


class BehaviorFault(BehaviorError):
    """The user's code broke a rule: a `BehaviorError` that the host logs as well."""
