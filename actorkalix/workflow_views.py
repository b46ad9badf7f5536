"""Workflows as operators see them, and the port through which they act on them."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias, get_args

import msgspec

Status: TypeAlias = Literal[
    "not_started",
    "running",
    "retrying",
    "paused",
    "waiting",
    "suspended",
    "ended",
    "failed",
    "timed_out",
    "terminated",
    "deleted",
]
STATUSES: tuple[Status, ...] = get_args(Status)

Action: TypeAlias = Literal["suspend", "resume", "terminate", "restart", "resolve"]


class WorkflowRow(msgspec.Struct, frozen=True):
    """A workflow in a list. Times are milliseconds since 1970, 0 for none.

    Attributes:
        component, workflow_id: which one.
        status: where it stands.
        step: that runs, or ran last.
        attempt: of the step, from 1; 0 when none runs.
        failure: how the attempt before ended, or "".
        reason: of its pause, suspension or end, or "".
        started_ms, changed_ms: of its first and of its newest record.
        next_ms: when something is due.
        sequence_number: of its newest record.
    """

    component: str
    workflow_id: str
    status: str
    step: str = ""
    attempt: int = 0
    failure: str = ""
    reason: str = ""
    started_ms: int = 0
    changed_ms: int = 0
    next_ms: int = 0
    sequence_number: int = 0


class WorkflowPage(msgspec.Struct, frozen=True):
    """Workflows of a component; `next_page` asks for more, "" on the last page."""

    workflows: list[WorkflowRow]
    next_page: str


class Moment(msgspec.Struct, frozen=True):
    """A record of a workflow: what happened, and where it stood then.

    Attributes:
        sequence_number, time_ms: of the record.
        did: what happened: command, completed, attempt_failed, gave_up, pause_over, resolved ...
        what: the command, promise, child or undone call, where it is about one.
        step, attempt: that completed or failed.
        began_ms, ended_ms: of that attempt, 0 for none.
        failure: how it ended, or "".
        status, next_step: afterwards; the step that it is in or goes on with.
        reason: of a pause, suspension or end.
        state: the user's state, where it changed; None where it did not.
    """

    sequence_number: int
    time_ms: int
    did: str
    what: str = ""
    step: str = ""
    attempt: int = 0
    began_ms: int = 0
    ended_ms: int = 0
    failure: str = ""
    status: str = ""
    next_step: str = ""
    reason: str = ""
    state: Any = None


class WorkflowView(msgspec.Struct, frozen=True):
    """One workflow.

    Attributes:
        row: as in a list.
        deadline_ms: when it times out as a whole, 0 for never.
        suspended_in: status to which resuming leads back, or "".
        promises: that it waits for.
        undo: undo calls that are registered.
        children, parent: "component/id" of those that have not ended; of who started it, or "".
        state: the user's state as JSON makes it.
        moments: its records beyond the asked one, oldest first.
        more: there are more moments.
        note: what could not be shown, or "".
    """

    row: WorkflowRow
    deadline_ms: int = 0
    suspended_in: str = ""
    promises: tuple[str, ...] = ()
    undo: int = 0
    children: tuple[str, ...] = ()
    parent: str = ""
    state: Any = None
    moments: tuple[Moment, ...] = ()
    more: bool = False
    note: str = ""


class ControlOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /admin/workflows/control`.

    Attributes:
        component, workflow_id: whom.
        action: what is done with it.
        reason: of suspend and terminate.
        step: of restart; "" is the newest.
        anew: of restart: make all of its calls anew.
        promise, value: of resolve.
    """

    component: str
    workflow_id: str
    action: Action
    reason: str = ""
    step: str = ""
    promise: str = ""
    value: Any = None
    anew: bool = False


class Controlled(msgspec.Struct, frozen=True):
    """Answer of `POST /admin/workflows/control`: where the workflow stands now."""

    component: str
    workflow_id: str
    status: str


class Workflows(Protocol):
    """What operators see of workflows and do with them; a folder at rest is only looked at."""

    async def workflows(
        self, component: str, *, status: str, page: str, limit: int
    ) -> WorkflowPage: ...

    async def workflow(
        self, component: str, workflow_id: str, *, after: int, limit: int
    ) -> WorkflowView: ...

    async def control(self, order: ControlOrder) -> Controlled: ...
