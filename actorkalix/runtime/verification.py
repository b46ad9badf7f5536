"""Checking all stores of a running service, each by its own host, and what was found as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from actorkalix.errors import ActorkalixError
from actorkalix.ports import HostCalls, HostMethod
from actorkalix.runtime.host_methods import host_method
from actorkalix_storage.lmdbstore import Findings

DAMAGES_MAX = 100
"""Damages of an answer, as of each store's (`Findings`)."""


class StoreFindings(msgspec.Struct, frozen=True):
    """What a check has found in one store.

    Attributes:
        store: its number.
        away: why it was not checked, or "".
        findings: of the check; None when there was none.
    """

    store: int
    away: str
    findings: Findings | None


class ServiceFindings(msgspec.Struct, frozen=True):
    """What a check has found in all stores of a service: their findings added up.

    Attributes:
        ok: all stores were checked, and there is no damage.
        fatal: in some store the structure cannot be trusted, or reading it has killed a process.
        records, rows, shards: how much was looked at.
        first: the first damage, or the first store that was not checked, in words.
        damages: at most 100, each with its store.
        stores: by number.
    """

    ok: bool
    fatal: bool
    records: int
    rows: int
    shards: int
    first: str
    damages: tuple[str, ...]
    stores: tuple[StoreFindings, ...]


def verify_methods(check: Callable[[], Awaitable[Findings]]) -> Mapping[str, HostMethod]:
    """What a host offers to `verified`, by name.

    Args:
        check: checks the host's store beside its writer.
    """

    async def verify(_: None) -> Findings:
        return await check()

    return {"verify": host_method(type(None), verify)}


async def verified(calls: HostCalls) -> ServiceFindings:
    """Have all stores checked, at the same time; takes as long as the largest needs."""
    async with asyncio.TaskGroup() as checking:
        tasks = [checking.create_task(_checked(calls, store)) for store in calls.stores()]
    return summed([task.result() for task in tasks])


async def _checked(calls: HostCalls, store: int) -> StoreFindings:
    try:
        answer = await calls.call(store, "verify", msgspec.msgpack.encode(None))
    except ActorkalixError as error:
        return StoreFindings(store, str(error), None)
    return StoreFindings(store, "", msgspec.msgpack.decode(answer, type=Findings))


def summed(stores: list[StoreFindings]) -> ServiceFindings:
    """The findings of all stores as those of one."""
    found = [store.findings for store in stores if store.findings is not None]
    damages = [
        f"store {store.store}: {damage}"
        for store in stores
        if store.findings is not None
        for damage in store.findings.damages
    ]
    missing = [f"store {s.store} was not checked: {s.away}" for s in stores if s.findings is None]
    return ServiceFindings(
        ok=not missing and all(each.ok for each in found),
        fatal=any(each.fatal for each in found),
        records=sum(each.records for each in found),
        rows=sum(each.rows for each in found),
        shards=sum(each.shards for each in found),
        first=next(iter([*damages, *missing]), ""),
        damages=tuple(damages[:DAMAGES_MAX]),
        stores=tuple(stores),
    )
