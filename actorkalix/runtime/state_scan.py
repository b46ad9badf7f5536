"""States of a component's entities, many at a time: what SQL of operators is asked over.

A host offers its store's (`scan_methods`), a page at a time; `states_of_all` asks all stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from actorkalix.errors import ActorkalixError, InvalidPayload, UnknownRoute
from actorkalix.ports import HostCalls, HostMethod
from actorkalix.runtime.host_methods import answer_of, host_method
from actorkalix.runtime.inspection import StoreInspection, off_loop
from actorkalix.views.adhoc import State

SCAN = "inspect.states"
PAGE = 200  # states of some kB each: below what a call carries well
STATES_MAX = 200_000  # in the memory of whoever asks, some 200 MB


class ScanAsked(msgspec.Struct, frozen=True):
    """States of a component's entities behind a page."""

    component: str
    page: str


class Scanned(msgspec.Struct, frozen=True):
    """A page of states."""

    states: list[State]
    next_page: str


def scan_methods(inspection: StoreInspection) -> Mapping[str, HostMethod]:
    """What a host offers to `states_of_all`, by name; JSON, for that is what states are."""

    async def scan(asked: ScanAsked) -> bytes:
        return msgspec.json.encode(await off_loop(lambda: _scanned(inspection, asked)))

    return {SCAN: host_method(ScanAsked, scan)}


async def states_of_all(
    calls: HostCalls, stores: Sequence[int], component: str, wait_s: float | None
) -> list[State]:
    """States of all entities of a component.

    Args:
        calls: ways to the hosts.
        stores: whose.
        component: its id.
        wait_s: until each page must be there; None waits without end.

    Raises:
        InvalidPayload: there are too many of them.
        OwnerAway: a store that may have some is away.
    """
    found: list[State] = []
    for store in stores:
        page = ""
        while True:
            asked = ScanAsked(component, page)
            try:
                answer = await answer_of(calls, store, SCAN, asked, bytes, wait_s)
            except UnknownRoute:
                break  # it has none of them
            scanned = msgspec.json.decode(answer, type=Scanned)
            found += scanned.states
            if len(found) > STATES_MAX:
                raise InvalidPayload(
                    f"{component} has more than {STATES_MAX:,} entities, too many to copy for one "
                    "statement; keep what you ask for in a view"
                )
            page = scanned.next_page
            if not page:
                break
    return found


def _scanned(inspection: StoreInspection, asked: ScanAsked) -> Scanned:
    page = inspection._entities(asked.component, asked.page, PAGE)
    states: list[State] = []
    for entity in page.ids:
        try:
            view = inspection._state(asked.component, entity)
        except ActorkalixError as error:  # one that cannot be read is not to hide the others
            states.append(State(entity, 0, {"unreadable": str(error)}))
            continue
        if view.exists and not view.deleted:
            states.append(State(entity, view.sequence_number, view.state))
    return Scanned(states, page.next_page)
