"""Looking at a whole service: each host answers for its own store, here the answers become one.

Two sides. A host offers what its store knows as methods by name (`inspect_methods`), bytes of
msgpack both ways; the controller, or the command line on a folder at rest, asks all of them through
`ports.HostCalls` (`ClusterInspection`).

What one store cannot answer is never left out in silence: a list that would miss a store's entities
is an error that names it, and the status shows the store as away. A shard is shown by its home
alone, by the asked store's home table as by the one here; after a crash they may differ.

States and payloads travel as JSON inside the msgpack, for they hold what JSON has and msgpack has
not: integers of more than 64 bits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.errors import (
    ActorkalixError,
    InvalidPayload,
    OwnerAway,
    UnknownRoute,
    catalog,
)
from actorkalix.gateway.headers import checked_entity_id
from actorkalix.ports import (
    EntityPage,
    EntityView,
    EventView,
    Fleet,
    HostCalls,
    HostMethod,
    ServiceStatus,
    TimerPage,
)
from actorkalix.process_listing import ProcessView
from actorkalix.runtime.consuming import ClusterConsuming, reading_methods
from actorkalix.runtime.host_methods import answer_of, host_method
from actorkalix.runtime.inspection import (
    PAGE_MAX,
    StoreInspection,
    check_number,
    unknown_component,
)
from actorkalix.runtime.merging import merged
from actorkalix.runtime.presentation import page_token, place_of
from actorkalix.runtime.timer_listing import TimerAsked, timers_of_all
from actorkalix.runtime.workflow_listing import ClusterWorkflows, listing_methods
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_storage.api import HomeTable, StoreError, StoreIdentity

ANSWER_S_MAX = 8.0
"""Until a host must have answered: below the 10 s that the command line waits (LT-26)."""

STATUS_S_MAX = 2.0
"""The same for the status: one host that hangs is not to hide the others for long."""

T = TypeVar("T")


class _Entities(msgspec.Struct, frozen=True):
    component: str
    page: str
    limit: int


class _Subject(msgspec.Struct, frozen=True):
    component: str
    entity: str


class _Events(msgspec.Struct, frozen=True):
    component: str
    entity: str
    after: int
    limit: int
    with_state: bool


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: homes of that version, then store, shard and entity id."""

    version: int
    store: int
    shard: int
    entity: str


# ---- the host's side --------------------------------------------------------------------------
def inspect_methods(
    inspection: StoreInspection, processes: Callable[[], Iterable[ProcessView]] = tuple
) -> Mapping[str, HostMethod]:
    """What a host offers to `ClusterInspection`, by name.

    Args:
        inspection: of the host's store.
        processes: that the host keeps.
    """

    async def entities(asked: _Entities) -> EntityPage:
        return await inspection.entities(asked.component, page=asked.page, limit=asked.limit)

    async def state(asked: _Subject) -> bytes:
        return msgspec.json.encode(await inspection.state(asked.component, asked.entity))

    async def events(asked: _Events) -> bytes:
        found = await inspection.events(
            asked.component,
            asked.entity,
            after=asked.after,
            limit=asked.limit,
            with_state=asked.with_state,
        )
        return msgspec.json.encode(found)

    async def components(_: None) -> list[str]:
        return await inspection.components()

    async def timers(asked: TimerAsked) -> TimerPage:
        return await inspection.timers(page=asked.page, limit=asked.limit)

    async def status(_: None) -> ServiceStatus:
        found = await inspection.status()
        return msgspec.structs.replace(found, processes=tuple(processes()))

    return {
        "inspect.entities": host_method(_Entities, entities),
        "inspect.state": host_method(_Subject, state),
        "inspect.events": host_method(_Events, events),
        "inspect.components": host_method(type(None), components),
        "inspect.timers": host_method(TimerAsked, timers),
        "inspect.status": host_method(type(None), status),
        **reading_methods(inspection),
        **listing_methods(inspection, inspection._service),
    }


