"""Scopes: the path as it came, and connections that are no requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from actorkalix.gateway.scope import decline, raw_path_of


@pytest.mark.parametrize(
    "scope, path",
    [({"raw_path": b"/a%2Fb", "path": "/a/b"}, b"/a%2Fb"), ({"path": "/ä"}, b"/%C3%A4")],
)
def test_the_path_as_it_came(scope: dict[str, Any], path: bytes) -> None:
    assert raw_path_of(scope) == path


@pytest.mark.parametrize(
    "kind, events, answers",
    [
        ("websocket", [], ["websocket.close"]),
        (
            "lifespan",
            ["lifespan.startup", "lifespan.shutdown"],
            ["lifespan.startup.complete", "lifespan.shutdown.complete"],
        ),
    ],
)
def test_what_is_no_request_is_declined(kind: str, events: list[str], answers: list[str]) -> None:
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": events.pop(0)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(decline({"type": kind}, receive, send))
    assert sent == answers
