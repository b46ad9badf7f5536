"""Bodies: lines however they are cut, limits, and callers that go away."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.errors import PayloadTooLarge
from actorkalix.gateway.bodies import CallerGone, Lines, gone, unless_gone, whole_body
from actorkalix_cluster.shardhost.messages import Reply


class Receiving:
    """Pieces of a body, then the caller's leave."""

    def __init__(self, *pieces: bytes, cut: bool = False) -> None:
        last = len(pieces) - 1
        self.events: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": cut or at < last}
            for at, piece in enumerate(pieces)
        ]

    async def __call__(self) -> dict[str, Any]:
        return self.events.pop(0) if self.events else {"type": "http.disconnect"}


@given(st.lists(st.binary(max_size=6)), st.lists(st.integers(0, 30)))
def test_lines_are_the_same_however_they_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    body = b"\n".join(parts)
    edges = sorted({0, len(body), *(cut for cut in cuts if cut <= len(body))})
    pieces = [body[a:b] for a, b in pairwise(edges)] or [b""]

    async def main() -> list[bytes]:
        return [line async for line in Lines(Receiving(*pieces), 100)]

    assert asyncio.run(main()) == [line for line in body.split(b"\n") if line.strip()]


def test_a_line_has_a_limit_before_it_ends() -> None:
    async def main() -> None:
        lines = aiter(Lines(Receiving(b"1\n", b"22", b"22", cut=True), 3))
        assert await anext(lines) == b"1"
        with pytest.raises(PayloadTooLarge, match="payload_bytes_max, 3 bytes"):
            await anext(lines)

    asyncio.run(main())


def test_who_leaves_is_seen_behind_the_body_and_in_its_midst() -> None:
    async def main() -> None:
        whole = Lines(Receiving(b"1\n"), 9)
        assert [line async for line in whole] == [b"1"]
        await whole.gone()
        cut = Lines(Receiving(b"1\n", cut=True), 9)
        lines = aiter(cut)
        assert await anext(lines) == b"1"
        waiting = asyncio.ensure_future(anext(lines))
        await cut.gone()
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(main())


def test_an_answer_unless_its_caller_goes_away() -> None:
    async def answered() -> Reply:
        return Reply(b"1")

    async def never() -> Reply:
        await asyncio.Event().wait()
        return Reply()

    async def stays() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        assert await unless_gone(answered(), stays()) == Reply(b"1")
        with pytest.raises(CallerGone):
            await unless_gone(never(), gone(Receiving(b"")))

    asyncio.run(main())


def test_a_whole_body() -> None:
    async def main() -> None:
        assert await whole_body(Receiving(b"a", b"b"), 2) == b"ab"
        with pytest.raises(PayloadTooLarge, match="the body has 2 bytes or more"):
            await whole_body(Receiving(b"a", b"b"), 1)
        with pytest.raises(CallerGone):
            await whole_body(Receiving(b"a", cut=True), 9)

    asyncio.run(main())
