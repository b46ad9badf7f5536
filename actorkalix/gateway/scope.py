"""What ASGI says of a connection or request, beyond headers and body."""

from __future__ import annotations

from urllib.parse import quote

from starlette.types import Receive, Scope, Send


def raw_path_of(scope: Scope) -> bytes:
    """Path of a request as it came, percent-encoded."""
    raw: bytes | None = scope.get("raw_path")
    return raw if raw is not None else quote(scope["path"]).encode()


async def decline(scope: Scope, receive: Receive, send: Send) -> None:
    """Websockets are not served here; servers that speak the lifespan protocol are let through."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
