"""Errors of workflows: what does not fit where one stands."""

from __future__ import annotations

from .base import ActorkalixError


class TransitionRefused(ActorkalixError):
    """A workflow has ended, or is suspended, and takes no change. Nothing was changed.

    After its end (of whatever kind) a workflow keeps its state and answers queries; a command that
    would change state or course is refused, and so is a promise. While it is suspended, commands
    that change nothing are answered.

    What to do: read its status (`actorkalix workflows show`); `resume` what is suspended, `restart`
    what has ended from a step, or start another one under a new id.
    """

    number = "AK2017"
    code = "failed_precondition"
    http_status = 400


class UnknownPromise(ActorkalixError):
    """Nobody waits for this promise, and no handler has named it. Nothing was changed.

    A promise may be resolved from when a handler that calls `self.promise(name)` has stored its
    effect, also before the workflow waits for it; after it has been used it is unknown again.

    What to do: compare the name with the one in the code; `actorkalix workflows show` says what a
    workflow waits for.
    """

    number = "AK2018"
    code = "not_found"
    http_status = 404


class ChildNotBegun(ActorkalixError):
    """The command that was to start a child workflow has not made it a child. Nothing was changed.

    The workflow runs already and was started by somebody else, it has ended, or the command replied
    without a transition. Its parent would wait for an end of which nobody tells it, so the parent
    goes on: with a `ChildEnd` whose status is "failed" and whose reason says this.

    What to do: start children under ids of their own, by a command that begins with
    `update_state` or a transition; look at the child by `actorkalix workflows show`.
    """

    number = "AK2023"
    code = "failed_precondition"
    http_status = 400


class NotificationsMissed(ActorkalixError):
    """A workflow has told more than this stream could follow, and some of it is gone.

    Notifications are live: a workflow keeps what it has told of late, for seconds, and nothing
    across a restart of its host.

    What to do: read the workflow's state, and listen again.
    """

    number = "AK3013"
    code = "out_of_range"
    http_status = 410


class UnknownStep(ActorkalixError):
    """The workflow has no such step, or it has not run yet and its input is not known.

    Of a stored workflow it says that the code has lost a step in which an instance still is: its
    attempts fail until the step is back.

    What to do: keep old steps until no workflow is in them (`actorkalix workflows check`).
    """

    number = "AK2019"
    code = "not_found"
    http_status = 404
