"""AK502x: errors of histories, of the models that judge them, and of simulations."""

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


class ScenarioUnreadable(ActorkalixError):
    """A scenario of a simulation cannot be played as it is written; the message names the key.

    It has a key or a rule that nobody knows, a value of a wrong type or out of its range, or is no
    TOML.

    What to do: mend the key it names; the message says what would be right.
    """

    number = "AK5023"
    code = "invalid_argument"
    http_status = 400


class WorkloadUnfit(ActorkalixError):
    """No calls can be drawn for a service as the workload says; the message names the handler.

    The workload names a handler or parameter that the service has not, or gives a value of another
    type; or the service has no entity to call; or a type refuses whatever is drawn for it.

    What to do: mend the name, or give values for the parameter that it names.
    """

    number = "AK5024"
    code = "invalid_argument"
    http_status = 400
