"""Watches behaviors for handlers that change a state in place.

The durable instance of an entity is shared with everything that reads it; a handler that appends to
a list in it shows what is not stored. Bytes are compared before and after each step: it costs time,
so it is done in tests.
"""

from __future__ import annotations

from typing import Any

from actorkalix_cluster.shardhost.behavior import Behavior, Step
from actorkalix_cluster.shardhost.messages import Message, Reply
from actorkalix_storage.api import History, Snapshot


class StateChangedInPlace(AssertionError):
    """A handler changed the state that it was given instead of making a new one."""


class WatchedBehavior:
    """A behavior that looks whether instances stay as they were.

    Args:
        behavior: does the work.
        found: gets what was found; the host that runs the behavior answers with no more than an id.
    """

    def __init__(self, behavior: Behavior[Any], found: list[StateChangedInPlace]) -> None:
        self._behavior = behavior
        self._found = found

    def empty(self, entity: str) -> Any:
        """As the behavior does."""
        return self._behavior.empty(entity)

    def restore(self, entity: str, history: History) -> Any:
        """As the behavior does."""
        return self._behavior.restore(entity, history)

    def step(self, instance: Any, message: Message, now_ms: int) -> Step[Any]:
        """As the behavior does.

        Raises:
            StateChangedInPlace: the instance is not what it was.
        """
        before = self._behavior.snapshot(instance).payload
        step = self._behavior.step(instance, message, now_ms)
        if self._behavior.snapshot(instance).payload != before:
            error = StateChangedInPlace(
                f"{message.component} {message.entity!r}.{message.method} changed the state "
                "in place; make a new one (dataclasses.replace) and hand it to an effect"
            )
            self._found.append(error)
            raise error  # the host rebuilds the instance
        return step

    def version(self, instance: Any) -> int:
        """As the behavior does."""
        return self._behavior.version(instance)

    def snapshot(self, instance: Any) -> Snapshot:
        """As the behavior does."""
        return self._behavior.snapshot(instance)

    def key_hash(self, message: Message) -> bytes:
        """As the behavior does."""
        return self._behavior.key_hash(message)

    def remembered(self, message: Message, reply: bytes) -> Reply:
        """As the behavior does."""
        return self._behavior.remembered(message, reply)
