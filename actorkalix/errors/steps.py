"""AK203x: errors of the steps of workflows."""

from __future__ import annotations

from .base import ActorkalixError


class StepCallsItself(ActorkalixError):
    """A step waits for a command of its own workflow; not executed.

    Commands of a workflow wait until its step has ended, so the step would wait for itself until
    its time is over.

    What to do: return what is to come as the step's effect (`update_state`, `transition_to`), read
    with a query, or send the command without waiting: `await call.send()`.
    """

    number = "AK2030"
    code = "failed_precondition"
    http_status = 409
