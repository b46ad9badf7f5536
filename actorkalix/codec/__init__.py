"""Codecs: bytes of callers and of the store to values of the user's types and back. Pure."""

from actorkalix.codec.arguments import ArgumentCodec as ArgumentCodec
from actorkalix.codec.arguments import ElementCodec as ElementCodec
from actorkalix.codec.component import ComponentCodec as ComponentCodec
from actorkalix.codec.component import codecs_for as codecs_for
from actorkalix.codec.replies import ReplyCodec as ReplyCodec
from actorkalix.codec.stored import StoredCodec as StoredCodec
from actorkalix.codec.untyped import Peeked as Peeked
from actorkalix.codec.untyped import jsonable as jsonable
from actorkalix.codec.untyped import peek as peek
