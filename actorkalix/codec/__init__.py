"""Codecs: bytes of callers and of the store to values of the user's types and back. Pure."""

from .arguments import ArgumentCodec as ArgumentCodec
from .component import ComponentCodec as ComponentCodec
from .component import codecs_for as codecs_for
from .replies import ReplyCodec as ReplyCodec
from .stored import StoredCodec as StoredCodec
from .untyped import Peeked as Peeked
from .untyped import jsonable as jsonable
from .untyped import peek as peek
