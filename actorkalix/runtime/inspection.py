"""Looking at what a store holds: entities, states, events, positions. Nothing here writes.

The same code answers for a store of a running service and for one of a folder at rest; `fanout`
asks all stores of a service. A shard whose home, by the store's own table, is another store is not
shown: what lies of it here is left over from a move.

States come from the component's own behavior, folded as at recovery, so what is shown is what the
service would answer from. Where the code is missing, what is stored is shown as it lies there, by
the codec's untyped face.

Reads go to a thread: a fold of many events is not to hold the loop that serves.
"""

from __future__ import annotations

import asyncio
import difflib
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from actorkalix.codec import jsonable
from actorkalix.describe.descriptors import ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.errors import (
    ActorkalixError,
    InvalidPayload,
    OwnerAway,
    StoredDataUnreadable,
    UnknownRoute,
    catalog,
)
from actorkalix.gateway.headers import checked_entity_id
from actorkalix.limits import Limits
from actorkalix.ports import (
    EntityPage,
    EntityView,
    EventView,
    ServiceStatus,
    ShardView,
    StoreView,
    TimerPage,
)
from actorkalix.runtime.fold import Fold
from actorkalix.runtime.presentation import as_stored, event_view, page_token, place_of
from actorkalix.runtime.timer_listing import timers_of
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.behavior import Behavior, BehaviorError
from actorkalix_storage.api import (
    Head,
    RecordKind,
    Store,
    StoredRecord,
    StoreError,
    StoreIdentity,
)

PAGE_MAX = 1000
"""Ids or events of one answer; ten of the usual pages of 100 (LT-26)."""

FOLD_PAGE = 500
"""Records read at a time while states are folded."""

NO_CHANGES = (RecordKind.REPLY, RecordKind.OUTBOX, RecordKind.TRIMMED)

R = TypeVar("R")


