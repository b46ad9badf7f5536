"""Looking at what a store holds: entities, states, events, positions. Nothing here writes.

The same code answers the admin port of a running service and the command line on a folder at rest.
States come from the component's own behavior, folded as at recovery, so what is shown is what the
service would answer from. Where the code is missing, what is stored is shown as it lies there, by
the codec's untyped face.

Reads go to a thread: a fold of many events is not to hold the loop that serves.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import difflib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from actorkalix.codec import Peeked, jsonable, peek
from actorkalix.describe.descriptors import ComponentDescriptor, ServiceDescriptor
from actorkalix.engine import behavior_for
from actorkalix.errors import (
    ActorkalixError,
    InvalidPayload,
    StoredDataUnreadable,
    UnknownRoute,
    catalog,
)
from actorkalix.gateway.headers import checked_entity_id
from actorkalix.limits import Limits
from actorkalix.ports import EntityPage, EntityView, EventView
from actorkalix.runtime.fold import Fold
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.behavior import Behavior, BehaviorError
from actorkalix_storage.api import (
    Head,
    History,
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
        return await _read(lambda: self._entities(component, page, limit))

    async def state(self, component: str, entity: str) -> EntityView:
        """The entity with its durable state; `exists` is False while it has no change.

        Raises:
            UnknownRoute, InvalidEntityId: no such component, no such id.
            StoredDataUnreadable, StoredDataDamaged: what is stored cannot be read.
        """
        return await _read(lambda: self._state(component, entity))

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
        return await _read(lambda: self._events(component, entity, after, limit, with_state))

    async def status(self) -> dict[str, Any]:
        """Identity, opened shards with positions, damaged shards, sizes in bytes where known."""
        return await _read(self._status)

    # ---- entities -----------------------------------------------------------------------------
    def _entities(self, component: str, page: str, limit: int) -> EntityPage:
        _check("limit", limit, 1, PAGE_MAX)
        self._known(component)
        found = list(itertools.islice(self._present(component, page), limit + 1))
        more = len(found) > limit
        found = found[:limit]
        return EntityPage(
            [entity for _, entity in found], _token(component, *found[-1]) if more else ""
        )

    def _present(self, component: str, page: str) -> Iterator[tuple[int, str]]:
        """Shards and ids of entities; those that have remembered replies alone are none (ES-03)."""
        after = _opened(component, page)
        while found := self._store.subjects(component, after=after, limit=PAGE_MAX):
            after = found[-1]
            for shard, entity in found:
                head = self._store.head(shard, component, entity)
                if head is not None and _exists(head):
                    yield shard, entity

    def _known(self, component: str) -> None:
        if self._service is not None and component in self._service.components:
            return
        if self._store.subjects(component, limit=1):
            return
        names = (
            list(self._service.components) if self._service else sorted(self._stored_components())
        )
        near = difflib.get_close_matches(component, names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        where = f"service {self._service.name}" if self._service else "what is stored here"
        raise UnknownRoute(
            f"{where} has no component {component!r}; {hint}there is {', '.join(names) or 'none'}"
        )

    def _stored_components(self) -> set[str]:
        """Component ids among the first records of each shard: for a hint, not for completeness."""
        shards = range(self._store.identity.shards)
        opened = (shard for shard in shards if self._store.shard(shard).position.offset)
        first = itertools.chain.from_iterable(self._store.records(s, 0, limit=16) for s in opened)
        return {stored.record.component for stored in first if stored.record.component}

    def _shard(self, component: str, entity: str) -> int:
        self._known(component)
        return shard_of(component, checked_entity_id(entity), self._store.identity.shards)

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
            state, note = _as_stored(history)
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
        _check("limit", limit, 1, PAGE_MAX)
        _check("after", after, 0, 2**63 - 1)
        shard = self._shard(component, entity)
        wanted: list[StoredRecord] = []
        for stored in self._changes(shard, component, entity, after):
            if len(wanted) >= limit and stored.record.number != wanted[-1].record.number:
                break
            wanted.append(stored)
        if not with_state or not wanted:
            return [_view(stored, None) for stored in wanted]
        behavior = self._behavior(component)
        if behavior is None:
            raise InvalidPayload(
                f"with-state: the code of {component!r} is not here; name the service that has it"
            )
        fold = self._fold_before(behavior, wanted[0])
        return [_view(stored, jsonable(fold.after(stored))) for stored in wanted]

    def _changes(
        self, shard: int, component: str, entity: str, after: int
    ) -> Iterator[StoredRecord]:
        """Records beyond sequence number `after` without remembered replies.

        A version is never below its sequence number, so reading begins at version `after`.
        """
        version, life = after, 0
        while page := self._store.history(shard, component, entity, after=version, limit=FOLD_PAGE):
            for stored in page:
                life = life or stored.incarnation
                if stored.incarnation != life:
                    return  # cleaned and begun anew while we read
                number = stored.record.number
                if stored.record.kind is not RecordKind.REPLY and (number > after or not after):
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
    def _status(self) -> dict[str, Any]:
        store, identity = self._store, self._store.identity
        opened: list[dict[str, Any]] = []
        for shard in range(identity.shards):
            known = store.shard(shard)
            if known.position.epoch:
                opened.append(
                    {
                        "shard": shard,
                        "epoch": known.position.epoch,
                        "offset": known.position.offset,
                        "time_ms": known.time_ms,
                        "sealed": known.sealed,
                    }
                )
        components: Mapping[str, ComponentDescriptor] = (
            self._service.components if self._service else {}
        )
        return {
            "service": identity.service,
            "cluster": identity.cluster,
            "store": identity.number,
            "lineage": lineage_text(identity),
            "shards": identity.shards,
            "components": {name: found.kind for name, found in components.items()},
            "opened": opened,
            "records": sum(shard["offset"] for shard in opened),
            "damaged": {str(s): what for s, what in sorted(store.damaged_shards().items())},
            "files": _sizes(self._folder) if self._folder else {},
        }


def _exists(head: Head) -> bool:
    """It was changed: an id that has only refused commands under keys is none (ES-03)."""
    return head.number > 0 or head.deleted_ms > 0


def lineage_text(identity: StoreIdentity) -> str:
    """The store's lineage as JSON carries it: 64 bits are too many for a number there."""
    return f"{identity.lineage:016x}"


