"""`ports.Inspect` over the admin port of a running service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from actorkalix.cli.admin_workflows import AdminWorkflows
from actorkalix.consumer_views import (
    ConsumerView,
    DeadLetterPage,
    DeadLetterView,
    Dropped,
    LetterOrder,
    Replayed,
    Retried,
    RetryOrder,
)
from actorkalix.errors import ActorkalixError, AdminUnreachable, catalog
from actorkalix.gateway.headers import checked_entity_id
from actorkalix.ports import (
    Cancelled,
    CancelOrder,
    EntityPage,
    EntityView,
    EventView,
    PublishedView,
    PublishOrder,
    Replaced,
    ReplaceOrder,
    ServiceStatus,
    StreamError,
    TimerPage,
    TopicView,
)

TIMEOUT_S = 10.0
"""Until an answer must be there (LT-26)."""

PORT_MAX = 65_535

R = TypeVar("R")


class AdminInspection:
    """Asks a running service; use it as `async with`.

    Args:
        url: of the admin port, as `http://127.0.0.1:9889`.
        timeout_s: until an answer must be there, in seconds.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        try:
            # trust_env=False: a proxy for the world is not to see the admin port of this machine.
            self._http = httpx.AsyncClient(base_url=self.url, timeout=timeout_s, trust_env=False)
            if not 0 < (self._http.base_url.port or 1) <= PORT_MAX:
                raise httpx.InvalidURL(f"ports are 1 to {PORT_MAX}")
        except httpx.InvalidURL as error:
            raise AdminUnreachable(f"{url!r} is no URL: {error}") from error

    async def __aenter__(self) -> AdminInspection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def entities(self, component: str, *, page: str = "", limit: int = 100) -> EntityPage:
        """A page of entity ids; see `ports.Inspect`."""
        return await self._get(
            EntityPage, f"entities/{_segment(component)}", {"page": page, "limit": limit}
        )

    async def state(self, component: str, entity: str) -> EntityView:
        """An entity with its state."""
        return await self._get(EntityView, f"state/{_subject(component, entity)}")

    async def events(
        self,
        component: str,
        entity: str,
        *,
        after: int = 0,
        limit: int = 100,
        with_state: bool = False,
    ) -> list[EventView]:
        """Changes of an entity."""
        return await self._get(
            list[EventView],
            f"events/{_subject(component, entity)}",
            {"after": after, "limit": limit, "with_state": int(with_state)},
        )

    async def status(self) -> ServiceStatus:
        """Processes, stores and positions of the running service."""
        return await self._get(ServiceStatus, "status")

    async def timers(self, *, page: str = "", limit: int = 100) -> TimerPage:
        """A page of timers."""
        return await self._get(TimerPage, "timers", {"page": page, "limit": limit})

    async def cancel_timer(self, name: str) -> Cancelled:
        """Have a timer forgotten."""
        order = msgspec.json.encode(CancelOrder(name))
        return await self._ask(Cancelled, "POST", "timers/cancel", content=order)

    @property
    def workflows(self) -> AdminWorkflows:
        """It asks for workflows as well."""
        return AdminWorkflows(self._get, self._ask)

    @property
    def consuming(self) -> AdminInspection:
        """It asks for consumers and dead letters as well."""
        return self

    async def consumers(self, consumer: str = "", *, limit: int = 100) -> list[ConsumerView]:
        """All consumers, or one; see `consumer_views.Consuming`."""
        query: dict[str, str | int] = {"consumer": consumer, "limit": limit}
        return await self._get(list[ConsumerView], "consumers", query)

    async def retry(self, consumer: str, entity: str = "") -> Retried:
        """Have parked subjects tried now."""
        order = msgspec.json.encode(RetryOrder(consumer, entity))
        return await self._ask(Retried, "POST", "consumers/retry", content=order)

    async def dead_letters(
        self, consumer: str = "", *, page: str = "", limit: int = 100
    ) -> DeadLetterPage:
        """A page of dead letters."""
        query: dict[str, str | int] = {"consumer": consumer, "page": page, "limit": limit}
        return await self._get(DeadLetterPage, "dead-letters", query)

    async def dead_letter(self, letter: str) -> DeadLetterView:
        """A dead letter with its payload."""
        return await self._get(DeadLetterView, "dead-letters/show", {"id": letter})

    async def replay(self, letter: str) -> Replayed:
        """Have a dead letter handled again; returns when it was, however long it takes."""
        order = msgspec.json.encode(LetterOrder(letter))
        without_end = httpx.Timeout(TIMEOUT_S, read=None)
        return await self._ask(
            Replayed, "POST", "dead-letters/replay", content=order, timeout=without_end
        )

    async def drop(self, letter: str) -> Dropped:
        """Have a dead letter forgotten."""
        order = msgspec.json.encode(LetterOrder(letter))
        return await self._ask(Dropped, "POST", "dead-letters/drop", content=order)

    async def topics(self) -> list[TopicView]:
        """The topics that the service names."""
        return await self._get(list[TopicView], "topics")

    async def publish(self, topic: str, order: PublishOrder) -> PublishedView:
        """Have a message published."""
        body = msgspec.json.encode(order)
        return await self._ask(PublishedView, "POST", f"topics/{_segment(topic)}", content=body)

    async def replace(self, store: int) -> Replaced:
        """Have a store's host replaced; returns when the next one serves, however long it takes."""
        order = msgspec.json.encode(ReplaceOrder(store))
        without_end = httpx.Timeout(TIMEOUT_S, read=None)
        return await self._ask(Replaced, "POST", "replace", content=order, timeout=without_end)

    async def lines(
        self, path: str, order: msgspec.Struct, *, wait_s: float
    ) -> AsyncGenerator[bytes]:
        """Have something done that tells how it goes, a line of JSON each.

        Args:
            path: below `/admin/`.
            order: the body.
            wait_s: until the next line must be there.

        Raises:
            AdminUnreachable: nobody answers, or the lines end in the middle of one.
            ActorkalixError: what the service answers, at first or as its last line.
        """
        timeout = httpx.Timeout(TIMEOUT_S, read=wait_s)
        body = msgspec.json.encode(order)
        try:
            async with self._http.stream(
                "POST", f"/admin/{path}", content=body, timeout=timeout
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise _problem(response, self.url)
                async for line in response.aiter_lines():
                    _raise_last(line)
                    yield line.encode()
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            said = str(error) or type(error).__name__
            raise AdminUnreachable(f"{self.url} answers no more: {said}") from error

    async def _get(
        self, shape: type[R], path: str, query: Mapping[str, str | int] | None = None
    ) -> R:
        return await self._ask(shape, "GET", path, params=query)

    async def _ask(self, shape: type[R], verb: str, path: str, **options: Any) -> R:
        try:
            response = await self._http.request(verb, f"/admin/{path}", **options)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            said = str(error) or type(error).__name__
            raise AdminUnreachable(f"no service answers at {self.url}: {said}") from error
        if not response.is_success:
            raise _problem(response, self.url)
        try:
            return msgspec.json.decode(response.content, type=shape)
        except msgspec.MsgspecError as error:
            raise AdminUnreachable(
                f"{self.url} is no admin port of this version: {error}"
            ) from error


class _Problem(msgspec.Struct):
    """What we read of a problem document."""

    number: str
    detail: str


class _Last(msgspec.Struct):
    """The last line of a stream that ends early."""

    error: StreamError | None = None


def _raise_last(line: str) -> None:
    try:
        error = msgspec.json.decode(line, type=_Last).error
    except msgspec.MsgspecError as broken:
        raise AdminUnreachable(f"an answer that is cut off: {line[:100]!r}") from broken
    if error is not None:
        raise catalog().get(error.number, ActorkalixError)(error.message)


def _problem(response: httpx.Response, url: str) -> ActorkalixError:
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
        return catalog()[problem.number](problem.detail)
    except (msgspec.MsgspecError, KeyError):
        status = f"{response.status_code} {response.reason_phrase}"
        return AdminUnreachable(f"{url} is no admin port: it answers {status}")


def _subject(component: str, entity: str) -> str:
    return f"{_segment(component)}/{_segment(checked_entity_id(entity))}"


def _segment(text: str) -> str:
    return quote(text, safe="")