class LocalCalls:
    """`ports.HostCalls` without processes: the methods of stores that are open here.

    Args:
        methods: by number of the store, then by name; looked into at each call.
    """

    def __init__(self, methods: Mapping[int, Mapping[str, HostMethod]]) -> None:
        self._methods = methods

    def stores(self) -> tuple[int, ...]:
        """Their numbers, ascending."""
        return tuple(sorted(self._methods))

    async def call(self, store: int, method: str, arguments: bytes) -> bytes:
        """Call a method; see `ports.HostCalls`.

        Raises:
            OwnerAway: the store is not here.
            UnknownRoute: it has no such method.
            ActorkalixError: what the method raises.
        """
        methods = self._methods.get(store)
        if methods is None:
            raise OwnerAway(f"store {store} is not open")
        if method not in methods:
            raise UnknownRoute(f"store {store} has no method {method!r}")
        try:
            return await methods[method](arguments)
        except StoreError as error:
            raise catalog().get(error.number, ActorkalixError)(str(error)) from error


# ---- the asking side --------------------------------------------------------------------------
class ClusterInspection:
    """`ports.Inspect` over all stores of a service.

    Args:
        calls: ways to the stores.
        homes: the home table as it is now.
        service: the service's code, or None to show what is stored without it.
        fleet: the processes of the running service. Without it (a folder at rest) answers are
            waited for without end: what reads there has nobody to hang on.
        identity: of any of the stores; names the service while none of them answers.
    """

    def __init__(
        self,
        calls: HostCalls,
        homes: Callable[[], HomeTable],
        service: ServiceDescriptor | None,
        *,
        fleet: Fleet | None = None,
        identity: StoreIdentity | None = None,
    ) -> None:
        self._calls = calls
        self._homes = homes
        self._service = service
        self._fleet = fleet
        self._identity = identity
        wait_s = ANSWER_S_MAX if fleet is not None else None
        self._consuming = ClusterConsuming(calls, homes, service, wait_s)
        self._workflows = ClusterWorkflows(calls, homes, service, wait_s)

    @property
    def consuming(self) -> ClusterConsuming:
        """The service's consumers and dead letters."""
        return self._consuming

    @property
    def workflows(self) -> ClusterWorkflows:
        """The service's workflows."""
        return self._workflows

    async def entities(self, component: str, *, page: str = "", limit: int = 100) -> EntityPage:
        """A page of ids, store after store; see `StoreInspection.entities`.

        Raises:
            UnknownRoute, InvalidPayload: as there; a page that was given out before shards have
                moved is none any more.
            OwnerAway: a store that may have some is away; the message names it.
        """
        check_number("limit", limit, 1, PAGE_MAX)
        table = self._homes()
        begin = _begin(component, page, table)
        found: list[_Place] = []
        known = begin is not None
        for store in table.stores():
            if begin is not None and store < begin.store:
                continue
            after = begin if begin is not None and store == begin.store else None
            try:
                found += await self._of_store(store, component, table, after, limit + 1)
                known = True
            except UnknownRoute:
                continue  # another store may know it
            if len(found) > limit:
                break
        if not known:
            raise await self._unknown(component)
        ids = [place.entity for place in found[:limit]]
        return EntityPage(ids, page_token(component, found[limit - 1]) if found[limit:] else "")

    async def state(self, component: str, entity: str) -> EntityView:
        """The entity, from the home of its shard; see `StoreInspection.state`.

        Raises: as there; OwnerAway: its home is away.
        """
        shard, home = self._home(component, entity)
        asked = _Subject(component, entity)
        try:
            found = await self._ask(home, "inspect.state", asked, bytes)
        except UnknownRoute:
            await self._known_elsewhere(component, home)
            return EntityView(component, entity, shard, 0, False, 0, False, None)
        return msgspec.json.decode(found, type=EntityView)

    async def events(
        self,
        component: str,
        entity: str,
        *,
        after: int = 0,
        limit: int = 100,
        with_state: bool = False,
    ) -> list[EventView]:
        """Changes of the entity, from the home of its shard; see `StoreInspection.events`.

        Raises: as there; OwnerAway: its home is away.
        """
        _, home = self._home(component, entity)
        asked = _Events(component, entity, after, limit, with_state)
        try:
            found = await self._ask(home, "inspect.events", asked, bytes)
        except UnknownRoute:
            await self._known_elsewhere(component, home)
            return []
        return msgspec.json.decode(found, type=list[EventView])

    async def timers(self, *, page: str = "", limit: int = 100) -> TimerPage:
        """Named timers, store after store; see `timer_listing`.

        Raises:
            InvalidPayload: `limit` is out of range, or the page is none.
            OwnerAway: a store that may have some is away; the message names it.
        """

        async def ask(store: int, page: str, limit: int) -> TimerPage:
            return await self._ask(store, "inspect.timers", TimerAsked(page, limit), TimerPage)

        return await timers_of_all(ask, self._homes().stores(), page, limit)

    async def status(self) -> ServiceStatus:
        """All stores and, of a running service, its processes; what is away is shown as that."""
        async with asyncio.TaskGroup() as asking:
            stores = {
                store: asking.create_task(self._status_of(store)) for store in self._calls.stores()
            }
        return merged(
            {store: status.result() for store, status in stores.items()},
            self._homes(),
            self._service,
            self._fleet.fleet() if self._fleet is not None else None,
            self._identity,
        )

    async def _status_of(self, store: int) -> ServiceStatus | str:
        """What the store says of itself, or why it does not."""
        try:
            return await self._ask(store, "inspect.status", None, ServiceStatus, STATUS_S_MAX)
        except ActorkalixError as error:
            return str(error)

    async def _of_store(
        self, store: int, component: str, table: HomeTable, begin: _Place | None, wanted: int
    ) -> list[_Place]:
        """`wanted` entities of the store or some more, beyond a place; fewer when that is all."""
        shards = len(table.homes)
        page = page_token(component, (begin.shard, begin.entity)) if begin is not None else ""
        found: list[_Place] = []
        while True:
            asked = _Entities(component, page, min(wanted, PAGE_MAX))
            answer = await self._ask(store, "inspect.entities", asked, EntityPage)
            for entity in answer.ids:
                shard = shard_of(component, entity, shards)
                if table.homes[shard][0] == store:
                    found.append(_Place(table.version, store, shard, entity))
            page = answer.next_page
            if not page or len(found) >= wanted:
                return found

    def _home(self, component: str, entity: str) -> tuple[int, int]:
        """Shard of an entity, and the store that has it."""
        homes = self._homes().homes
        shard = shard_of(component, checked_entity_id(entity), len(homes))
        return shard, homes[shard][0]

    async def _known_elsewhere(self, component: str, asked: int) -> None:
        """Return when another store than the asked one has something of the component."""
        for store in self._homes().stores():
            if store == asked:
                continue
            try:
                await self._ask(store, "inspect.entities", _Entities(component, "", 1), EntityPage)
            except UnknownRoute:
                continue
            return
        raise await self._unknown(component)

    async def _unknown(self, component: str) -> UnknownRoute:
        stored: set[str] = set()
        if self._service is None:
            for store in self._homes().stores():
                stored.update(await self._ask(store, "inspect.components", None, list[str]))
        return unknown_component(component, self._service, stored)

    async def _ask(
        self, store: int, method: str, asked: object, shape: type[T], wait_s: float = ANSWER_S_MAX
    ) -> T:
        limit_s = wait_s if self._fleet is not None else None
        return await answer_of(self._calls, store, method, asked, shape, limit_s)


def _begin(component: str, page: str, table: HomeTable) -> _Place | None:
    begin = place_of(component, page, _Place)
    if begin is not None and begin.version != table.version:
        raise InvalidPayload("page: shards have moved since it was given out; begin anew")
    if begin is not None and begin.store not in table.stores():
        raise InvalidPayload(f"page: {page[:80]!r} names store {begin.store}, which has no shard")
    return begin
