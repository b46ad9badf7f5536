"""From a number to its error, and from what came over a wire to the caller's exception."""

from __future__ import annotations

from .base import ActorkalixError, Code, CommandError, Outcome


def family_of_command_errors() -> dict[str, type[CommandError]]:
    """`CommandError` and the subclasses that services have made, by class name (ES-81)."""
    found: dict[str, type[CommandError]] = {}
    waiting: list[type[CommandError]] = [CommandError]
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        found.setdefault(cls.__name__, cls)
    return found


def revive(
    number: str,
    message: str,
    *,
    code: Code,
    outcome: Outcome = "not_executed",
    details: object = None,
    type_name: str = "",
    fields: dict[str, object] | None = None,
) -> ActorkalixError:
    """The exception that a caller gets for a failure that came over a wire.

    Args:
        number: page of the error; an unknown one becomes `ActorkalixError`.
        message: for the caller.
        code: gRPC status name in lower case.
        outcome: what is known of the execution.
        details: of a domain error.
        type_name: class of a domain error; one that is not a `CommandError` known here is refused,
            which leaves a plain `CommandError` (ES-81).
        fields: attributes of that class (ES-80).
    """
    if number == CommandError.number:
        cls = family_of_command_errors().get(type_name, CommandError)
        revived = cls.__new__(cls)
        CommandError.__init__(revived, message, code=code, details=details)
        revived.outcome = outcome
        if cls is not CommandError:
            vars(revived).update(fields or {})
        return revived
    error = catalog().get(number, ActorkalixError)(message)
    error.code = code
    error.outcome = outcome
    return error


def catalog() -> dict[str, type[ActorkalixError]]:
    """All errors by number."""
    found: dict[str, type[ActorkalixError]] = {}
    home = ActorkalixError.__module__.rpartition(".")[0]
    waiting: list[type[ActorkalixError]] = [ActorkalixError]
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        if cls.__module__.startswith(home):
            found[cls.number] = cls
    return dict(sorted(found.items()))
