"""Lists by pages of what a system component keeps: a store's, and a service's over its stores.

A store lists by shard and entity id, in an order that does not change; a service is all of its
stores, one after the other. What cannot be asked is an error: a list is never shorter in silence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from actorkalix.errors import InvalidPayload
from actorkalix.runtime.presentation import page_token, place_of
from actorkalix_storage.api import Store

PAGE_MAX = 1_000

V = TypeVar("V")

Listing = Callable[[int, str, int], Awaitable[tuple[list[V], str]]]
"""Asks a store for a page: its number, the page, how many; what is there, and the next page."""


def page_of(
    store: Store,
    component: str,
    is_home: Callable[[int], bool],
    page: str,
    limit: int,
    view: Callable[[int, str], V | None],
) -> tuple[list[V], str]:
    """A page of a store's entities, and the next page, "" on the last.

    Args:
        store: open.
        component: whose.
        is_home: whether a shard is at home there.
        page: "" for the first, else the next page of the one before.
        limit: 1 to `PAGE_MAX`.
        view: of an entity by shard and id; None leaves it out.

    Raises:
        InvalidPayload: the page is none.
    """
    after, found = place_of(component, page, tuple[int, str]), list[V]()
    while subjects := store.subjects(component, after=after, limit=limit):
        for shard, name in subjects:
            seen = view(shard, name) if is_home(shard) else None
            after = (shard, name)
            if seen is not None:
                found.append(seen)
            if len(found) == limit:
                more = store.subjects(component, after=after, limit=1)
                return found, page_token(component, after) if more else ""
    return found, ""


async def page_of_all(
    ask: Listing[V], component: str, stores: Sequence[int], page: str, limit: int
) -> tuple[list[V], str]:
    """A page over all stores, and the next page, "" on the last.

    Args:
        ask: asks one store.
        component: whose.
        stores: their numbers, ascending.
        page, limit: as for `page_of`.

    Raises:
        InvalidPayload: the page is none, or the limit.
        OwnerAway: a store that may have some is away.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidPayload(f"limit: {limit} is not in 1 to {PAGE_MAX}")
    begin, inner = place_of(component, page, tuple[int, str]) or (0, "")
    found: list[V] = []
    for store in stores:
        if store < begin:
            continue
        part, following = await ask(store, inner if store == begin else "", limit - len(found))
        found += part
        if following:
            return found, page_token(component, (store, following))
        if len(found) == limit and store != stores[-1]:
            return found, page_token(component, (store + 1, ""))
    return found, ""
