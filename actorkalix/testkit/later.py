"""Kits that come with later versions; their types stand already."""

from __future__ import annotations

from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

from actorkalix.errors import NotInThisVersion
from actorkalix.model.component import ComponentClass
from actorkalix.model.handlers import HandlerRef
from actorkalix.model.workflows import Step
from actorkalix.testkit.results import Result

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
C = TypeVar("C")


class WorkflowTestKit(Generic[C, S]):
    """One workflow without a runtime. Comes with a later version.

    Args:
        workflow: its class.
        workflow_id: its id.

    Raises:
        NotInThisVersion: always, for now.
    """

    def __init__(self, workflow: ComponentClass[C, S, Any], workflow_id: str = "test", /) -> None:
        _later("WorkflowTestKit")

    def call(
        self, handler: HandlerRef[C, P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result[S, Any, R]:
        """Run one command or query."""
        _later("WorkflowTestKit")

    async def run_step(self, step: Step[C, P], /, *args: P.args, **kwargs: P.kwargs) -> S:
        """Run one step; gives the state after it."""
        _later("WorkflowTestKit")


def _later(name: str) -> NoReturn:
    raise NotInThisVersion(f"actorkalix.testkit.{name} comes with a later version")
