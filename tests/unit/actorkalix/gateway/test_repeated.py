"""Heads that come again: of the same bytes, the parser would make the same request."""

from __future__ import annotations

import pytest
from httptools import HttpParserError, HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.gateway.headers import Head, Headers
from actorkalix.gateway.repeated import HEADS_MAX, LINES_BYTES_MAX, Repeated

LINES = b"Host: here\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n"
WHOLE = b"POST /counter/c1/add HTTP/1.1\r\n" + LINES + b"[1,2]"


class Parsed:
    """The requests that the parser finds; the target, lines and body of the first."""

    def __init__(self, data: bytes) -> None:
        self.target, self.body, self.lines, self.complete = b"", b"", Headers(), 0
        self.is_valid = True
        parser = HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except HttpParserError:
            self.is_valid = False
        self.verb = parser.get_method().decode() if self.complete else ""
        self.keeps_alive = bool(self.complete) and parser.should_keep_alive()

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.lines.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


def taught(*seen: bytes) -> Repeated:
    """What is known after the parser has seen these."""
    repeated = Repeated()
    for data in seen:
        parsed = Parsed(data)
        if parsed.is_valid and parsed.complete and parsed.keeps_alive:
            repeated.learn(data, parsed.lines, Head(parsed.lines))
    return repeated


def test_a_head_that_came_before_is_found() -> None:
    repeated = Repeated()
    assert repeated.find(WHOLE) is None
    repeated = taught(WHOLE)
    found = repeated.find(b"PUT /counter/c%202/set?x=1 HTTP/1.1\r\n" + LINES + b"[3,4]")
    assert found is not None
    assert (found.verb, found.target, found.body) == ("PUT", b"/counter/c%202/set?x=1", b"[3,4]")
    assert found.head.read[b"content-type"] == b"application/json"


@pytest.mark.parametrize(
    "other",
    [
        WHOLE[:-1],
        WHOLE + b"x",
        WHOLE + WHOLE,
        WHOLE.replace(b"here", b"there"),
        WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"),
        WHOLE.replace(b"POST", b"HEAD"),
        WHOLE.replace(b"/counter", b"//counter"),
        WHOLE.replace(b"/counter", b"http://here/counter"),
        WHOLE.replace(b"/c1/", b"/c#1/"),
        WHOLE.replace(b"/c1/", b"/c 1/"),
        WHOLE.replace(b"/c1/", b"/c\xe9/"),
        WHOLE.replace(b"POST ", b"POST  "),
        b"\r\n" + WHOLE,
        WHOLE.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
        b"",
    ],
)
def test_what_is_not_exactly_so_is_for_the_parser(other: bytes) -> None:
    assert taught(WHOLE).find(other) is None


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: keep-alive\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Idempotency-Key: k1\r\n",
        b"X-Request-Id: r1\r\n",
        b"Content-Type: text/plain\r\n",
        b"X-Long: %b\r\n" % (b"x" * LINES_BYTES_MAX),
    ],
)
def test_lines_of_one_request_alone_are_not_kept(line: bytes) -> None:
    assert len(taught(WHOLE.replace(b"Host: here\r\n", line))) == 0


def test_lines_that_the_parser_read_otherwise_are_not_kept() -> None:
    repeated, lines = Repeated(), [(b"host", b"here")]
    for raw in (
        b"Host: there",
        b"Host : here",
        b"Host: here\r\nX: y",
        b"Host: he\nre",
        b"Host",
        b"",
    ):
        repeated.learn(b"GET / HTTP/1.1\r\n" + raw + b"\r\n\r\n", lines, Head(lines))
        assert len(repeated) == 0
    repeated.learn(b"GET / HTTP/1.1\r\n\nfoo\r\n\r\n", [], Head([]))
    assert len(repeated) == 0
    repeated.learn(b"GET / HTTP/1.1\r\nHost: \t here \r\n\r\n", lines, Head(lines))
    assert len(repeated) == 1


def test_the_newest_are_kept() -> None:
    kinds = [WHOLE.replace(b"here", b"h%d" % number) for number in range(HEADS_MAX + 1)]
    repeated = taught(*kinds)
    assert len(repeated) == HEADS_MAX
    assert repeated.find(kinds[0]) is None
    assert repeated.find(kinds[-1]) is not None


_NAMES = st.sampled_from([b"Host", b"host", b"Content-Length", b"X-A", b"Accept", b"Connection"])
_VALUES = st.sampled_from(
    [b"here", b"0", b"5", b"05", b"+5", b"close", b"a b", b" \t x ", b"", b"\xe9"]
)
_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\n "])
_HEADS = st.lists(st.tuples(_NAMES, _VALUES, _ENDS), max_size=4).map(
    lambda lines: b"".join(name + b": " + value + end for name, value, end in lines)
)
_BODIES = st.sampled_from([b"", b"[1,2]", b"[1,2]x", b"GET / HTTP/1.1\r\n\r\n"])
_STARTS = st.sampled_from([b"GET /a HTTP/1.1\r\n", b"POST /a/b?c=%20 HTTP/1.1\r\n", b"PUT /a\r\n"])


def _requests(heads: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(_STARTS, heads, st.just(b"\r\n"), _BODIES).map(b"".join)


@given(data=st.data(), head=_HEADS)
def test_the_parser_would_make_the_same_of_it(data: st.DataObject, head: bytes) -> None:
    seen = data.draw(st.lists(_requests(st.just(head)), min_size=1, max_size=3))
    now = data.draw(_requests(st.one_of(st.just(head), _HEADS)))
    found = taught(*seen).find(now)
    if found is None:
        return
    parsed = Parsed(now)
    assert parsed.is_valid
    assert parsed.complete == 1
    assert parsed.keeps_alive
    assert (found.verb, found.target, found.body) == (parsed.verb, parsed.target, parsed.body)
    known, anew = found.head, Head(parsed.lines)
    assert (known.read, known.metadata, known.twice) == (anew.read, anew.metadata, anew.twice)
