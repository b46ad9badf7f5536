"""What development mode finds in a kit: a host answers with no more than an id, a test wants it."""

from __future__ import annotations

from typing import Any

from actorkalix.runtime.development import development
from actorkalix_cluster.shardhost.behavior import Behavior


class Findings:
    """Errors of handlers, from the behaviors that find them to the test that raises them."""

    def __init__(self) -> None:
        self._errors: list[Exception] = []

    def wrap(self, behavior: Behavior[Any]) -> Behavior[Any]:
        """The behavior; what is found in it is kept here."""
        return development(behavior, self._errors.append)

    def raise_first(self) -> None:
        """Raise the oldest that was not raised yet.

        Raises:
            HandlerWaits: a handler waited.
            StateChangedInPlace: a handler changed its state in place.
        """
        if self._errors:
            raise self._errors.pop(0)

    def take(self) -> list[Exception]:
        """All that were not raised yet."""
        found, self._errors = self._errors, []
        return found
