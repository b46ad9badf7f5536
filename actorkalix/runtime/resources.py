"""What `Service(resources=...)` makes: once in a process, before its first handler runs."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from actorkalix.errors import HandlerFailed
from actorkalix.model.client import Client

log = logging.getLogger("actorkalix.action")


async def start_up(hook: Callable[[Client], Any], client: Client) -> None:
    """Call `Service(on_startup=...)`: a coroutine on this loop, a plain function in a thread."""
    if inspect.iscoroutinefunction(hook):
        await hook(client)
        return
    started = await asyncio.to_thread(hook, client)
    if inspect.isawaitable(started):
        await started


class Resources:
    """The resources of a process.

    Args:
        service: its name, for errors.
        make: plain, then it runs in a thread, for it may connect; or a coroutine, then on the
            loop. None: there are none.
    """

    def __init__(self, service: str, make: Callable[[], Any] | None) -> None:
        self._service = service
        self._make = make
        self._made: asyncio.Task[Any] | None = None

    async def get(self) -> Any:
        """The resources, made when they were not; None where the service has none.

        One that failed is tried again with the next message.

        Raises:
            HandlerFailed: they could not be made; the message names the service.
        """
        if self._make is None:
            return None
        if self._made is None:
            self._made = asyncio.create_task(self._call(self._make), name="resources")
        made = self._made
        try:
            return await asyncio.shield(made)
        except Exception as problem:
            if self._made is made:
                self._made = None
            raise HandlerFailed(
                f"the resources of service {self._service!r} could not be made: "
                f"{type(problem).__name__}: {problem}"
            ) from problem

    async def _call(self, make: Callable[[], Any]) -> Any:
        if inspect.iscoroutinefunction(make):
            return await make()
        made = await asyncio.to_thread(make)
        return await made if inspect.isawaitable(made) else made

    async def aclose(self) -> None:
        """Close them, if they were made and have `aclose()` or `close()`."""
        made, self._made = self._made, None
        if made is None:
            return
        if not made.done():
            made.cancel()
            await asyncio.wait([made])
        if made.cancelled() or made.exception() is not None:
            return
        resources = made.result()
        close = getattr(resources, "aclose", None) or getattr(resources, "close", None)
        if close is None:
            return
        try:
            closing = close()
            if inspect.isawaitable(closing):
                await closing
        except Exception:
            log.exception("the resources of service %r could not be closed", self._service)
