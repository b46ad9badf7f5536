"""The root of the error tree, and the errors that service authors meet."""

from __future__ import annotations

from typing import ClassVar, Literal

Code = Literal[
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
]
Outcome = Literal["not_executed", "unknown"]

HTTP_STATUS: dict[str, int] = {
    "cancelled": 499,
    "unknown": 500,
    "invalid_argument": 400,
    "deadline_exceeded": 504,
    "not_found": 404,
    "already_exists": 409,
    "permission_denied": 403,
    "resource_exhausted": 429,
    "failed_precondition": 400,
    "aborted": 409,
    "out_of_range": 400,
    "unimplemented": 501,
    "internal": 500,
    "unavailable": 503,
    "data_loss": 500,
    "unauthenticated": 401,
}
"""gRPC status names and the HTTP status each becomes (google.rpc.Code; RT-35)."""


class ActorkalixError(Exception):
    """Something went wrong in a way that actorkalix has a name for.

    What to do: look up the error's own number; this one stands for the whole tree.

    Attributes:
        number: of the page that explains it.
        code: gRPC status name in lower case, as problem documents carry it.
        http_status: HTTP status of the problem document.
        outcome: `not_executed` or `unknown`.
        retry_after_ms: when sending again makes sense; 0 for no advice.
    """

    number: ClassVar[str] = "AK0000"
    code: Code = "internal"
    http_status: int = 500
    outcome: Outcome = "not_executed"
    retry_after_ms: int = 0


class DefinitionError(ActorkalixError):
    """A component class or a service is written in a way that cannot work.

    All problems of the class are listed at once, each with file, line and what to write instead.
    What to do: mend the lines it names; nothing was started.
    """

    number = "AK1001"
    code = "failed_precondition"
    http_status = 400

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class NotInThisVersion(DefinitionError):
    """The public surface has this name already, the machinery behind it comes with a later version.

    What to do: see CHANGELOG.md for what this version runs; leave the component out of the service
    until then.
    """

    number = "AK1002"


class ServiceNotLoaded(DefinitionError):
    """The service that was named cannot be imported.

    The message has the file, the line and the cause.

    What to do: write `module:service` or `path/to/file.py:service`; `--app-dir` says where modules
    are looked for.
    """

    number = "AK1003"


class AccessNotDeclared(DefinitionError):
    """The service is to listen beyond loopback and does not say who may call it.

    What to do: add `acl=allow_all` to `Service(...)` if everybody may, or leave `--host-address`
    away.
    """

    number = "AK1004"


class ExtraMissing(DefinitionError):
    """The service needs a library that is not installed, and that only some services need.

    What to do: install it as the message says, where the service runs.
    """

    number = "AK1005"


class CommandError(ActorkalixError):
    """A domain error: the handler refused the command, and nothing was changed.

    Raising it in a handler equals returning `self.effects.error(...)`. It is stored under the
    command's idempotency key, so sending again gives the same answer.
    What to do: read the message; it is the service author's.

    Args:
        message: for the caller.
        code: gRPC status name in lower case; decides the HTTP status.
        details: any value that can be encoded as JSON.
    """

    number = "AK2001"
    code: Code = "invalid_argument"
    http_status = 400

    def __init__(
        self, message: str, *, code: Code = "invalid_argument", details: object = None
    ) -> None:
        if code not in HTTP_STATUS:
            raise ValueError(f"there is no code {code!r}; the codes: {', '.join(HTTP_STATUS)}")
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details
        self.http_status = HTTP_STATUS[code]


class InternalError(ActorkalixError):
    """A bug of actorkalix. The log has the correlation id and the stack trace.

    What to do: report it with what the log says.
    """

    number = "AK9001"
