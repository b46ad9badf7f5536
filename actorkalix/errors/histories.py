"""AK502x: errors of histories and of the models that judge them."""

from __future__ import annotations

from .base import ActorkalixError


class HistoryUnreadable(ActorkalixError):
    """A history cannot be judged as it is written; the message names the line.

    It is cut, of an unknown version, empty, of another service, or says what cannot have happened.

    What to do: mend the line it names, or record the history again.
    """

    number = "AK5021"
    code = "invalid_argument"
    http_status = 400


class ModelFailed(ActorkalixError):
    """The model that judges a history failed itself; the message names the operation.

    A model answers alike for equal states and operations, and changes no state in place.

    What to do: mend the model; the entity's own class is at fault where it is the model.
    """

    number = "AK5022"
    code = "failed_precondition"
