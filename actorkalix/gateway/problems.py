"""Failures as RFC 9457 problem documents. The only place where an error becomes HTTP."""

from __future__ import annotations

import re
from http import HTTPStatus

import msgspec

from actorkalix import errors
from actorkalix_cluster.shardhost.messages import Failure

PROBLEM_JSON = b"application/problem+json"
_WORD = re.compile("(?<=[a-z])(?=[A-Z])")


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document.

    Attributes:
        type: URN with the error's number.
        title: name of the error.
        status: HTTP status, as in the status line.
        detail: what happened this time.
        instance: path of the request.
        code: gRPC status name in lower case.
        number: of the page that `actorkalix explain` prints.
        outcome: `not_executed` (anyone may send again) or `unknown` (only with the same idempotency
            key).
        correlation_id: also in the log.
        details: what the handler gave along, for domain errors.
        error: class of a domain error where the service has one of its own.
        fields: attributes of that class.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    number: str
    outcome: str
    correlation_id: str
    details: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: str = ""
    fields: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def status_of(failure: Failure) -> int:
    """HTTP status of a failure: its own, else its number's, else its code's."""
    status = failure.http_status or _STATUS.get(failure.number, 0)
    return status or errors.HTTP_STATUS.get(failure.code, 500)


def problem_of(failure: Failure, path: str, correlation_id: str) -> bytes:
    """JSON of the problem document.

    Args:
        failure: what happened.
        path: of the request.
        correlation_id: of the request.
    """
    details = msgspec.Raw(failure.details) if failure.details else msgspec.UNSET
    return msgspec.json.encode(
        Problem(
            type=f"urn:actorkalix:error:{failure.number}",
            title=_TITLE.get(failure.number, "Error"),
            status=status_of(failure),
            detail=failure.message.encode(errors="replace").decode(),
            instance=path,
            code=failure.code,
            number=failure.number,
            outcome=failure.outcome,
            correlation_id=correlation_id,
            details=details,
            error=failure.type,
            fields=msgspec.Raw(failure.fields) if failure.fields else msgspec.UNSET,
        )
    )


def retry_after_s(failure: Failure) -> int:
    """Seconds for `Retry-After`, 0 for no such header."""
    if failure.retry_after_ms:
        return -(-failure.retry_after_ms // 1000)
    return int(status_of(failure) == HTTPStatus.SERVICE_UNAVAILABLE)


_TITLE = {
    number: _WORD.sub(" ", cls.__name__).capitalize() for number, cls in errors.catalog().items()
}
# The status of a domain error is its code's, chosen by the handler.
_STATUS = {
    number: cls.http_status
    for number, cls in errors.catalog().items()
    if cls is not errors.CommandError
}
