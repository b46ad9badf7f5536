"""Live notifications of workflows: what they tell those who listen just now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from actorkalix.model.handlers import StreamMethod, marked

if TYPE_CHECKING:
    from actorkalix.model.workflows import Workflow

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W", bound="Workflow[Any]")


def notifications(fn: Callable[Concatenate[W, P], AsyncIterator[R]], /) -> StreamMethod[W, P, R]:
    """Mark the method by which clients listen to a workflow; its body never runs.

    Its return type says what is told: `def progress(self) -> AsyncIterator[Progress]`. Commands
    and steps tell it with their effect: `.notify(Progress(...))`; it leaves when the effect is
    durable. Clients write `async for each in client.workflow(Transfer, "t1").progress()`, others
    read server-sent events at `GET /transfer/t1/progress`.

    Live alone: a stream begins with what is told after it was opened, and ends when the workflow
    has. Within a stream order is kept and nothing is left out: where something was missed it fails
    (AK3013), and whoever listens reads the state and listens again. Nothing that matters to the
    process itself is to depend on it.
    """
    method: StreamMethod[W, P, R] = marked(fn, "notifications", streams=True)
    return method
