"""Ports: what the floors above need of a running service. The runtime plugs the parts in."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from actorkalix_cluster.shardhost.messages import Message, Reply


class Ask(Protocol):
    """Sends a message to the actor that it names and waits for the answer."""

    async def ask(self, message: Message, /) -> Reply: ...


class Clock(Protocol):
    """Time in milliseconds since 1970; virtual in tests."""

    def now_ms(self) -> int: ...


class EntityPage(msgspec.Struct, frozen=True):
    """Ids of a component's entities; `next_page` asks for more, "" on the last page."""

    ids: list[str]
    next_page: str


class EntityView(msgspec.Struct, frozen=True):
    """An entity as an operator sees it.

    `state` is what JSON makes of it, `note` what it does not hold.
    """

    component: str
    entity: str
    shard: int
    sequence_number: int
    deleted: bool
    expires_ms: int
    exists: bool
    state: Any
    note: str = ""


class EventView(msgspec.Struct, frozen=True):
    """A record of an entity as an operator sees it.

    `state` is the state after it, where asked for.
    """

    sequence_number: int
    kind: str
    type: str
    type_version: int
    time_ms: int
    shard: int
    epoch: int
    offset: int
    payload: Any
    metadata: dict[str, str]
    has_key: bool = False
    state: Any = None


class Inspect(Protocol):
    """What operators may look at, on a running service or a folder at rest."""

    async def entities(self, component: str, *, page: str, limit: int) -> EntityPage: ...

    async def state(self, component: str, entity: str) -> EntityView: ...

    async def events(
        self, component: str, entity: str, *, after: int, limit: int, with_state: bool
    ) -> list[EventView]: ...

    async def status(self) -> dict[str, Any]: ...
