"""The client's way to a service over HTTP: one attempt a request; errors say what happened."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import msgspec

from actorkalix import errors
from actorkalix.codec import ElementCodec, codecs_for
from actorkalix.describe import descriptor_of
from actorkalix.describe.actions import timeout_of
from actorkalix.describe.descriptors import ComponentDescriptor
from actorkalix.engine.requests import without_elements
from actorkalix.gateway import tokens
from actorkalix.gateway.headers import LINES, META, RESERVED, RESPOND_ASYNC, TIMEOUT_MS_MAX
from actorkalix.gateway.routes import dashed, default_path
from actorkalix.gateway.streaming import HEARTBEAT_S
from actorkalix.limits import Limits
from actorkalix.model.metadata import Metadata
from actorkalix.model.transport import Reply, Request, Update, update_of
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
        codec = codecs_for(descriptor_of(request.component))
        async with self._open(request) as response:
            await response.aread()
        if request.queued and response.is_success:
            return Reply(None)
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

    async def stream(self, request: Request, /) -> AsyncGenerator[Any]:
        """Sends one request; the elements of its answer. A stream that it takes is sent first.

        Raises:
            CommandError, ActorkalixError: as for `send`, also after some elements.
        """
        codec = codecs_for(descriptor_of(request.component)).replies[request.method]
        async with self._open(request) as response:
            if response.status_code != httpx.codes.OK:
                await response.aread()
                raise _error(response, self._url)
            async for name, data, mark in events_of(response.aiter_bytes()):
                if name == "error":
                    raise _error_of(data)
                if name:
                    if request.updates:
                        yield update_of(name, data, mark)
                    continue
                value = codec.decode(data, Encoding.JSON)
                yield Update("row", value, mark=mark) if request.updates else value

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    @asynccontextmanager
    async def _open(self, request: Request) -> AsyncGenerator[httpx.Response]:
        """The response to a request; its body is still to be read."""
        content, query, headers = _sent(request)
        wait_s = None if request.timeout is None else request.timeout.total_seconds()
        timeout = httpx.Timeout(_answer_s(request), connect=CONNECT_TIMEOUT_S)
        url = self._url + _path(descriptor_of(request.component), request) + query
        try:
            async with (
                asyncio.timeout(wait_s),
                self._http.stream(
                    "POST", url, content=content, headers=headers, timeout=timeout
                ) as response,
            ):
                yield response
        except TimeoutError:
            raise errors.OutcomeUnknown(f"no answer within {wait_s:g} s") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise errors.OwnerAway(f"no service answers at {self._url}: {_said(error)}") from error
        except httpx.TransportError as error:
            raise errors.OutcomeUnknown(
                f"the connection to {self._url} broke before the answer: {_said(error)}"
            ) from error


def _sent(
    request: Request,
) -> tuple[bytes | AsyncGenerator[bytes], str, list[tuple[bytes, bytes]]]:
    """Body, query string and headers of a request."""
    plain, elements = without_elements(request)
    codec = codecs_for(descriptor_of(request.component))
    body = codec.arguments[request.method].encode(plain.args, plain.kwargs, Encoding.JSON)
    if elements is None:
        return body, "", _headers(request, b"application/json")
    arguments = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    pairs = [(name, _text(one)) for name, value in arguments.items() for one in _values(value)]
    query = "?" + urlencode(pairs) if pairs else ""
    lines = _lines(codec.elements[request.method], elements)
    return lines, query, _headers(request, LINES[0].encode())


async def _lines(codec: ElementCodec, elements: AsyncIterable[Any]) -> AsyncGenerator[bytes]:
    async for element in elements:
        yield codec.encode(element, Encoding.JSON) + b"\n"


def _values(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if hasattr(value, "append") else [value]  # JSON has no other lists


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _answer_s(request: Request) -> float:
    """How long the service may say nothing: it gives up first, and says more."""
    descriptor = descriptor_of(request.component)
    if descriptor.handlers[request.method].streams:
        return 3 * HEARTBEAT_S
    if descriptor.kind != "action":
        return ANSWER_TIMEOUT_S
    return timeout_of(descriptor.options, Limits().action_timeout).total_seconds() + 5


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[str, bytes, str]]:
    """The events of a stream: name ("" where it has none), data and id."""
    name, data, mark, rest = b"", b"", b"", b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")  # and at nothing else that ends lines elsewhere
        for line in lines:
            field, _, value = line.partition(b": ")
            if field == b"event":
                name = value
            elif field == b"data":
                data = value
            elif field == b"id":
                mark = value
            elif not line and data:
                yield name.decode(), data, mark.decode()
                name, data = b"", b""


def _path(descriptor: ComponentDescriptor, request: Request) -> str:
    path = default_path(descriptor, dashed(request.method))
    if request.entity_id is None:
        return path
    entity = quote(request.entity_id, safe="")
    if _DOTS.fullmatch(entity):  # as they are, they would be directions
        entity = entity.replace(".", "%2E")
    return path.replace("{entity_id}", entity, 1)


def _headers(request: Request, content_type: bytes) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", content_type)]
    if request.idempotency_key is not None:
        headers.append((b"idempotency-key", request.idempotency_key.encode()))
    if request.timeout is not None:
        timeout_ms = max(1, request.timeout // timedelta(milliseconds=1))
        headers.append((b"x-timeout-ms", b"%d" % timeout_ms))
    if request.queued:
        headers.append((b"prefer", RESPOND_ASYNC))
    if request.resume is not None:
        headers.append((b"last-event-id", request.resume.encode()))
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
        error = _error_of(response.content)
    except msgspec.MsgspecError:
        said = f"{url} answered {status} without saying why: is it an actorkalix service?"
        return errors.OutcomeUnknown(said) if status >= 500 else errors.UnknownRoute(said)
    wait_s = response.headers.get("retry-after", "")
    error.retry_after_ms = int(wait_s) * 1000 if wait_s.isdigit() else 0
    return error


def _error_of(document: bytes) -> errors.ActorkalixError:
    problem = _problem.decode(document)
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
    return error


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