class StoreInspection:
    """`ports.Inspect` over any store.

    Args:
        store: open; its reading methods are called from other threads.
        service: the service's code, or None to show what is stored without it.
        folder: where the store lies, for its sizes.
        limits: the service's, or None for the usual ones.
    """

    def __init__(
        self,
        store: Store,
        service: ServiceDescriptor | None,
        *,
        folder: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._service = service
        self._folder = folder
        self._limits = limits or Limits()

    @property
    def store(self) -> Store:
        """What is looked at."""
        return self._store

    async def entities(self, component: str, *, page: str = "", limit: int = 100) -> EntityPage:
        """Ids of a component's entities, a page at a time, in an order that does not change.

        Args:
            component: component id.
            page: "" for the first, else `next_page` of the one before.
            limit: 1 to `PAGE_MAX` ids.

        Raises:
            UnknownRoute: neither the service nor the store knows the component.
            InvalidPayload: `limit` is out of range, or `page` was not given out for this component.
        """
        return await off_loop(lambda: self._entities(component, page, limit))

    async def state(self, component: str, entity: str) -> EntityView:
        """The entity with its durable state; `exists` is False while it has no change.

        Raises:
            UnknownRoute, InvalidEntityId: no such component, no such id.
            OwnerAway: the home of its shard is another store.
            StoredDataUnreadable, StoredDataDamaged: what is stored cannot be read.
        """
        return await off_loop(lambda: self._state(component, entity))

    async def events(
        self,
        component: str,
        entity: str,
        *,
        after: int = 0,
        limit: int = 100,
        with_state: bool = False,
    ) -> list[EventView]:
        """Changes of the entity beyond sequence number `after`, oldest first.

        A delete of an event sourced entity has the sequence number of the change before it and is
        shown with it, also when that makes `limit` + 1. Remembered replies are no changes and are
        left out.

        Args:
            component, entity: whose.
            after: 0 and up.
            limit: 1 to `PAGE_MAX`.
            with_state: fold the state after each change; needs the component's code.

        Raises: as `state`; InvalidPayload for numbers out of range.
        """
        return await off_loop(lambda: self._events(component, entity, after, limit, with_state))

    async def status(self) -> ServiceStatus:
        """Identity, opened shards with positions, damaged shards, sizes in bytes where known."""
        return await off_loop(self._status)

    async def timers(self, *, page: str = "", limit: int = 100) -> TimerPage:
        """Named timers, a page at a time; see `timer_listing`."""
        return await off_loop(lambda: timers_of(self._store, self.is_home(), page, limit))

    async def components(self) -> list[str]:
        """Component ids of what is stored here, those of the first records of each shard."""
        return await off_loop(lambda: sorted(self._stored_components()))

    # ---- entities -----------------------------------------------------------------------------
    def _entities(self, component: str, page: str, limit: int) -> EntityPage:
        check_number("limit", limit, 1, PAGE_MAX)
        self._known(component)
        found = list(itertools.islice(self._present(component, page), limit + 1))
        more = len(found) > limit
        found = found[:limit]
        return EntityPage(
            [entity for _, entity in found], page_token(component, found[-1]) if more else ""
        )

    def _present(self, component: str, page: str) -> Iterator[tuple[int, str]]:
        """Shards and ids of entities; those that have remembered replies alone are none (ES-03)."""
        after, is_home = place_of(component, page, tuple[int, str]), self.is_home()
        while found := self._store.subjects(component, after=after, limit=PAGE_MAX):
            after = found[-1]
            for shard, entity in found:
                head = self._store.head(shard, component, entity) if is_home(shard) else None
                if head is not None and _exists(head):
                    yield shard, entity

    def is_home(self) -> Callable[[int], bool]:
        """Whether a shard's home is this store; a store without a table is alone."""
        table, number = self._store.homes(), self._store.identity.number
        return lambda shard: table is None or number in table.homes[shard]

    def _known(self, component: str) -> None:
        if self._service is not None and component in self._service.components:
            refuse_action(component, self._service)
            return
        if self._store.subjects(component, limit=1):
            return
        raise unknown_component(component, self._service, self._stored_components())

    def _stored_components(self) -> set[str]:
        """Component ids among the first records of each shard: for a hint, not for completeness."""
        shards = range(self._store.identity.shards)
        opened = (shard for shard in shards if self._store.shard(shard).position.offset)
        first = itertools.chain.from_iterable(self._store.records(s, 0, limit=16) for s in opened)
        found = {stored.record.component for stored in first}
        return {component for component in found if component and not component.startswith("~")}

    def _shard(self, component: str, entity: str) -> int:
        self._known(component)
        shard = shard_of(component, checked_entity_id(entity), self._store.identity.shards)
        if not self.is_home()(shard):
            raise OwnerAway(f"shard {shard} is not at home in store {self._store.identity.number}")
        return shard

    # ---- states -------------------------------------------------------------------------------
    def _state(self, component: str, entity: str) -> EntityView:
        shard = self._shard(component, entity)
        history = self._store.load(shard, component, entity)
        if history is None:
            return EntityView(component, entity, shard, 0, False, 0, False, None)
        behavior = self._behavior(component)
        note = ""
        if behavior is not None:
            state = jsonable(behavior.restore(entity, history).state)
        else:
            state, note = as_stored(history)
        head = history.head
        return EntityView(
            component,
            entity,
            shard,
            head.number,
            head.deleted_ms > 0,
            head.expires_ms,
            _exists(head),
            state,
            note,
        )

    def _behavior(self, component: str) -> Behavior[Any] | None:
        """None: the store has entities of a component whose code is not here."""
        if self._service is None or component not in self._service.components:
            return None
        return behavior_for(self._service.components[component], self._limits)

    # ---- events -------------------------------------------------------------------------------
    def _events(
        self, component: str, entity: str, after: int, limit: int, with_state: bool
    ) -> list[EventView]:
        check_number("limit", limit, 1, PAGE_MAX)
        check_number("after", after, 0, 2**63 - 1)
        shard = self._shard(component, entity)
        wanted: list[StoredRecord] = []
        for stored in self._changes(shard, component, entity, after):
            if len(wanted) >= limit and stored.record.number != wanted[-1].record.number:
                break
            wanted.append(stored)
        if not with_state or not wanted:
            return [event_view(stored, None) for stored in wanted]
        behavior = self._behavior(component)
        if behavior is None:
            raise InvalidPayload(
                f"with-state: the code of {component!r} is not here; name the service that has it"
            )
        fold = self._fold_before(behavior, wanted[0])
        return [event_view(stored, jsonable(fold.after(stored))) for stored in wanted]

    def _changes(
        self, shard: int, component: str, entity: str, after: int
    ) -> Iterator[StoredRecord]:
        """Changes beyond sequence number `after`.

        A version is never below its sequence number, so reading begins at version `after`.
        """
        version, life = after, 0
        while page := self._store.history(shard, component, entity, after=version, limit=FOLD_PAGE):
            for stored in page:
                life = life or stored.incarnation
                if stored.incarnation != life:
                    return  # cleaned and begun anew while we read
                number = stored.record.number
                if stored.record.kind not in NO_CHANGES and (number > after or not after):
                    yield stored
            version = page[-1].version

    def _fold_before(self, behavior: Behavior[Any], change: StoredRecord) -> Fold:
        """A fold that stands before a change: from the snapshot if that is not beyond it."""
        shard, component, entity = change.shard, change.record.component, change.record.entity
        number = change.record.number
        if change.record.kind is not RecordKind.EVENT:
            return Fold(behavior, entity, None)  # a value's state owes nothing to those before
        history = self._store.load(shard, component, entity)
        snapshot = history.snapshot if history is not None else None
        fold = Fold(behavior, entity, snapshot if snapshot and snapshot.number < number else None)
        before = self._changes(shard, component, entity, fold.number)
        earlier = itertools.takewhile(lambda stored: stored.record.number < number, before)
        while part := list(itertools.islice(earlier, FOLD_PAGE)):
            fold.after(*part)
        return fold

    # ---- status -------------------------------------------------------------------------------
    def _status(self) -> ServiceStatus:
        store, identity, is_home = self._store, self._store.identity, self.is_home()
        table = store.homes()
        opened: list[ShardView] = []
        for shard in filter(is_home, range(identity.shards)):
            known = store.shard(shard)
            at = known.position
            if at.epoch:
                opened.append(
                    ShardView(
                        shard, identity.number, at.epoch, at.offset, known.time_ms, known.sealed
                    )
                )
        records = sum(shard.offset for shard in opened)
        files = _sizes(self._folder) if self._folder else {}
        folder = str(self._folder or "")
        return ServiceStatus(
            service=identity.service,
            cluster=identity.cluster,
            lineage=lineage_text(identity),
            homes_version=table.version if table is not None else 0,
            shards=identity.shards,
            components=kinds_of(self._service),
            controller_pid=0,
            standby_pid=0,
            hosts=[],
            stores=[StoreView(identity.number, folder=folder, files=files, records=records)],
            opened=opened,
            records=records,
            damaged={s: what for s, what in sorted(store.damaged_shards().items()) if is_home(s)},
        )


def _exists(head: Head) -> bool:
    """It was changed: an id that has only refused commands under keys is none (ES-03)."""
    return head.number > 0 or head.deleted_ms > 0


def kinds_of(service: ServiceDescriptor | None) -> dict[str, str]:
    """Kinds by component id; none without the code."""
    if service is None:
        return {}
    return {name: component.kind for name, component in service.components.items()}


def unknown_component(
    component: str, service: ServiceDescriptor | None, stored: Iterable[str]
) -> UnknownRoute:
    """What is said when neither the service nor what is stored has a component.

    Args:
        component: as it was asked for.
        service: its code, or None.
        stored: component ids that are stored, for the hint where there is no code.
    """
    names = list(service.components) if service else sorted(stored)
    near = difflib.get_close_matches(component, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    where = f"service {service.name}" if service else "what is stored here"
    return UnknownRoute(
        f"{where} has no component {component!r}; {hint}there is {', '.join(names) or 'none'}"
    )


def refuse_action(component: str, service: ServiceDescriptor) -> None:
    """Actions and views have no entities.

    Raises:
        UnknownRoute: the component is one.
    """
    kind = {"action": "an action", "view": "a view"}.get(service.components[component].kind)
    if kind:
        raise UnknownRoute(f"{component!r} is {kind}, which has no entities")


def lineage_text(identity: StoreIdentity) -> str:
    """The store's lineage as JSON carries it: 64 bits are too many for a number there."""
    return f"{identity.lineage:016x}"


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk by file; what a sparse file only reserves does not count."""
    files: Iterable[Path] = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(file.relative_to(folder)): file.stat().st_blocks * 512 for file in files}


def check_number(name: str, value: int, low: int, high: int) -> None:
    """Refuse what is out of range.

    Raises:
        InvalidPayload: it is; the message names it.
    """
    if not low <= value <= high:
        raise InvalidPayload(f"{name}: {value} is not in {low} to {high}")


async def off_loop(work: Callable[[], R]) -> R:
    """Run off the loop; translate the errors of the floors below, once."""
    try:
        return await asyncio.to_thread(work)
    except StoreError as error:
        raise catalog().get(error.number, ActorkalixError)(str(error)) from error
    except BehaviorError as error:
        failure = error.reply.failure
        number = failure.number if failure else StoredDataUnreadable.number
        raise catalog().get(number, ActorkalixError)(str(error)) from error
