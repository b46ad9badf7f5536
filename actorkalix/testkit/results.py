"""What a kit's call did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

import msgspec

from actorkalix.errors import ActorkalixError
from actorkalix_cluster.shardhost.messages import Message

R = TypeVar("R")
S = TypeVar("S")
E = TypeVar("E")
T = TypeVar("T")


class Forwarded(msgspec.Struct, frozen=True):
    """A call to which a reply was left (AC-30).

    Attributes:
        component: id of the component.
        entity_id: of the entity, "" for actions.
        method: name of the handler.
        arguments: by the names of the handler's parameters, as JSON has them.
        metadata: what is sent along.
    """

    component: str
    entity_id: str
    method: str
    arguments: dict[str, Any] = {}
    metadata: tuple[tuple[str, str], ...] = ()


def forwarded(message: Message) -> Forwarded:
    """The call that this message is."""
    arguments = msgspec.to_builtins(msgspec.msgpack.decode(message.payload or b"\x80"))
    return Forwarded(message.component, message.entity, message.method, arguments, message.metadata)


class ActionResult(Generic[R]):
    """What one call of an action came to (TK-06).

    Attributes:
        error: the error it was answered with, or None.
        metadata: what the reply carries.
        forward: the call to which the reply was left, or None.
    """

    def __init__(
        self,
        reply: Any,
        error: ActorkalixError | None,
        *,
        metadata: Mapping[str, str] | None = None,
        forward: Forwarded | None = None,
    ) -> None:
        self._reply = reply
        self.error = error
        self.metadata: Mapping[str, str] = metadata or {}
        self.forward = forward

    @property
    def is_error(self) -> bool:
        """The call was answered with an error."""
        return self.error is not None

    @property
    def reply(self) -> R:
        """The reply, after its round trip through bytes.

        Raises:
            ActorkalixError: the call's error, if it was answered with one.
            AssertionError: it was forwarded.
        """
        if self.error is not None:
            raise self.error
        if self.forward is not None:
            raise AssertionError(f"it has no reply of its own, it was forwarded: {self.forward}")
        return cast("R", self._reply)


class Result(ActionResult[R], Generic[S, E, R]):
    """What one call did (TK-02, TK-04).

    Attributes:
        error: the error it was answered with, or None.
        events: the events it persisted, in order.
        state: the state after it.
        did_persist: it stored anything.
        deleted: the entity is deleted after it.
        expires_after: the time to live that it asked for, or None.
        metadata: what the reply carries.
        forward: the call to which the reply was left, or None.
    """

    def __init__(
        self,
        reply: Any,
        error: ActorkalixError | None,
        events: list[E],
        state: S,
        *,
        did_persist: bool = False,
        deleted: bool = False,
        expires_after: timedelta | None = None,
        metadata: Mapping[str, str] | None = None,
        forward: Forwarded | None = None,
    ) -> None:
        super().__init__(reply, error, metadata=metadata, forward=forward)
        self.events = events
        self.state = state
        self.did_persist = did_persist
        self.deleted = deleted
        self.expires_after = expires_after
        self._asked = 0

    def next_event(self, kind: type[T], /) -> T:
        """The next persisted event that was not asked for yet.

        Raises:
            AssertionError: there is none left, or it is of another type; the message names both.
        """
        if self._asked == len(self.events):
            raise AssertionError(f"expected {kind.__name__}, but no event is left")
        event = self.events[self._asked]
        if not isinstance(event, kind):
            raise AssertionError(f"expected {kind.__name__}, the next event is {event!r}")
        self._asked += 1
        return event