def _as_stored(history: History) -> tuple[Any, str]:
    """State and note of an entity whose code is not here."""
    if history.records and history.records[-1].record.kind is RecordKind.STATE:
        return jsonable(_peeked(history.records[-1]).data), ""
    events = len(history.records)
    if history.snapshot is None:
        return None, f"{events} events are not folded: that needs the service's code (--service)"
    state = jsonable(peek(history.snapshot.payload).data)
    if not events:
        return state, ""
    return state, (
        f"the state is that of change {history.snapshot.number}; {events} later events are not "
        "folded: that needs the service's code (--service)"
    )


def _view(stored: StoredRecord, state: Any) -> EventView:
    record, position = stored.record, stored.position
    tag, version, data, metadata = "", 0, None, dict[str, str]()
    if record.payload:
        seen = _peeked(stored)
        tag, version, data = seen.tag, seen.version, jsonable(seen.data)
        for name, value in seen.metadata or ():
            metadata[name] = f"{metadata[name]}, {value}" if name in metadata else value
    return EventView(
        record.number,
        record.kind.name.lower(),
        tag,
        version,
        record.time_ms,
        stored.shard,
        position.epoch,
        position.offset,
        data,
        metadata,
        bool(record.key),
        state,
    )


def _peeked(stored: StoredRecord) -> Peeked:
    """The envelope of a record; an error names the record."""
    record = stored.record
    try:
        return peek(record.payload)
    except StoredDataUnreadable as error:
        what = f"{record.component} {record.entity!r}, {record.kind.name.lower()} {record.number}"
        place = f"shard {stored.shard}, offset {stored.position.offset}"
        raise StoredDataUnreadable(f"{what} ({place}): {error}") from error


def _token(component: str, shard: int, entity: str) -> str:
    """What stands for "beyond this entity" in a page's end; opaque to who hands it back."""
    packed = msgspec.msgpack.encode((component, shard, entity))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _opened(component: str, page: str) -> tuple[int, str] | None:
    if not page:
        return None
    try:
        packed = base64.b64decode(page + "=" * (-len(page) % 4), altchars=b"-_", validate=True)
        owner, shard, entity = msgspec.msgpack.decode(packed, type=tuple[str, int, str])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise InvalidPayload(f"page: {page[:80]!r} is no page of a list of entities") from None
    if owner != component:
        raise InvalidPayload(f"page: it belongs to the list of {owner!r}, not of {component!r}")
    return shard, entity


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk by file; what a sparse file only reserves does not count."""
    files: Iterable[Path] = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(file.relative_to(folder)): file.stat().st_blocks * 512 for file in files}


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidPayload(f"{name}: {value} is not in {low} to {high}")


async def _read(work: Callable[[], R]) -> R:
    """Run off the loop; translate the errors of the floors below, once."""
    try:
        return await asyncio.to_thread(work)
    except StoreError as error:
        raise catalog().get(error.number, ActorkalixError)(str(error)) from error
    except BehaviorError as error:
        failure = error.reply.failure
        number = failure.number if failure else StoredDataUnreadable.number
        raise catalog().get(number, ActorkalixError)(str(error)) from error
