"""Between exceptions and the failures that travel in replies: both ways, in one place."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from actorkalix_cluster.shardhost.messages import Failure

from .errors import (
    HTTP_STATUS,
    ActorkalixError,
    Code,
    CommandError,
    NotEncodable,
    OutcomeUnknown,
    revive,
)

_JSON = msgspec.json.Encoder()
_BASE_FIELDS = frozenset(vars(CommandError("")))


def failure_of(error: ActorkalixError) -> Failure:
    """The failure that tells a caller of this error.

    Raises:
        NotEncodable: details or fields of a domain error have no form in JSON.
    """
    details, name, fields = b"", "", b""
    if isinstance(error, CommandError):
        details = b"" if error.details is None else _encoded(error.details)
        if type(error) is not CommandError:
            own = {key: value for key, value in vars(error).items() if key not in _BASE_FIELDS}
            name, fields = type(error).__name__, _encoded(own)
    usual = HTTP_STATUS[error.code]
    return Failure(
        number=error.number,
        code=error.code,
        message=str(error),
        outcome=error.outcome,
        details=details,
        retry_after_ms=error.retry_after_ms,
        http_status=0 if error.http_status == usual else error.http_status,
        type=name,
        fields=fields,
    )


def error_of(failure: Failure) -> ActorkalixError:
    """The exception that a caller gets for a failure; a domain error in its own class (ES-80)."""
    error = revive(
        failure.number,
        failure.message,
        code=cast("Code", failure.code),
        outcome=failure.outcome,
        details=msgspec.json.decode(failure.details) if failure.details else None,
        type_name=failure.type,
        fields=msgspec.json.decode(failure.fields) if failure.fields else None,
    )
    error.retry_after_ms = failure.retry_after_ms
    return error


def begun(failure: Failure) -> Failure:
    """The failure of a call, for the caller of what had begun before it and led to it.

    "Not executed, send it again" is true of the call alone; of the whole the outcome is unknown.
    """
    if failure.number[:4] != "AK30":
        return failure
    return msgspec.structs.replace(
        failure,
        number=OutcomeUnknown.number,
        message=f"a call that it led to was not executed: {failure.message}",
        outcome="unknown",
        http_status=failure.http_status or HTTP_STATUS[failure.code],
    )


def _encoded(value: Any) -> bytes:
    try:
        return _JSON.encode(value)
    except (TypeError, ValueError, OverflowError) as problem:
        raise NotEncodable(f"what an error carries has no form in JSON: {problem}") from problem
