"""Events, states and snapshots as they are stored: type name, version, data, metadata.

The envelope is MessagePack `[tag, version, data, metadata or nil]`, with metadata as pairs in
order, for a name may come twice (ES-34). The tag is a name of the user's
choice, never a module path, so classes may move. Data of an older version is lifted by the user's
migrations, as a dict, one version at a time, before it becomes an object. What is stored is read
back once before it is handed on: a value that could not be read again is refused while the command
can still fail, not at the next recovery.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from actorkalix.codec.blame import blame
from actorkalix.codec.hooks import decode_stored, encode_hook
from actorkalix.codec.replies import instances
from actorkalix.codec.untyped import unpack
from actorkalix.codec.wording import validation
from actorkalix.describe.descriptors import ComponentDescriptor, StoredType
from actorkalix.describe.shapes import name_of
from actorkalix.errors import InvalidEffect, NotEncodable, StoredDataUnreadable
from actorkalix.model.metadata import NO_METADATA, Metadata

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError)
_Pairs = tuple[tuple[str, str], ...]
_NIL = msgspec.msgpack.encode(None)
_Envelope = tuple[str, int, msgspec.Raw, _Pairs | None]


class _Typed:
    """A stored type with its decoder, and the bytes with which its envelopes begin."""

    def __init__(self, stored: StoredType) -> None:
        self.tag, self.version = stored.tag, stored.version
        empty = msgspec.msgpack.encode((stored.tag, stored.version, None, None))
        self.head = empty[: -2 * len(_NIL)]
        self.type = stored.type
        self.name = name_of(stored.type)
        self.migrations = stored.migrations
        self.fits = instances(stored.type)
        self.decode = msgspec.msgpack.Decoder(stored.type, dec_hook=decode_stored).decode

    def encode(self, value: Any, encoder: msgspec.msgpack.Encoder, what: str) -> bytes:
        """The value's bytes, read back once."""
        try:
            data = encoder.encode(value)
        except (
            Exception
        ) as problem:  # hooks and properties of the user's classes may raise anything
            raise NotEncodable(blame(f"{what} {self.name}", value, problem)) from problem
        try:
            self.decode(data)
        except _UNREADABLE as problem:
            path, said = validation(str(problem))
            raise NotEncodable(
                f"{what} {self.name}{path}: {said}; it could not be read back"
            ) from problem
        return data

    def read(self, data: msgspec.Raw, tag: str, version: int, what: str) -> Any:
        """The value in these bytes, which were stored under a tag as a version."""
        if version == self.version:
            try:
                return self.decode(data)
            except _UNREADABLE as problem:
                raise self._unreadable(what, tag, version, problem) from problem
        if version > self.version:
            raise StoredDataUnreadable(
                f"{what} {tag!r} is stored as version {version}; "
                f"{self.name} knows versions up to {self.version}: "
                "a newer release of the service wrote it, run that one"
            )
        try:
            value = unpack(bytes(data))
            for step in range(version, self.version):
                value = self._lift(step, value)
            return msgspec.convert(value, self.type, dec_hook=decode_stored)
        except _UNREADABLE as problem:
            raise self._unreadable(what, tag, version, problem) from problem

    def _lift(self, version: int, value: Any) -> Any:
        migrate = self.migrations.get(version)
        if migrate is None:
            raise ValueError(f"no @migrate({self.name}, from_version={version})")
        try:
            return migrate(value)
        except (
            Exception
        ) as problem:  # the user's function; whatever it raises, this value stays unreadable
            text = (
                f"@migrate({self.name}, "
                f"from_version={version}) raised {type(problem).__name__}: {problem}"
            )
            raise ValueError(text) from problem

    def _unreadable(
        self, what: str, tag: str, version: int, problem: Exception
    ) -> StoredDataUnreadable:
        path, said = validation(str(problem) or type(problem).__name__)
        path = f"{path.removeprefix('.')}: " if path else ""
        hint = "mend its @migrate functions"
        if version == self.version:
            named = f"@type_name({tag!r}, version={version + 1})"
            hint = (
                f"give the class {named} and write a @migrate({self.name}, from_version={version})"
            )
        return StoredDataUnreadable(
            f"{what} {tag!r}, stored as version {version}, does not decode as {self.name} "
            f"(version {self.version}): {path}{said}; {hint}"
        )


