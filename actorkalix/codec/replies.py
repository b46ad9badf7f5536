"""Replies of a handler, by its declared reply type."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect as shape

from actorkalix.codec.blame import blame
from actorkalix.codec.hooks import decode_stored, encode_hook
from actorkalix.codec.strictness import wrong_number
from actorkalix.describe.descriptors import HandlerDescriptor
from actorkalix.describe.shapes import contains, is_class, name_of
from actorkalix.errors import NotEncodable
from actorkalix_cluster.shardhost.messages import Encoding

_MSGPACK = Encoding.MSGPACK  # bound here: to look it up takes 0.1 us
_NEVER: tuple[Any, ...] = (typing.Never, typing.NoReturn)


class ReplyCodec:
    """Encodes and decodes the replies of one handler. A reply of None is JSON `null`."""

    def __init__(self, handler: HandlerDescriptor) -> None:
        tp = Any if handler.reply in _NEVER else handler.reply
        self._where = f"the reply of {handler.name}"
        self._declared = tp
        self._fits = instances(tp)
        self._floats = contains(tp, shape.FloatType)
        self._to_json = msgspec.json.Encoder(enc_hook=encode_hook)
        self._to_msgpack = msgspec.msgpack.Encoder(enc_hook=encode_hook)
        self._from_json = msgspec.json.Decoder(tp, dec_hook=decode_stored)
        self._from_msgpack = msgspec.msgpack.Decoder(tp, dec_hook=decode_stored)

    def encode(self, value: Any, encoding: Encoding) -> bytes:
        """The reply's bytes.

        Raises:
            NotEncodable: the value is not of the declared type, or something in it cannot be
                written, like NaN and Infinity in JSON.
        """
        if not isinstance(value, self._fits):
            expected, got = name_of(self._declared), type(value).__name__
            raise NotEncodable(f"{self._where}: expected {expected}, got {got}")
        try:
            if encoding is _MSGPACK:
                return self._to_msgpack.encode(value)
            payload = self._to_json.encode(value)
        except (
            Exception
        ) as problem:  # hooks and properties of the user's classes may raise anything
            raise NotEncodable(blame(self._where, value, problem)) from problem
        # msgspec writes NaN as null: where floats are and a null was written, look closely.
        if self._floats and b"null" in payload:
            wrong = wrong_number(msgspec.to_builtins(value, enc_hook=encode_hook))
            if wrong is not None:
                raise NotEncodable(f"{self._where}{wrong[0]}: {wrong[1]}")
        return payload

    def decode(self, payload: bytes, encoding: Encoding) -> Any:
        """The reply in these bytes.

        Raises:
            msgspec.DecodeError: not of the declared type: the service has another version.
        """
        decoder: Callable[[bytes], Any]
        decoder = (
            self._from_msgpack.decode if encoding is Encoding.MSGPACK else self._from_json.decode
        )
        return decoder(payload)


def instances(tp: Any) -> tuple[type[Any], ...]:
    """Classes that a value of this type has at its top; `(object,)` where that says nothing."""
    origin = typing.get_origin(tp)
    if tp is None:
        return (type(None),)
    if origin in (typing.Union, types.UnionType):
        return tuple(cls for member in typing.get_args(tp) for cls in instances(member))
    if origin is typing.Annotated:
        return instances(typing.get_args(tp)[0])
    if origin is typing.Literal:
        values: tuple[object, ...] = typing.get_args(tp)
        return tuple({type(value) for value in values})
    if typing.is_typeddict(origin or tp):
        return (dict,)
    if isinstance(tp, typing.NewType):
        return instances(tp.__supertype__)
    if tp is float:
        return (int, float)
    cls: Any = origin or tp
    return (cls,) if is_class(cls) else (object,)
