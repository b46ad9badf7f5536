"""Arguments of a request: body, query string and path parameters become one payload.

A `GET` has its parameters in the query string, and so has a handler whose body is a stream; all
others have them in a JSON body; that a command never
takes them from the query string keeps foreign web pages, which can send no JSON unasked, from
giving any.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

import msgspec

from actorkalix.describe.descriptors import Parameter
from actorkalix.errors import InvalidPayload
from actorkalix.gateway.routes import BAD_ESCAPE, Route
from actorkalix_cluster.shardhost.messages import Encoding

_JSON, _QUERY_STRING = Encoding.JSON, Encoding.QUERY_STRING  # looking one up takes 0.1 us
QUERY_FIELDS_MAX = (
    1_000  # more than a handler can have parameters; bounds the work on a hostile query
)


def payload_of(
    route: Route, values: list[str], query: bytes, body: bytes
) -> tuple[bytes, Encoding]:
    """Arguments of a request as a message carries them.

    Args:
        route: that the request matched.
        values: texts of the path's parameters, in order.
        query: query string, percent-encoded.
        body: of the request.

    Raises:
        InvalidPayload: names the field, or what is wrong with the query string.
    """
    if route.verb == "GET" or route.handler.elements is not None:
        if not query and not route.parameters:
            return b"", _QUERY_STRING
        return _of_query(route, values, query), _QUERY_STRING
    if query:
        raise InvalidPayload(
            f"{route.verb} takes its parameters from the JSON body, not from the query string"
        )
    if not route.parameters:
        return body, _JSON
    return _of_body(route, values, body), _JSON


def _of_query(route: Route, values: list[str], query: bytes) -> bytes:
    fields: dict[str, list[str]] = {}
    for name, value in _pairs(query):
        fields.setdefault(name, []).append(value)
    for at, parameter in route.parameters:
        if parameter.name in fields:
            raise _twice(parameter.name, "query string")
        fields[parameter.name] = [values[at]]
    return msgspec.json.encode(fields)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    if BAD_ESCAPE.search(query) is not None:
        raise InvalidPayload("the query string has a '%' that is not a percent escape")
    try:
        return parse_qsl(
            query.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=QUERY_FIELDS_MAX,
        )
    except UnicodeDecodeError:
        raise InvalidPayload("the query string is not UTF-8") from None
    except ValueError:
        limit = f"{QUERY_FIELDS_MAX:,}"
        raise InvalidPayload(f"the query string has more than {limit} fields") from None


def _of_body(route: Route, values: list[str], body: bytes) -> bytes:
    fields: dict[str, msgspec.Raw] = {}
    try:
        if route.body_parameter:
            if body:
                fields[route.body_parameter] = msgspec.json.decode(body, type=msgspec.Raw)
        elif body:
            fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidPayload(f"the body is not what the handler takes: {error}") from None
    for at, parameter in route.parameters:
        if parameter.name in fields:
            raise _twice(parameter.name, "body")
        fields[parameter.name] = msgspec.Raw(_typed(values[at], parameter))
    return msgspec.json.encode(fields)


def _typed(text: str, parameter: Parameter) -> bytes:
    """JSON of a path's text in the parameter's type: `7` for an int, `"7"` for a string."""
    try:
        return msgspec.json.encode(msgspec.convert(text, parameter.type, strict=False))
    except msgspec.ValidationError as error:
        raise InvalidPayload(f"{parameter.name!r} in the path: {error}") from None
    except TypeError:  # a type of another library: its codec takes the text
        return msgspec.json.encode(text)


def _twice(name: str, place: str) -> InvalidPayload:
    return InvalidPayload(f"{name!r} stands in the path and in the {place}")