class StoredCodec:
    """Encodes and decodes what one component stores."""

    def __init__(self, descriptor: ComponentDescriptor) -> None:
        self._owner = descriptor.cls.__name__
        self._encoder = msgspec.msgpack.Encoder(enc_hook=encode_hook)
        self._envelope = msgspec.msgpack.Decoder(_Envelope)
        typed = [_Typed(event) for event in descriptor.events]
        self._by_class = {each.type: each for each in typed}
        self._by_tag = {each.tag: each for each in typed}
        self._state = _Typed(descriptor.state) if descriptor.state else None

    def encode_event(self, event: Any, metadata: Mapping[str, str] | None = None) -> bytes:
        """The event's envelope.

        Raises:
            InvalidEffect: its class is not in the declared union (ES-14, TK-03).
            NotEncodable: something in it cannot be written, or not be read back as declared.
        """
        typed = self._by_class.get(type(event))
        if typed is None:
            union = " | ".join(each.name for each in self._by_class.values())
            got = type(event).__name__
            raise InvalidEffect(
                f"{self._owner} persisted {got}, which is not in its events ({union})"
            )
        data = typed.encode(event, self._encoder, "event")
        if metadata is None or metadata is NO_METADATA:
            return b"%b%b%b" % (typed.head, data, _NIL)
        kept = Metadata(metadata).pairs or None
        return b"%b%b%b" % (typed.head, data, self._encoder.encode(kept))

    def decode_event(self, payload: bytes) -> tuple[Any, Metadata | None]:
        """The event in an envelope and its metadata.

        Raises:
            StoredDataUnreadable: names tag, version and class, and what to do (RT-63, RT-64).
        """
        tag, version, data, metadata = self._open(payload, "event")
        typed = self._by_tag.get(tag)
        if typed is None:
            raise StoredDataUnreadable(
                f"event {tag!r}, stored as version {version}, "
                f"belongs to no event class of {self._owner} "
                f"(they are {', '.join(map(repr, self._by_tag))}); "
                f"give the class that took its place @type_name({tag!r})"
            )
        return typed.read(data, tag, version, "event"), Metadata(metadata) if metadata else None

    def encode_state(self, state: Any) -> bytes:
        """The state's envelope.

        Raises:
            NotEncodable: it is not of the declared type, or something in it cannot be written.
        """
        typed = self._state
        assert typed is not None, "the component has a state"
        if not isinstance(state, typed.fits):
            raise NotEncodable(
                f"state of {self._owner}: expected {typed.name}, got {type(state).__name__}"
            )
        data = typed.encode(state, self._encoder, "state")
        return b"%b%b%b" % (typed.head, data, _NIL)

    def image(self, state: Any) -> bytes:
        """What `encode_state` gives, unchecked: for whoever asks whether a state has changed.

        Raises:
            NotEncodable: something in it cannot be written.
        """
        typed = self._state
        assert typed is not None, "the component has a state"
        try:
            return self._encoder.encode((typed.tag, typed.version, state, None))
        except (
            Exception
        ) as problem:  # hooks and properties of the user's classes may raise anything
            raise NotEncodable(blame(f"state {typed.name}", state, problem)) from problem

    def decode_state(self, payload: bytes) -> Any:
        """The state in an envelope, whatever its tag: state classes may be renamed (RT-63).

        Raises:
            StoredDataUnreadable: names tag, version and class, and what to do.
        """
        assert self._state is not None, "the component has a state"
        tag, version, data, _ = self._open(payload, "state")
        return self._state.read(data, tag, version, "state")

    def _open(self, payload: bytes, what: str) -> _Envelope:
        try:
            opened: _Envelope = self._envelope.decode(payload)
            return opened
        except _UNREADABLE as problem:
            raise StoredDataUnreadable(
                f"{what} of {self._owner}: no envelope of type name, version and data ({problem})"
            ) from problem
