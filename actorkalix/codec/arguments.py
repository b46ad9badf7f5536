"""Arguments of a handler: from a body, a query string or another process, and back.

A handler whose only parameter is structured takes the whole body; any other takes an object with a
key per parameter. A handler with exactly one structured parameter that must be given, and further
ones with defaults, takes both: when the body has that parameter's name as a key and an object under
it, it is the object with keys, else it is the structured value itself. So a parameter with a
default can be added later and old bodies keep working.
Between processes (MessagePack) arguments always are an object with a key per parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect as shape

from actorkalix.codec.hooks import decode_strict, encode_hook
from actorkalix.codec.strictness import (
    LONG_NUMBER,
    LONG_NUMBER_BYTES,
    Checker,
    checker,
    unknown,
    wrong_number,
)
from actorkalix.codec.untyped import is_object
from actorkalix.codec.wording import DECODE_ERRORS, invalid, words, wrong_payload
from actorkalix.describe.descriptors import HandlerDescriptor, Parameter
from actorkalix.describe.shapes import contains, is_flat, is_list, shape_of
from actorkalix.errors import InvalidPayload
from actorkalix_cluster.shardhost.messages import Encoding

_MSGPACK, _QUERY_STRING = Encoding.MSGPACK, Encoding.QUERY_STRING  # looking one up takes 0.1 us
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class _Form:
    """One way in which a body can be written: its typed decoders and its checker."""

    def __init__(self, tp: Any) -> None:
        self.picture = shape_of(tp)
        self.json = msgspec.json.Decoder(tp, dec_hook=decode_strict)
        self.msgpack = msgspec.msgpack.Decoder(tp, dec_hook=decode_strict)
        self.floats = contains(tp, shape.FloatType)
        self._check: Checker | None = checker(self.picture)

    def from_json(self, payload: bytes) -> Any:
        try:
            value = self.json.decode(payload)
        except DECODE_ERRORS as problem:
            raise wrong_payload(problem, payload, self.picture) from None
        if (
            self._check is not None
            and (wrong := self._check(msgspec.json.decode(payload))) is not None
        ):
            raise invalid(*wrong)
        if (
            len(payload) >= LONG_NUMBER_BYTES
            and LONG_NUMBER.search(payload)
            and (wrong := wrong_number(msgspec.json.decode(payload))) is not None
        ):
            raise invalid(*wrong)
        return value

    def from_msgpack(self, payload: bytes) -> Any:
        try:
            value = self.msgpack.decode(payload)
            if self._check is None and not self.floats:
                return value
            untyped = msgspec.msgpack.decode(payload)
        except DECODE_ERRORS as problem:
            raise wrong_payload(problem, payload, self.picture) from None
        if self._check is not None and (wrong := self._check(untyped)) is not None:
            raise invalid(*wrong)
        if self.floats and (wrong := wrong_number(untyped)) is not None:
            raise invalid(*wrong)
        return value


class ArgumentCodec:
    """Encodes and decodes the arguments of one handler."""

    def __init__(self, handler: HandlerDescriptor) -> None:
        self._name = handler.name
        self._parameters = handler.parameters
        self._required = [one for one in handler.parameters if one.required]
        self._by_name = {parameter.name: parameter for parameter in handler.parameters}
        self._in_texts = {one.name: _InTexts.of(one.type) for one in handler.parameters}
        self._positional = sum(not parameter.keyword_only for parameter in handler.parameters)
        self._keywords = tuple(one.name for one in handler.parameters if one.keyword_only)
        self._lone = _lone_structured(handler.parameters)
        self._always_whole = handler.whole_body
        self._object = _Form(_as_struct(handler))
        self._whole = _Form(self._lone.type) if self._lone else None
        self._msgpack = msgspec.msgpack.Encoder(enc_hook=encode_hook)
        self._canonical = msgspec.msgpack.Encoder(enc_hook=encode_hook, order="deterministic")
        self._json = msgspec.json.Encoder(enc_hook=encode_hook)

    # ---- decoding -------------------------------------------------------------------------------
    def decode(self, payload: bytes, encoding: Encoding) -> Arguments:
        """The arguments in a payload, ready for `fn(obj, *args, **kwargs)`.

        Args:
            payload: bytes of a body; b"" is no body, fine when every parameter has a default.
            encoding: JSON, MSGPACK, or QUERY_STRING (a JSON object of lists of strings).

        Raises:
            InvalidPayload: names the field and what would be right: it is unknown, missing,
                repeated or of a wrong type, NaN or Infinity, an integer beyond 64 bits; or the
                bytes are not UTF-8 or not JSON.
        """
        if not payload and encoding is Encoding.QUERY_STRING:
            return self._split(self._from_query(b"{}"))
        if not payload or payload.isspace():
            return self._split(self._defaults())
        if encoding is _MSGPACK:
            return self._split(self._object.from_msgpack(payload))
        if encoding is _QUERY_STRING:
            return self._split(self._from_query(payload))
        if self._whole is not None and (self._always_whole or self._is_whole(payload)):
            return self._around(self._whole.from_json(payload))
        return self._split(self._object.from_json(payload))

    def _split(self, arguments: Any) -> Arguments:
        values = msgspec.structs.astuple(arguments)
        if not self._keywords:
            return values, {}
        rest = values[self._positional :]
        return values[: self._positional], dict(zip(self._keywords, rest, strict=True))

    def _around(self, value: Any) -> Arguments:
        """The structured value in its place, defaults around it."""
        if len(self._parameters) == 1 and not self._keywords:
            return (value,), {}
        values = [value if one is self._lone else one.default for one in self._parameters]
        rest = values[self._positional :]
        return tuple(values[: self._positional]), dict(zip(self._keywords, rest, strict=True))

    def _is_whole(self, payload: bytes) -> bool:
        assert self._lone is not None
        try:
            untyped = msgspec.json.decode(payload)
        except DECODE_ERRORS:
            return False
        return not (is_object(untyped) and isinstance(untyped.get(self._lone.name), (dict, list)))

    def _defaults(self) -> Any:
        missing = self._required
        if not missing:
            return self._object.json.decode(b"{}")
        if self._always_whole:
            raise InvalidPayload(f"body: missing, expected {words(shape_of(missing[0].type))}")
        names = ", ".join(f"{one.name} ({words(shape_of(one.type))})" for one in missing)
        raise InvalidPayload(f"body: missing, expected an object with {names}")

    def _from_query(self, payload: bytes) -> Any:
        try:
            given = msgspec.json.decode(payload, type=dict[str, list[str]])
        except DECODE_ERRORS as problem:
            raise wrong_payload(problem, payload, self._object.picture, "query string") from None
        values: dict[str, Any] = {}
        for name, texts in given.items():
            if name not in self._by_name:
                raise InvalidPayload(f"{name}: {unknown(name, self._by_name)}")
            values[name] = _from_texts(self._by_name[name], self._in_texts[name], texts)
        try:
            return msgspec.convert(values, self._object.json.type, dec_hook=decode_strict)
        except msgspec.ValidationError as problem:
            raise wrong_payload(problem, b"", self._object.picture, "query string") from None

    # ---- encoding -------------------------------------------------------------------------------
    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], encoding: Encoding) -> bytes:
        """The payload for these arguments, as a client sends it.

        Raises:
            TypeError: the handler does not take these arguments, or one of them cannot be encoded.
        """
        values = self._bind(args, kwargs)
        if encoding is Encoding.MSGPACK:
            return self._msgpack.encode(values)
        assert encoding is Encoding.JSON, "query strings are made by callers, not by clients"
        if self._always_whole:
            return self._json.encode(next(iter(values.values()))) if values else b""
        return self._json.encode(values) if values else b""

    def canonical(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """Bytes that are the same for equal arguments, in whatever order keys and sets came.

        Keys that are no text and elements that cannot be compared keep their order.
        """
        values = self._bind(args, kwargs)
        try:
            return self._canonical.encode(values)
        except TypeError:
            return self._msgpack.encode(values)

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if len(args) > self._positional:
            raise TypeError(
                f"{self._name}() takes {self._positional} positional arguments, got {len(args)}"
            )
        values = {one.name: value for one, value in zip(self._parameters, args, strict=False)}
        for name, value in kwargs.items():
            if name not in self._by_name:
                raise TypeError(f"{self._name}() has no parameter {name!r}")
            if name in values:
                raise TypeError(f"{self._name}() got {name!r} twice")
            values[name] = value
        if missing := [
            one.name for one in self._parameters if one.required and one.name not in values
        ]:
            raise TypeError(f"{self._name}() misses {', '.join(missing)}")
        return values


class ElementCodec:
    """Encodes and decodes the elements of a stream that a handler takes.

    Args:
        parameter: of the handler; its type is that of an element.
    """

    def __init__(self, parameter: Parameter) -> None:
        self._form = _Form(parameter.type)
        self._msgpack = msgspec.msgpack.Encoder(enc_hook=encode_hook)
        self._json = msgspec.json.Encoder(enc_hook=encode_hook)

    def decode(self, payload: bytes, encoding: Encoding) -> Any:
        """The element in these bytes.

        Raises:
            InvalidPayload: as for `ArgumentCodec.decode`.
        """
        if encoding is Encoding.MSGPACK:
            return self._form.from_msgpack(payload)
        return self._form.from_json(payload)

    def encode(self, element: Any, encoding: Encoding) -> bytes:
        """The bytes of an element, as a client sends it; in JSON they are one line.

        Raises:
            TypeError: it cannot be encoded.
        """
        encoder = self._msgpack if encoding is Encoding.MSGPACK else self._json
        return encoder.encode(element)


def _as_struct(handler: HandlerDescriptor) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for one in handler.parameters:
        if one.required:
            fields.append((one.name, one.type))
        else:  # a factory, for msgspec refuses mutable defaults; as in Python it is one object
            fields.append((one.name, one.type, msgspec.field(default_factory=_giving(one.default))))
    return msgspec.defstruct(handler.name, fields, kw_only=True, forbid_unknown_fields=True)


def _giving(value: Any) -> Callable[[], Any]:
    return lambda: value


def _lone_structured(parameters: Any) -> Parameter | None:
    """The one parameter that may be the whole body: structured, all others have defaults."""
    if len(parameters) == 1:
        only: Parameter = parameters[0]
        return only if only.structured else None
    required = [one for one in parameters if one.required]
    return required[0] if len(required) == 1 and required[0].structured else None


class _InTexts(NamedTuple):
    """How a type stands in a query string: a look at it takes longer than all else."""

    picture: shape.Type
    flat: bool
    repeated: bool
    plain: bool

    @classmethod
    def of(cls, tp: Any) -> _InTexts:
        picture = shape_of(tp)
        return cls(picture, is_flat(tp), is_list(picture), tp is str)


def _from_texts(parameter: Parameter, stands: _InTexts, texts: list[str]) -> Any:
    """A value from the texts that a query string or a path holds for a parameter."""
    if stands.plain and len(texts) == 1:
        return texts[0]
    picture = stands.picture
    if not stands.flat:
        raise InvalidPayload(
            f"{parameter.name}: does not fit a query string; send a JSON body with POST"
        )
    if not stands.repeated and len(texts) != 1:
        raise InvalidPayload(f"{parameter.name}: given {len(texts)} times, expected once")
    given: Any = texts if stands.repeated else texts[0]
    try:
        value = msgspec.convert(given, parameter.type, strict=False)
        untyped = msgspec.to_builtins(value)
    except msgspec.ValidationError as problem:
        error = wrong_payload(problem, b"", picture, parameter.name)
        raise _under(parameter.name, error) from None
    if (wrong := wrong_number(untyped)) is not None:
        raise invalid(f"{parameter.name}{wrong[0]}", wrong[1])
    return value


def _under(name: str, error: InvalidPayload) -> InvalidPayload:
    text = str(error)
    return error if text.startswith(f"{name}:") else InvalidPayload(f"{name}{text}")
