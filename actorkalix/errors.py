"""The error tree: every error says what happened, with a number that `actorkalix explain` knows.

AK1xxx definition, AK2xxx command, AK30xx not executed (anyone may send again), AK31xx outcome unknown (send again
only with an idempotency key), AK4xxx stored data, AK9xxx a bug of actorkalix. The docstring of a class is the page
that `actorkalix explain` prints: what it means, then what to do.
"""

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

    What to do: see CHANGELOG.md for what this version runs; leave the component out of the service until then.
    """

    number = "AK1002"


class ServiceNotLoaded(DefinitionError):
    """The service that was named cannot be imported; the message has the file, the line and the cause.

    What to do: write `module:service` or `path/to/file.py:service`; `--app-dir` says where modules are looked for.
    """

    number = "AK1003"


class AccessNotDeclared(DefinitionError):
    """The service is to listen beyond loopback and does not say who may call it.

    What to do: add `acl=allow_all` to `Service(...)` if everybody may, or leave `--host-address` away.
    """

    number = "AK1004"


class CommandError(ActorkalixError):
    """A domain error: the handler refused the command, and nothing was changed.

    Raising it in a handler equals returning `self.effects.error(...)`. It is stored under the command's
    idempotency key, so sending again gives the same answer.
    What to do: read the message; it is the service author's.

    Args:
        message: for the caller.
        code: gRPC status name in lower case; decides the HTTP status.
        details: any value that can be encoded as JSON.
    """

    number = "AK2001"
    code: Code = "invalid_argument"
    http_status = 400

    def __init__(self, message: str, *, code: Code = "invalid_argument", details: object = None) -> None:
        if code not in HTTP_STATUS:
            raise ValueError(f"there is no code {code!r}; the codes: {', '.join(HTTP_STATUS)}")
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details
        self.http_status = HTTP_STATUS[code]


class InvalidPayload(ActorkalixError):
    """The request's body or parameters do not fit the handler; the message names the field and what is wanted.

    What to do: mend the field it names. `GET` parameters come from the query string, others from a JSON body.
    """

    number = "AK2002"
    code = "invalid_argument"
    http_status = 400


class UnknownRoute(ActorkalixError):
    """No component, handler or route has this name.

    What to do: `actorkalix components module:service` lists components, handlers and routes.
    """

    number = "AK2003"
    code = "not_found"
    http_status = 404


class MethodNotAllowed(ActorkalixError):
    """The route exists, for another HTTP method; the `Allow` header names those that it has.

    What to do: commands are `POST`, queries answer `GET` and `POST`.
    """

    number = "AK2004"
    code = "unimplemented"
    http_status = 405


class InvalidEntityId(ActorkalixError):
    """An entity id is empty, longer than 256 bytes of UTF-8, or has control characters.

    What to do: use another id; long ones are usually hashed first.
    """

    number = "AK2005"
    code = "invalid_argument"
    http_status = 400


class PayloadTooLarge(ActorkalixError):
    """A request, reply, event or state is larger than its limit; the message names both sizes.

    What to do: send less, or raise the limit in `Service(limits=Limits(...))` where it may be raised.
    """

    number = "AK2006"
    code = "out_of_range"
    http_status = 413


class InvalidIdempotencyKey(ActorkalixError):
    """An `Idempotency-Key` has 1 to 128 bytes of UTF-8 without control characters; this one has not.

    What to do: use a UUID or a hash.
    """

    number = "AK2007"
    code = "invalid_argument"
    http_status = 400


class IdempotencyKeyReused(ActorkalixError):
    """Another command or payload was sent under this idempotency key to this entity within 24 hours.

    What to do: make a new key for a new request; send the same request again to get its stored reply.
    """

    number = "AK2008"
    code = "failed_precondition"
    http_status = 422


class EntityDeleted(ActorkalixError):
    """The entity was deleted or has expired and takes no more changes until it is cleaned up (7 days).

    What to do: read it, or use another id.
    """

    number = "AK2009"
    code = "failed_precondition"
    http_status = 409


class HandlerFailed(ActorkalixError):
    """The handler raised something that is not a `CommandError`. Nothing was stored.

    The caller sees a correlation id and no more; the log has the same id with the stack trace.
    What to do: look the id up in the log; raise `CommandError` where the caller should see a reason.
    """

    number = "AK2010"


class InvalidEffect(ActorkalixError):
    """A handler returned something that is not an effect, or one that it may not return. Nothing was stored.

    What to do: end commands with `.then_reply(...)` or `self.effects.reply(...)`; queries must not persist.
    """

    number = "AK2011"


class NotEncodable(ActorkalixError):
    """An event, state or reply cannot be written in its declared type. Nothing was stored.

    What to do: give it the declared type; integers have 64 bits.
    """

    number = "AK2012"


class SlowBody(ActorkalixError):
    """The request's body did not arrive in time.

    What to do: send it at once; the limit is `body_timeout`.
    """

    number = "AK2013"
    code = "deadline_exceeded"
    http_status = 408


class Overloaded(ActorkalixError):
    """More commands wait than the host takes; this one was not executed.

    What to do: send it again after `Retry-After`; a client with backoff does.
    """

    number = "AK3001"
    code = "unavailable"
    http_status = 503


class Draining(ActorkalixError):
    """The host is stopping and takes no more commands; this one was not executed.

    What to do: send it again; another host or the next start answers.
    """

    number = "AK3002"
    code = "unavailable"
    http_status = 503


class StoreFull(ActorkalixError):
    """The disk of the data folder is full. Nothing of the command was stored; reads go on.

    What to do: free space on the disk; nothing else needs to be done.
    """

    number = "AK3003"
    code = "resource_exhausted"
    http_status = 507


class OwnerAway(ActorkalixError):
    """The host that owns the entity's shard is not there now; the command was not executed.

    What to do: send it again after `Retry-After`.
    """

    number = "AK3004"
    code = "unavailable"
    http_status = 503


class DeadlinePassed(ActorkalixError):
    """The command's time was over before it began; it was not executed.

    What to do: send it again with more time.
    """

    number = "AK3005"
    code = "deadline_exceeded"
    http_status = 504


class NotCommitted(ActorkalixError):
    """The command was worked out and then left out of its commit, alone; it was not executed.

    What it rested on had failed, or its shard has another owner.
    What to do: send it again.
    """

    number = "AK3006"
    code = "aborted"
    http_status = 503


class OutcomeUnknown(ActorkalixError):
    """Nobody knows whether the command was executed: the answer did not come in time, or its host died.

    What to do: send it again only with the `Idempotency-Key` of the first time, or read the entity first.
    """

    number = "AK3101"
    code = "deadline_exceeded"
    http_status = 504
    outcome = "unknown"


class DurabilityLost(ActorkalixError):
    """The disk refused a sync: what is stored is not known, and the host ended to find out.

    What to do: look at the disk; the service recovers by itself if the disk does.
    """

    number = "AK3102"
    code = "unavailable"
    http_status = 503
    outcome = "unknown"


class StoredDataDamaged(ActorkalixError):
    """Bytes on disk are not what was written. The shard is not served rather than answered with invented data.

    What to do: `actorkalix verify DATA` names the first damage; restore a backup.
    """

    number = "AK4001"
    code = "data_loss"
    http_status = 500


class StoredDataUnreadable(ActorkalixError):
    """A stored event or state does not decode as the class that now bears its type name.

    What to do: give the class a `@type_name(..., version=N)` and a `@migrate` from the stored version.
    """

    number = "AK4002"
    code = "data_loss"
    http_status = 500


class ForeignFolder(ActorkalixError):
    """The data folder belongs to another service, or is a copy of one.

    What to do: give each service a folder of its own with `--data`.
    """

    number = "AK4003"
    code = "failed_precondition"


class FolderInUse(ActorkalixError):
    """Another process has the data folder open; the message names it.

    What to do: stop that process, or use another folder with `--data`.
    """

    number = "AK4004"
    code = "failed_precondition"


class UnsupportedFormat(ActorkalixError):
    """The data folder was written in a format that this version does not read.

    What to do: use the version that wrote it, or a newer one.
    """

    number = "AK4005"
    code = "failed_precondition"


class FolderUnusable(ActorkalixError):
    """The data folder is missing, read-only, or not a folder.

    What to do: check path and rights, or give another with `--data`.
    """

    number = "AK4006"
    code = "failed_precondition"


class PortTaken(ActorkalixError):
    """Another process listens on the port.

    What to do: stop it or use another port with `--port` or `--admin-port`.
    """

    number = "AK5001"
    code = "failed_precondition"


class AdminUnreachable(ActorkalixError):
    """No service answers at the admin address, or something answers that is not one.

    What to do: check `--admin`, start the service, or read its folder at rest with `--data`.
    """

    number = "AK5002"
    code = "unavailable"
    http_status = 503


class InvalidCommandLine(ActorkalixError):
    """The command line cannot be read as it was typed.

    What to do: `actorkalix --help` lists the commands, `actorkalix COMMAND --help` the options of one.
    """

    number = "AK5003"
    code = "invalid_argument"
    http_status = 400


class HostKeepsDying(ActorkalixError):
    """Host processes died five times within 60 seconds; nothing is started again.

    What to do: read what the log says before each end; `actorkalix verify DATA` checks the stored data.
    """

    number = "AK5004"


class RayFailed(ActorkalixError):
    """Ray could not be started, or one of its processes ended. Everything else of the service was ended too.

    What was acknowledged is stored.
    What to do: start the service again; Ray's own logs are where the message says.
    """

    number = "AK5005"


class InternalError(ActorkalixError):
    """A bug of actorkalix. The log has the correlation id and the stack trace.

    What to do: report it with what the log says.
    """

    number = "AK9001"


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
        type_name: class of a domain error; one that is not a `CommandError` known here is refused, which leaves
            a plain `CommandError` (ES-81).
        fields: attributes of that class (ES-80).
    """
    if number == CommandError.number:
        cls = family_of_command_errors().get(type_name, CommandError)
        revived = cls.__new__(cls)
        CommandError.__init__(revived, message, code=code, details=details)
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
    waiting: list[type[ActorkalixError]] = [ActorkalixError]
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        if cls.__module__ == __name__:
            found[cls.number] = cls
    return dict(sorted(found.items()))
