"""Heads of requests that come again: they are not parsed a second time.

Theory of operation. A client sends the same header lines with every request of a kind; only the
request line and the body differ. When the parser (httptools) has taken such a request, and it came
whole, plain and alone, the bytes of its header lines are kept here with what was read of them
(`learn`). A later request with the very same bytes is cut by hand (`find`): its request line fits
one strict pattern, its lines are found by their bytes, its body is as long as they say.

The parser alone says what a valid request is: what is not exactly as above goes to it, so requests
in pieces or behind one another, other versions of HTTP, lines that were never seen, and any doubt.
Nothing is kept of a request whose lines, cut here, are not those that the parser found, byte by
byte; nor where a line says something of the connection, or a value of its own for each request.

Invariant: of the same bytes, `find` and the parser make the same request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from actorkalix.gateway.headers import Head, Headers

HEADS_MAX = 256  # kinds of requests at a time; clients of a service have a few each
LINES_BYTES_MAX = 1_024  # longer ones carry tokens and cookies: they are of one caller

_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE) (/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*) HTTP/1\.1\r\n"
)
VERBS = {verb.encode(): verb for verb in ("GET", "POST", "PUT", "PATCH", "DELETE")}
"""Of requests that may be begun by a plain call."""
_OF_ITS_OWN = frozenset(
    (
        *(b"connection", b"transfer-encoding", b"upgrade", b"expect", b"te", b"trailer"),
        *(b"idempotency-key", b"x-request-id", b"traceparent", b"cookie"),
    )
)


class Whole(NamedTuple):
    """A request that came whole: what `Endpoint.begin` takes."""

    verb: str
    target: bytes
    head: Head
    body: bytes


class Repeated:
    """The heads that are known, the newest ones of them."""

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[Head, int]] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, data: bytes) -> Whole | None:
        """The one request that the data are, if its head is known; None is for the parser."""
        line = _REQUEST_LINE.match(data)
        if line is None:
            return None
        begin, end = line.end(), data.find(_END) + len(_END)
        known = self._heads.get(data[begin:end])
        if known is None or len(data) - end != known[1]:
            return None
        return Whole(VERBS[line[1]], line[2], known[0], data[end:])

    def learn(self, data: bytes, lines: Sequence[tuple[bytes, bytes]], head: Head) -> None:
        """Keep the head of a request that the parser has taken.

        Args:
            data: what was read, with the request at its beginning.
            lines: headers as the parser found them, names in lower case.
            head: what was read of them.
        """
        line = _REQUEST_LINE.match(data)
        if line is None or head.twice:
            return
        raw = data[line.end() : data.find(_END) + len(_END)]
        if len(raw) > LINES_BYTES_MAX or _cut(raw) != list(lines):
            return
        if any(name in _OF_ITS_OWN for name, _ in lines):
            return
        while len(self._heads) >= HEADS_MAX:
            del self._heads[next(iter(self._heads))]
        self._heads[raw] = head, head.content_length()


def _cut(raw: bytes) -> Headers | None:
    """Header lines as they stand there; None where there is anything else."""
    found: Headers = []
    for line in raw.removesuffix(b"\r\n").splitlines(keepends=True):
        name, colon, value = line.removesuffix(b"\r\n").partition(b":")
        if not colon or not line.endswith(b"\r\n") or b"\r" in value or name != name.strip():
            return None
        found.append((name.lower(), value.strip(b" \t")))
    return found
