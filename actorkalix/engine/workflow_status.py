"""Where a workflow stands, for those who look. Pure."""

from __future__ import annotations

from .workflow_control import BUSY, OVER, Control, Flow, Status, public
from .workflow_draft import CHILD, promise_of
from .workflow_messages import Heard, WorkflowStatus


def status_of(flow: Flow) -> WorkflowStatus:
    """Where a workflow stands, for those who look."""
    control, kept = flow.control, flow.kept
    suspended = control.status is Status.SUSPENDED
    parent = kept.parent
    return WorkflowStatus(
        status=public(control.status),
        step=control.step,
        number=control.number,
        attempt=_attempt(control),
        failure=control.failure,
        next_ms=flow.expires_ms,
        deadline_ms=control.deadline_ms,
        started_ms=control.born_ms,
        reason=control.held if suspended else control.reason,
        suspended_in=public(control.within) if suspended else "",
        promises=control.promises,
        undo=len(kept.undo),
        children=tuple(promise_of(each)[len(CHILD) :] for each in kept.children if not each.ended),
        parent="" if parent is None else f"{parent.component}/{parent.entity}",
        sequence_number=flow.number,
    )


def _attempt(control: Control) -> int:
    if control.status in BUSY:
        return control.failures + 1
    return control.failures if control.status is Status.PAUSED else 0


def heard_of(flow: Flow) -> Heard:
    """What a workflow has told of late, for those who listen."""
    over = flow.control.status in OVER
    return Heard(flow.control.born_ms, flow.number, flow.notes_since, over, flow.notes)
