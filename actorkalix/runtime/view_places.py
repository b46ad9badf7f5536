"""What waits of views ask about the shards of a service: newest positions, and whose a record is.

Each host answers for its own store (`place_methods`); here the answers become one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from actorkalix.ports import HostMethod
from actorkalix.runtime.host_methods import host_method
from actorkalix_storage.api import HomeTable, Position, Store

HEADS, SUBJECT = "views.heads", "views.subject"

Places = dict[int, tuple[int, int, int]]
Call = Callable[[int, str, bytes], Awaitable[bytes]]
"""Asks the host of another store; see `ports.HostCalls.call`."""


class SubjectAsked(msgspec.Struct, frozen=True):
    """Whose record stands at this offset of a shard."""

    shard: int
    offset: int


def heads_of(store: Store, shards: Iterable[int]) -> Places:
    """Newest positions of shards, as (lineage, epoch, offset); of those that have records."""
    found: Places = {}
    for shard in shards:
        at = store.shard(shard).position
        if at.offset:
            found[shard] = (at.lineage, at.epoch, at.offset)
    return found


def subject_of(store: Store, asked: SubjectAsked) -> tuple[str, str] | None:
    """Component and entity of a record; None where it is not there any more."""
    for stored in store.records(asked.shard, asked.offset - 1, limit=1):
        if stored.position.offset == asked.offset:
            return stored.record.component, stored.record.entity
    return None


def place_methods(store: Store, homes: Callable[[], HomeTable]) -> Mapping[str, HostMethod]:
    """What a host offers to `ServicePlaces` of the others, by name."""

    async def heads(_: None) -> Places:
        return heads_of(store, homes().of_store(store.identity.number))

    async def subject(asked: SubjectAsked) -> tuple[str, str] | None:
        return await asyncio.to_thread(subject_of, store, asked)

    return {
        HEADS: host_method(type(None), heads),
        SUBJECT: host_method(SubjectAsked, subject),
    }


class ServicePlaces:
    """`view_waits.Places` over all stores of a service.

    Args:
        store: of this host.
        homes: the home table as it is now.
        call: asks the hosts of other stores.
    """

    def __init__(self, store: Store, homes: Callable[[], HomeTable], call: Call) -> None:
        self._store = store
        self._homes = homes
        self._call = call

    @property
    def shards(self) -> int:
        """How many there are."""
        return self._store.identity.shards

    @property
    def lineage(self) -> int:
        """Of the stores."""
        return self._store.identity.lineage

    async def heads(self) -> Mapping[int, Position]:
        """The newest position of every shard that has one.

        Raises:
            OwnerAway: a store that may have one is away.
        """
        table, own = self._homes(), self._store.identity.number
        others = [number for number in table.stores() if number != own]
        found = heads_of(self._store, table.of_store(own))
        asked = msgspec.msgpack.encode(None)
        for part in await asyncio.gather(*(self._call(each, HEADS, asked) for each in others)):
            found.update(msgspec.msgpack.decode(part, type=Places))
        return {shard: Position(*at) for shard, at in found.items()}

    async def subject_at(self, shard: int, offset: int) -> tuple[str, str] | None:
        """Component and entity of a record; None where that is not known any more.

        Raises:
            OwnerAway: its store is away.
        """
        asked, home = SubjectAsked(shard, offset), self._homes().homes[shard][0]
        if home == self._store.identity.number:
            return await asyncio.to_thread(subject_of, self._store, asked)
        answer = await self._call(home, SUBJECT, msgspec.msgpack.encode(asked))
        return msgspec.msgpack.decode(answer, type=tuple[str, str] | None)
