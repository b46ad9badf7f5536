"""Two services for tests of streams, in one process: the shop tells, the desk takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from actorkalix import (
    Action,
    Effect,
    EventSourcedEntity,
    Limits,
    RowEffect,
    Service,
    ValueEntity,
    View,
    command,
    public_stream,
    publish,
    query,
    sql,
    stream,
    subscribe,
    table,
)
from actorkalix.describe.streams import streams_taken
from actorkalix.runtime.broker_state import BrokerState
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.inlet import Inlet
from actorkalix.runtime.outlet import Outlet, outlet_methods
from actorkalix.testkit import TestService
from actorkalix_cluster.placement import SHARDS_DEFAULT
from actorkalix_cluster.shardhost.committer import InlineCommitter
from actorkalix_storage.api import HomeTable


@dataclass(frozen=True)
class Sold:
    """One more."""

    number: int


class Till(EventSourcedEntity[int, Sold], id="till"):
    """Sells."""

    def empty_state(self) -> int:
        return 0

    @command
    def sell(self) -> Effect[int]:
        return self.effects.persist(Sold(self.state + 1)).then_reply(lambda number: number)

    def apply_event(self, state: int, event: Sold) -> int:
        return event.number


class Public(Action, id="public", runs="inline"):
    """Tells of all but every fifth sale."""

    @subscribe(Till)
    @publish(public_stream("sales", Sold, allow=["desk", "books-*"]))
    async def on_sold(self, event: Sold) -> Sold | None:
        return event if event.number % 5 else None


class Log(ValueEntity[tuple[int, ...]], id="log"):
    """What the desk was told of a till."""

    def empty_state(self) -> tuple[int, ...]:
        return ()

    @command
    def note(self, number: int) -> Effect[None]:
        return self.effects.update_state((*self.state, number)).then_reply(None)

    @query
    def get(self) -> tuple[int, ...]:
        return self.state


class Desk(Action, id="desk", runs="inline"):
    """Notes the sales."""

    @subscribe(stream("shop", "sales", Sold))
    async def on_sold(self, event: Sold) -> None:
        await self.client.entity(Log, self.context.subject).note(event.number)


@dataclass(frozen=True)
class Newest:
    """The newest sale of a till."""

    till: str
    number: int


class Board(View, id="board"):
    """Shows the newest sales."""

    @table("newest", source=stream("shop", "sales", Sold))
    def on_sold(self, row: Newest | None, event: Sold) -> RowEffect[Newest]:
        return self.effects.update_row(Newest(self.context.subject, event.number))

    @sql("SELECT * FROM newest WHERE till = :till")
    def of(self, till: str) -> Newest:
        raise NotImplementedError


shop = Service("shop", components=[Till, Public])
desk = Service("desk", components=[Log, Desk, Board], limits=Limits(topic_partitions=4))
"""With fewer partitions than the shop, so that several lanes meet in one."""

HOMES = HomeTable(1, ((0,),) * SHARDS_DEFAULT)


class Way:
    """`stream_words.Services` to one running shop; `away` makes it be away."""

    def __init__(self, running: TestService, service: Service = shop) -> None:
        self.running = running
        self.away = False
        self.outlet = Outlet(service, LocalCalls(_Methods(self)), lambda: HOMES)

    async def call(self, service: str, method: str, arguments: bytes) -> bytes:
        if self.away:
            raise ConnectionError(f"{service} is away")
        assert method == "streams.read"
        return await self.outlet.answer(arguments)


class _Methods(dict[int, Any]):
    """The methods of the store that the service has now."""

    def __init__(self, way: Way) -> None:
        super().__init__({0: None})
        self._way = way

    def get(self, key: int, default: Any = None) -> Any:
        store = self._way.running._store
        return outlet_methods(store, InlineCommitter(store), lambda shard: True)


def inlet_of(running: TestService, way: Way) -> tuple[Inlet, BrokerState]:
    """The reader of the desk's stream, which nothing drives."""
    (source,) = streams_taken(desk.descriptor)
    state = BrokerState("~from:shop/sales", "stream shop/sales", lambda: running.now_ms)
    return Inlet("desk", source, way, running, desk.limits, state), state


async def sell(running: TestService, till: str, count: int) -> None:
    """Sell, and let it be told."""
    for _ in range(count):
        await running.client.entity(Till, till).sell()
    await running.advance(timedelta(0))


async def noted(running: TestService, till: str) -> tuple[int, ...]:
    """What the desk has handled of a till."""
    await running.advance(timedelta(0))
    return await running.client.entity(Log, till).get()


async def read_all(inlet: Inlet) -> int:
    """Read until nothing comes."""
    total = 0
    while count := await inlet.round():
        total += count
    return total
