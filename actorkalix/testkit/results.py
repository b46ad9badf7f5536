"""What a kit's call did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

from actorkalix.errors import ActorkalixError

R = TypeVar("R")
S = TypeVar("S")
E = TypeVar("E")
T = TypeVar("T")


class Result(Generic[S, E, R]):
    """What one call did (TK-02, TK-04).

    Attributes:
        error: the error it was answered with, or None.
        events: the events it persisted, in order.
        state: the state after it.
        did_persist: it stored anything.
        deleted: the entity is deleted after it.
        expires_after: the time to live that it asked for, or None.
        metadata: what the reply carries.
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
    ) -> None:
        self._reply = reply
        self.error = error
        self.events = events
        self.state = state
        self.did_persist = did_persist
        self.deleted = deleted
        self.expires_after = expires_after
        self.metadata: Mapping[str, str] = metadata or {}
        self._asked = 0

    @property
    def is_error(self) -> bool:
        """The call was answered with an error."""
        return self.error is not None

    @property
    def reply(self) -> R:
        """The reply, after its round trip through bytes.

        Raises:
            ActorkalixError: the call's error, if it was answered with one.
        """
        if self.error is not None:
            raise self.error
        return cast("R", self._reply)

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
