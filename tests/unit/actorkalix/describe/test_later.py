"""Components of later versions, written well, are described without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from actorkalix import Action, handler, http
from actorkalix.describe import descriptor_of


class Mail(Action, id="later-mail"):
    @handler
    async def send(self, to: str) -> None: ...

    @http.get("/mails/{number}")
    async def get(self, number: int) -> AsyncIterator[str]:
        yield "x"


@pytest.mark.parametrize("cls", [Mail])
def test_described(cls: type) -> None:
    assert descriptor_of(cls).component_id.startswith("later-")


def test_replies_of_streams_are_what_they_yield() -> None:
    assert descriptor_of(Mail).handlers["get"].reply is str
