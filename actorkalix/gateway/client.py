"""The client's way to a service over HTTP: one attempt a request; errors say what happened."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from actorkalix import errors
from actorkalix.codec import codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.gateway import tokens
from actorkalix.gateway.headers import META, RESERVED, TIMEOUT_MS_MAX
from actorkalix.gateway.routes import dashed, default_path
from actorkalix.model.metadata import Metadata
from actorkalix.model.transport import Reply, Request
from actorkalix_cluster.shardhost.messages import Encoding

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = TIMEOUT_MS_MAX / 1000 + 5  # the service gives up first, and says more
CONNECTIONS_MAX = 256
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x1f\x7f]*")
_DOTS = re.compile(r"\.{1,2}")


class Problem(msgspec.Struct):
    """What a client reads of a problem document."""

    number: str
    detail: str
    status: int = 500
    code: errors.Code = "internal"
    outcome: errors.Outcome = "unknown"
    details: Any = None
    error: str = ""
    fields: dict[str, Any] | None = None


_problem = msgspec.json.Decoder(Problem)


class HttpTransport:
    """Carries requests to the default routes of a service; a client's `Transport`.

    Args:
        url: of the service, as `http://localhost:9000`.
        token: bearer token for every request.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            headers={} if token is None else {"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            trust_env=not _is_loopback(httpx.URL(url).host),  # no proxy leads to this machine
        )

    async def send(self, request: Request, /) -> Reply[Any]:
        """Sends one request and waits for its reply.

        Raises:
            CommandError: the handler refused.
            ActorkalixError: anything else; its `outcome` says whether it may have been executed.
        """
        descriptor = descriptor_of(request.component)
        codec = codecs_for(descriptor)
        body = codec.arguments[request.method].encode(request.args, request.kwargs, Encoding.JSON)
        response = await self._post(request, _path(descriptor, request), body)
        if response.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT):
            raise _error(response, self._url)
        try:
            value = codec.replies[request.method].decode(response.content, Encoding.JSON)
        except msgspec.DecodeError as error:
            unreadable = errors.InvalidPayload(
                f"{request.method} replied what its type has not ({error}): "
                "client and service have different versions of the class"
            )
            unreadable.outcome = "unknown"
            raise unreadable from error
        token = response.headers.get(tokens.HEADER, "")
        return Reply(value, token, _metadata(response))

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def _post(self, request: Request, path: str, body: bytes) -> httpx.Response:
        url, headers = self._url + path, _headers(request)
        wait_s = None if request.timeout is None else request.timeout.total_seconds()
        try:
            async with asyncio.timeout(wait_s):
                return await self._http.post(url, content=body, headers=headers)
        except TimeoutError:
            raise errors.OutcomeUnknown(f"no answer within {wait_s:g} s") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise errors.OwnerAway(f"no service answers at {self._url}: {_said(error)}") from error
        except httpx.TransportError as error:
            raise errors.OutcomeUnknown(
                f"the connection to {self._url} broke before the answer: {_said(error)}"
            ) from error


def _path(descriptor: ComponentDescriptor, request: Request) -> str:
    path = default_path(descriptor, dashed(request.method))
    if request.entity_id is None:
        return path
    entity = quote(request.entity_id, safe="")
    if _DOTS.fullmatch(entity):  # as they are, they would be directions
        entity = entity.replace(".", "%2E")
    return path.replace("{entity_id}", entity, 1)


def _headers(request: Request) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", b"application/json")]
    if request.idempotency_key is not None:
        headers.append((b"idempotency-key", request.idempotency_key.encode()))
    if request.timeout is not None:
        timeout_ms = max(1, request.timeout // timedelta(milliseconds=1))
        headers.append((b"x-timeout-ms", b"%d" % timeout_ms))
    if request.after is not None:
        headers.append((tokens.HEADER.lower().encode(), request.after.encode()))
    for name, value in request.metadata.pairs:
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise errors.InvalidPayload(f"the metadata {name!r} cannot travel as an HTTP header")
        headers.append((META + name.encode(), value.encode()))
    return headers


def _metadata(response: httpx.Response) -> Metadata:
    """What the handler sent along: `x-meta-*` without the prefix, and further `x-*`."""
    pairs: list[tuple[str, str]] = []
    for raw_name, raw_value in response.headers.raw:
        name = raw_name.lower()
        if name.startswith(b"x-") and name not in RESERVED:
            pairs.append(
                (name.removeprefix(META).decode("ascii"), raw_value.decode("utf-8", "replace"))
            )
    return Metadata(pairs)


def _error(response: httpx.Response, url: str) -> errors.ActorkalixError:
    status = response.status_code
    try:
        problem = _problem.decode(response.content)
    except msgspec.MsgspecError:
        said = f"{url} answered {status} without saying why: is it an actorkalix service?"
        return errors.OutcomeUnknown(said) if status >= 500 else errors.UnknownRoute(said)
    known = problem.number in errors.catalog()
    error = errors.revive(
        problem.number,
        problem.detail if known else f"{problem.number}: {problem.detail}",
        code=problem.code,
        outcome=problem.outcome,
        details=problem.details,
        type_name=problem.error,
        fields=problem.fields,
    )
    error.http_status = problem.status
    wait_s = response.headers.get("retry-after", "")
    error.retry_after_ms = int(wait_s) * 1000 if wait_s.isdigit() else 0
    return error


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
