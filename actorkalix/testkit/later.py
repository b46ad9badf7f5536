"""Kits that come with later versions; their types stand already."""

from __future__ import annotations

from typing import Generic, NoReturn, ParamSpec, TypeVar

from actorkalix.errors import NotInThisVersion
from actorkalix.model.handlers import HandlerRef

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
C = TypeVar("C")


class ViewTestKit(Generic[C]):
    """One view without a runtime. Comes with a later version.

    Args:
        view: its class.

    Raises:
        NotInThisVersion: always, for now.
    """

    def __init__(self, view: type[C], /) -> None:
        _later("ViewTestKit")

    def apply(self, change: object, /, *, subject: str) -> None:
        """Hand a change of `subject` to the table handlers."""
        _later("ViewTestKit")

    def query(self, query: HandlerRef[C, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run one query."""
        _later("ViewTestKit")


def _later(name: str) -> NoReturn:
    raise NotInThisVersion(f"actorkalix.testkit.{name} comes with a later version")
