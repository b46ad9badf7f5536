"""Data of topics' messages: from a value to bytes with a content type, and back by a type.

    a value           content type
    bytes             application/octet-stream
    str               text/plain; charset=utf-8
    anything else     application/json

What is read comes from others as well, so fields that a type has not are ignored. A union is read
by the message's type, which is the tag of the class that was published.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actorkalix.codec.blame import blame
from actorkalix.codec.hooks import decode_stored, encode_hook
from actorkalix.codec.strictness import wrong_number
from actorkalix.codec.wording import DECODE_ERRORS, wrong_payload
from actorkalix.describe.annotations import members
from actorkalix.describe.shapes import name_of, shape_of
from actorkalix.errors import InvalidPayload, NotEncodable
from actorkalix.model.stored import tag_of

BYTES = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
REFUSED = "application/x-actorkalix-refused"
"""Of what stands in the place of a message that could not be taken: text that says why."""


def write_data(value: Any, where: str) -> tuple[bytes, str]:
    """Bytes and content type of a value.

    Args:
        value: to publish.
        where: whose it is, for the error.

    Raises:
        NotEncodable: something in it cannot be written, like NaN and Infinity.
    """
    if isinstance(value, (bytes, bytearray)):
        return bytes(value), BYTES
    try:
        if isinstance(value, str):
            return value.encode(), TEXT
        data = _JSON.encode(value)
        # msgspec writes NaN as null: where a null was written, look closely
        wrong = None
        if b"null" in data:
            wrong = wrong_number(msgspec.to_builtins(value, enc_hook=encode_hook))
    except Exception as problem:  # hooks and properties of the user's classes may raise anything
        raise NotEncodable(blame(where, value, problem)) from problem
    if wrong is not None:
        raise NotEncodable(f"{where}{wrong[0]}: {wrong[1]}")
    return data, JSON


class DataReader:
    """Reads data as values of one type: what a handler's parameter says.

    Args:
        tp: the type; `Any` takes everything, `bytes` and `str` take the data as it is.
    """

    def __init__(self, tp: Any) -> None:
        given = [one for one in members(tp) if one is not type(None)]
        self._type = tp
        self._any = tp is Any or tp is object
        self._bytes = bytes in given
        self._text = str in given
        typed = [] if self._any else [one for one in given if one not in (bytes, str)]
        self._readers = {tag_of(one)[0]: _Json(one) for one in typed if _has_tag(one)}
        self._other = _whole(tp) if typed else None

    def read(self, data: bytes, content_type: str, type_tag: str) -> Any:
        """The value in the data of a message.

        Args:
            data: its bytes.
            content_type: of them.
            type_tag: the message's type; it chooses the member of a union.

        Raises:
            InvalidPayload: the data are not of the type; says where.
        """
        if content_type == REFUSED:
            raise InvalidPayload(_text(data))
        is_json = _is_json(content_type)
        if is_json and (self._readers or self._other):
            reader = self._readers.get(type_tag, self._other)
            if reader is None:
                known = ", ".join(self._readers)
                raise InvalidPayload(f"a message of type {type_tag!r}, expected one of {known}")
            return reader.read(data)
        if is_json and self._any:
            return _Json(Any).read(data)
        is_text = content_type.lower().startswith("text/")
        if (self._text and (is_text or not self._bytes)) or (self._any and is_text):
            return _text(data)
        if self._bytes or self._any:
            return data
        raise InvalidPayload(f"{content_type or 'no content type'}: it is no {name_of(self._type)}")


class _Json:
    """Reads JSON as one type."""

    def __init__(self, tp: Any) -> None:
        self._picture = shape_of(tp)
        self._decode = msgspec.json.Decoder(tp, dec_hook=decode_stored).decode

    def read(self, data: bytes) -> Any:
        try:
            return self._decode(data)
        except DECODE_ERRORS as problem:
            raise wrong_payload(problem, data, self._picture) from None


def _whole(tp: Any) -> _Json | None:
    """A reader that needs no tag, or None: there are unions that only tags tell apart."""
    try:
        return _Json(tp)
    except TypeError:
        return None


def _has_tag(tp: Any) -> bool:
    try:
        tag_of(tp)
    except TypeError:
        return False
    return True


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True
    media = content_type.partition(";")[0].strip().lower()
    return media == JSON or media.endswith("+json")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        raise InvalidPayload(f"text that is no UTF-8: {problem}") from None


_JSON = msgspec.json.Encoder(enc_hook=encode_hook)
