"""What a workflow may do next, as plain values: an effect carries one of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import msgspec

from actorkalix.model.calls import Call

EndStatus: TypeAlias = Literal["ended", "failed", "timed_out", "terminated", "deleted"]
"""By its word, by a step that failed, by its timeout, by a client; or it was deleted."""


class ToStep(msgspec.Struct, frozen=True):
    """A workflow goes on with a step."""

    step: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}


class Pause(msgspec.Struct, frozen=True):
    """A workflow waits for a command.

    Attributes:
        reason: for those who look.
        timeout: how long at most, None for ever.
        then: the step with which it goes on when the time has passed, or None.
        command: the command that it is given instead, or None.
    """

    reason: str = ""
    timeout: timedelta | None = None
    then: str | None = None
    command: str | None = None


class WaitFor(msgspec.Struct, frozen=True):
    """A workflow waits for a promise.

    Attributes:
        promise: its name.
        then: the step that goes on with the value, if it takes one.
        timeout: how long at most, None for ever.
        on_timeout: the step with which it goes on when the time has passed, or None.
    """

    promise: str
    then: str
    timeout: timedelta | None = None
    on_timeout: str | None = None


class StartChildren(msgspec.Struct, frozen=True):
    """A workflow starts others and waits until they have ended.

    Attributes:
        calls: of commands that start them.
        then: the step that goes on with how they ended.
        single: that step takes one `ChildEnd`, not a list.
    """

    calls: tuple[Call[Any], ...]
    then: str
    single: bool = False


class Compensate(msgspec.Struct, frozen=True):
    """A workflow undoes what it has done: the undo calls that its steps registered, newest first.

    Attributes:
        then: the step with which it goes on after that; None ends it.
        reason: of that end.
    """

    then: str | None = None
    reason: str = ""


class End(msgspec.Struct, frozen=True):
    """A workflow is done; with `delete` its state goes too."""

    reason: str = ""
    delete: bool = False


Next: TypeAlias = ToStep | Pause | WaitFor | StartChildren | Compensate | End


class ChildEnd(msgspec.Struct, frozen=True):
    """How a child workflow ended.

    Attributes:
        component: id of its component.
        workflow_id: its id.
        status: see `EndStatus`.
        reason: that it gave, or why it failed.
        state: its last state, as JSON makes it; None when it has none.
    """

    component: str
    workflow_id: str
    status: EndStatus
    reason: str = ""
    state: Any = None
