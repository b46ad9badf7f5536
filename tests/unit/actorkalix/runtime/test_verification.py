"""All stores are checked, and what could not be checked is not called whole."""

from __future__ import annotations

import asyncio

from actorkalix.ports import HostMethod
from actorkalix.runtime.fanout import LocalCalls
from actorkalix.runtime.verification import (
    ServiceFindings,
    StoreFindings,
    summed,
    verified,
    verify_methods,
)
from actorkalix_storage.lmdbstore import Findings

WHOLE = Findings(ok=True, records=5, rows=3, shards=2)
BAD = Findings(
    ok=False, fatal=True, records=1, rows=1, shards=1, first="crc", damages=("crc", "gap")
)


def host(found: Findings) -> dict[str, HostMethod]:
    async def check() -> Findings:
        return found

    return dict(verify_methods(check))


def check(hosts: dict[int, dict[str, HostMethod]]) -> ServiceFindings:
    return asyncio.run(verified(LocalCalls(hosts)))


def test_whole_stores_are_a_whole_service() -> None:
    found = check({1: host(WHOLE), 0: host(WHOLE)})
    assert (found.ok, found.fatal, found.first, found.damages) == (True, False, "", ())
    assert (found.records, found.rows, found.shards) == (10, 6, 4)
    assert found.stores == (StoreFindings(0, "", WHOLE), StoreFindings(1, "", WHOLE))


def test_damage_names_its_store() -> None:
    found = check({0: host(WHOLE), 1: host(BAD)})
    assert (found.ok, found.fatal, found.first) == (False, True, "store 1: crc")
    assert found.damages == ("store 1: crc", "store 1: gap")


def test_what_was_not_checked_is_not_ok() -> None:
    found = check({0: host(WHOLE), 1: {}})
    assert (found.ok, found.fatal, found.damages) == (False, False, ())
    assert found.first.startswith("store 1 was not checked: ")
    assert found.stores[1].findings is None


def test_a_hundred_damages_are_enough() -> None:
    many = Findings(ok=False, first="x", damages=("x",) * 100)
    found = summed([StoreFindings(0, "", many), StoreFindings(1, "", many)])
    assert len(found.damages) == 100
