"""Named timers for operators: listing them by pages, cancelling one.

A store lists the timers of the shards at home in it, by shard and name, as entities are listed; a
service is all of its stores, one after the other. What cannot be asked is an error, as everywhere:
a list is never shorter in silence.

Only a running service cancels: that is a command to the timer, through its owner.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from actorkalix.engine.timer import Seen, decoded
from actorkalix.errors import InvalidPayload, StoredDataUnreadable
from actorkalix.model.names import check_timer_name
from actorkalix.ports import Ask, Clock, HostCalls, HostMethod, TimerPage, TimerView
from actorkalix.runtime.presentation import page_token, place_of
from actorkalix.runtime.timing import HostTimers, view_of
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_storage.api import HomeTable, Store

CANCEL_METHOD = "timers.cancel"
PAGE_MAX = 1_000

Listing = Callable[[int, str, int], Awaitable[TimerPage]]
"""Asks a store for a page: its number, the page, how many."""


class TimerAsked(msgspec.Struct, frozen=True):
    """A page that is asked of a store."""

    page: str
    limit: int


def timers_of(store: Store, is_home: Callable[[int], bool], page: str, limit: int) -> TimerPage:
    """A page of a store's timers.

    Args:
        store: open.
        is_home: whether a shard is at home there.
        page: "" for the first, else `next_page` of the one before.
        limit: 1 to `PAGE_MAX`.

    Raises:
        InvalidPayload: the page is none.
        StoredDataUnreadable: a timer cannot be read; the message names it.
    """
    after, found = place_of(TIMER, page, tuple[int, str]), list[TimerView]()
    while subjects := store.subjects(TIMER, after=after, limit=limit):
        for shard, name in subjects:
            view = _view(store, shard, name) if is_home(shard) else None
            after = (shard, name)
            if view is not None:
                found.append(view)
            if len(found) == limit:
                more = store.subjects(TIMER, after=after, limit=1)
                return TimerPage(found, page_token(TIMER, after) if more else "")
    return TimerPage(found, "")


def _view(store: Store, shard: int, name: str) -> TimerView | None:
    history = store.load(shard, TIMER, name)
    if history is None or not history.records:
        return None
    try:
        timer = decoded(history.records[-1].record.payload)
    except msgspec.MsgspecError as problem:
        raise StoredDataUnreadable(f"timer {name!r}: {problem}") from problem
    return view_of(name, Seen(timer, history.head.expires_ms))


async def timers_of_all(ask: Listing, stores: Sequence[int], page: str, limit: int) -> TimerPage:
    """A page of a service's timers, store after store.

    Args:
        ask: asks one store.
        stores: their numbers, ascending.
        page, limit: as for `timers_of`.

    Raises:
        InvalidPayload: the page is none.
        OwnerAway: a store that may have some is away.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidPayload(f"limit: {limit} is not in 1 to {PAGE_MAX}")
    begin, inner = place_of(TIMER, page, tuple[int, str]) or (0, "")
    found: list[TimerView] = []
    for store in stores:
        if store < begin:
            continue
        part = await ask(store, inner if store == begin else "", limit - len(found))
        found += part.timers
        if part.next_page:
            return TimerPage(found, page_token(TIMER, (store, part.next_page)))
        if len(found) == limit and store != stores[-1]:
            return TimerPage(found, page_token(TIMER, (store + 1, "")))
    return TimerPage(found, "")


# ---- cancelling ----------------------------------------------------------------------------------
def cancel_methods(ask: Ask, clock: Clock) -> Mapping[str, HostMethod]:
    """What a host offers to `TimerCancel`, by name."""
    timers = HostTimers(ask, clock)

    async def cancel(arguments: bytes) -> bytes:
        name = msgspec.msgpack.decode(arguments, type=str)
        return msgspec.msgpack.encode(await timers.cancel(name))

    return {CANCEL_METHOD: cancel}


class TimerCancel:
    """Cancels timers of a running service.

    Args:
        calls: ways to its hosts.
        homes: the home table as it is now.
    """

    def __init__(self, calls: HostCalls, homes: Callable[[], HomeTable]) -> None:
        self._calls = calls
        self._homes = homes

    async def __call__(self, name: str) -> bool:
        """Forget a timer; whether there was one.

        Raises:
            InvalidTimer: no timer has such a name.
            OwnerAway: the home of its shard is away.
        """
        homes = self._homes().homes
        home = homes[shard_of(TIMER, check_timer_name(name), len(homes))][0]
        answer = await self._calls.call(home, CANCEL_METHOD, msgspec.msgpack.encode(name))
        return msgspec.msgpack.decode(answer, type=bool)
