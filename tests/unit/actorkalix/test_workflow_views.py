"""What operators see of workflows travels as JSON."""

from __future__ import annotations

import msgspec

from actorkalix.workflow_views import (
    STATUSES,
    ControlOrder,
    Moment,
    WorkflowPage,
    WorkflowRow,
    WorkflowView,
)


def test_pages_and_views_come_back_as_they_went() -> None:
    row = WorkflowRow("transfer", "t1", "paused")
    view = WorkflowView(row, state={"a": 1}, moments=(Moment(1, 2, "command", "start"),))
    for value in (WorkflowPage([row], "p"), view):
        assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


def test_orders_have_no_other_fields() -> None:
    order = msgspec.json.encode(ControlOrder("a", "b", "suspend"))
    assert msgspec.json.decode(order, type=ControlOrder).reason == ""
    assert "suspended" in STATUSES
