"""The port of sequential models: what an entity does when it is alone with one client."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol, TypeVar

from actorkalix.testkit.history import Operation

S = TypeVar("S", bound=Hashable)  # a state: immutable, equal to states that behave alike


class Model(Protocol[S]):
    """A sequential specification. It is pure: no clock, no chance, and states are never changed."""

    def initial(self, entity: str, /) -> S:
        """The state before the first operation."""
        ...

    def step(self, state: S, operation: Operation, /) -> tuple[bool, S]:
        """Do an operation in a state.

        Returns:
            Whether it would have been answered as it was (always true where the outcome is
            unknown), and the state after it.
        """
        ...

    def is_read(self, operation: Operation, /) -> bool:
        """It changes no state, wherever it is answered as it was. When in doubt False: that
        costs time alone."""
        ...

    def explain(self, state: S, operation: Operation, /) -> str:
        """For people: what it would be answered, as `it would be answered 3`."""
        ...
