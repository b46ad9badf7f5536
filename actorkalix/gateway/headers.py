"""Headers of requests and replies, read and made in one pass each.

Metadata travels as `X-Meta-*`: a caller's `X-Meta-Tenant: a` is `tenant` to the handler, and what
the handler sends along comes back the same way; names that begin with `x-` by themselves are sent
as they are. Names that begin with `ak-` are between components of the service; from outside none is
taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import getrandbits

from actorkalix.errors import InvalidEntityId, InvalidIdempotencyKey, InvalidPayload
from actorkalix.gateway import tokens
from actorkalix.limits import ENTITY_ID_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX
from actorkalix_cluster.shardhost.messages import Reply

Headers = list[tuple[bytes, bytes]]

META = b"x-meta-"
OURS = META + b"ak-"  # a workflow could be told of a child that it has never had
REQUEST_ID_CHARS_MAX = 128
TIMEOUT_MS_MAX = 60_000  # a caller that waits longer wants a workflow
RESPOND_ASYNC = b"respond-async"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_NOT_IN_NAMES = re.compile("[^a-z0-9_.-]")
_READ = frozenset(
    (
        *(b"content-type", b"content-length", b"idempotency-key", b"prefer"),
        *(b"x-request-id", b"x-timeout-ms", tokens.HEADER.lower().encode(), b"last-event-id"),
    )
)
_PLAIN = frozenset((b"content-type", b"content-length", b"x-request-id"))
RESERVED = frozenset((tokens.HEADER.lower().encode(), b"x-request-id"))


class Head:
    """What the gateway wants of a request's headers.

    Attributes:
        read: values of the headers that it knows, by lower case name.
        metadata: names without `x-meta-` and values, in order.
        twice: a header that it knows and that came more than once, or b"".
        plain: nothing but body, content type and request id is said: no key, no metadata, no
            preference, no time, no token.
    """

    __slots__ = ("metadata", "plain", "read", "twice")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        read: dict[bytes, bytes] = {}
        metadata: Headers = []
        twice = b""
        for name, value in headers:
            if name in _READ:
                if name in read:
                    twice = name
                read[name] = value
            elif name.startswith(META) and not name.startswith(OURS):
                metadata.append((name[len(META) :], value))
        self.read = read
        self.metadata = metadata
        self.twice = twice
        self.plain = not metadata and not twice and read.keys() <= _PLAIN

    def request_id(self) -> str:
        """The caller's `X-Request-Id` if it is up to 128 printable characters, else a new one."""
        said = self.read.get(b"x-request-id")
        given = said.decode("latin-1") if said else ""
        if given and len(given) <= REQUEST_ID_CHARS_MAX and given.isascii() and given.isprintable():
            return given
        return f"{getrandbits(128):032x}"

    def refuse_twice(self) -> None:
        """Raises InvalidPayload when a header came twice: which one counts would be a guess."""
        if self.twice:
            raise InvalidPayload(f"the header {self.twice.decode()} came twice")

    def key(self) -> str:
        """The idempotency key, "" for none.

        Raises:
            InvalidIdempotencyKey: says which limit it breaks.
        """
        value = self.read.get(b"idempotency-key")
        if value is None:
            return ""
        if not 1 <= len(value) <= IDEMPOTENCY_KEY_BYTES_MAX:
            raise InvalidIdempotencyKey(
                f"Idempotency-Key has {len(value)} bytes, not 1 to {IDEMPOTENCY_KEY_BYTES_MAX}"
            )
        try:
            key = value.decode()
        except UnicodeDecodeError:
            raise InvalidIdempotencyKey("Idempotency-Key is not UTF-8") from None
        if _has_control(key):
            raise InvalidIdempotencyKey("Idempotency-Key has a control character")
        return key

    def timeout_ms(self, default_ms: int) -> int:
        """How long the caller waits: `X-Timeout-Ms`, at most a minute, or `default_ms` if longer.

        Raises:
            InvalidPayload: it is not a positive integer.
        """
        value = self.read.get(b"x-timeout-ms")
        if value is None:
            return default_ms
        if not value.isdigit() or len(value) > 12 or int(value) == 0:
            raise InvalidPayload(f"X-Timeout-Ms is 1 to {TIMEOUT_MS_MAX} milliseconds")
        return min(int(value), max(default_ms, TIMEOUT_MS_MAX))

    def respond_async(self) -> bool:
        """Whether the caller waits for the disk alone: `Prefer: respond-async` (RFC 7240)."""
        value = self.read.get(b"prefer")
        if value is None:
            return False
        said = (one.partition(b";")[0].strip() for one in value.lower().split(b","))
        return RESPOND_ASYNC in said

    def after(self) -> str:
        """The consistency token that the caller brings, "" for none."""
        return self.read.get(b"x-consistency-token", b"").decode("latin-1")

    def resume(self) -> str:
        """Mark of the last element that the caller of a stream has had, "" for none."""
        return self.read.get(b"last-event-id", b"").decode("latin-1")

    def content_length(self) -> int:
        """Length that the body is said to have; 0 when nothing is said."""
        value = self.read.get(b"content-length", b"0")
        return int(value) if value.isdigit() else 0

    def refuse_other_than_json(self) -> None:
        """Raises InvalidPayload (415) unless the body is said to be JSON in UTF-8."""
        value = self.read.get(b"content-type", b"")
        if value == b"application/json":
            return
        media, *parameters = value.decode("latin-1").lower().replace(" ", "").split(";")
        charsets = [text for text in parameters if text.startswith("charset=")]
        is_json = media == "application/json" or (
            media.startswith("application/") and media.endswith("+json")
        )
        if not is_json or any(text.strip('"') not in _UTF8 for text in charsets):
            said = media or "nothing"
            refused = InvalidPayload(
                f"a body is JSON: send Content-Type: application/json (it said {said!r})"
            )
            refused.http_status = 415
            raise refused

    def refuse_other_than_lines(self) -> None:
        """Raises InvalidPayload (415) unless the body is said to be newline-delimited JSON."""
        value = self.read.get(b"content-type", b"").decode("latin-1").lower()
        if value.partition(";")[0].strip() not in LINES:
            refused = InvalidPayload(
                "a stream is newline-delimited JSON: send Content-Type: application/x-ndjson "
                f"(it said {value or 'nothing'!r})"
            )
            refused.http_status = 415
            raise refused

    def decoded_metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata as text.

        Raises:
            InvalidPayload: a value is not UTF-8.
        """
        if not self.metadata:
            return ()
        try:
            return tuple((name.decode(), value.decode()) for name, value in self.metadata)
        except UnicodeDecodeError:
            raise InvalidPayload("an X-Meta-* header is not UTF-8") from None


_UTF8 = frozenset(("charset=utf-8", 'charset="utf-8', "charset=utf8", "charset=us-ascii"))


def checked_entity_id(entity: str) -> str:
    """The id, when it is one.

    Raises:
        InvalidEntityId: says which limit it breaks.
    """
    if entity.isascii() and entity.isprintable() and 0 < len(entity) <= ENTITY_ID_BYTES_MAX:
        return entity
    if not entity:
        raise InvalidEntityId("the entity id is empty")
    size = len(entity.encode())
    if size > ENTITY_ID_BYTES_MAX:
        raise InvalidEntityId(
            f"the entity id has {size} bytes of UTF-8, the limit is {ENTITY_ID_BYTES_MAX}"
        )
    if _has_control(entity):
        raise InvalidEntityId("the entity id has a control character")
    return entity


def reply_headers(reply: Reply, base: Headers) -> Headers:
    """Headers of a reply: `base`, its token, whether it was remembered, its metadata."""
    headers = base
    if reply.position is not None:
        token = tokens.token_of(reply.shard, reply.position)
        headers.append((b"x-consistency-token", token))
    elif reply.token:
        headers.append((b"x-consistency-token", reply.token))
    if reply.replayed:
        headers.append((b"idempotent-replayed", b"true"))
    for name, value in reply.metadata:
        headers.append((_reply_name(name), _CONTROL.sub(" ", value).encode(errors="replace")))
    return headers


def _reply_name(name: str) -> bytes:
    """Header for metadata: never one that HTTP or the gateway gives a meaning to."""
    plain = _NOT_IN_NAMES.sub("-", name.lower()).encode()
    return plain if plain.startswith(b"x-") and plain not in RESERVED else META + plain


def _has_control(text: str) -> bool:
    return _CONTROL.search(text) is not None
