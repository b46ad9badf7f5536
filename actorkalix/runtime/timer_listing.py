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
from actorkalix.errors import StoredDataUnreadable
from actorkalix.model.names import check_timer_name
from actorkalix.ports import Ask, Clock, HostCalls, HostMethod, TimerPage, TimerView
from actorkalix.runtime.paging import page_of, page_of_all
from actorkalix.runtime.timing import HostTimers, view_of
from actorkalix_cluster.placement.sharding import shard_of
from actorkalix_cluster.shardhost.fired import TIMER
from actorkalix_storage.api import HomeTable, Store

CANCEL_METHOD = "timers.cancel"

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
    timers, following = page_of(
        store, TIMER, is_home, page, limit, lambda shard, name: _view(store, shard, name)
    )
    return TimerPage(timers, following)


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

    async def asked(store: int, page: str, limit: int) -> tuple[list[TimerView], str]:
        part = await ask(store, page, limit)
        return part.timers, part.next_page

    return TimerPage(*await page_of_all(asked, TIMER, stores, page, limit))


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
