"""What is made of a data folder before a start; in this process, where nothing kills it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorkalix.errors import ForeignFolder, InvalidCommandLine
from actorkalix.runtime import layout
from actorkalix.runtime.layout import Mark, found, store_folder
from actorkalix.runtime.settling import (
    STORES_MAX,
    Moved,
    Opening,
    Prepared,
    Said,
    Wanted,
    check_hosts,
    settle,
)
from actorkalix_storage.api import Damaged, ForeignStore, HomeTable, Unreadable
from actorkalix_storage.lmdbstore import open_store, read_homes
from tests.unit.actorkalix.runtime.served import NOW_MS, SHARDS, check, serve


def settled(
    data: Path, hosts: int | None = None, told: list[Said] | None = None, service: str = "shop"
) -> Prepared:
    told = [] if told is None else told
    return settle(Wanted(str(data), service, SHARDS, hosts), told.append)


def test_a_new_folder_has_one_store_or_as_many_as_are_wanted(tmp_path: Path) -> None:
    one = settled(tmp_path / "one")
    assert one.homes == HomeTable(1, ((0,),) * SHARDS)
    assert one.stores == {0: str(tmp_path / "one" / "store-0")}
    three = settled(tmp_path / "three", 3)
    assert three.homes.stores() == (0, 1, 2)
    assert three.homes.version == 1
    assert three.cluster != one.cluster
    check(tmp_path / "three", three, 0)


def test_there_and_back(tmp_path: Path) -> None:
    events = 0
    for hosts in (1, 4, 2, 1, 1):
        prepared = settled(tmp_path, hosts)
        check(tmp_path, prepared, events)
        serve(prepared, clean=hosts != 4)
        events += 1
    check(tmp_path, settled(tmp_path), events)
    assert settled(tmp_path).homes.version == 4


def test_as_many_as_there_are(tmp_path: Path) -> None:
    first = settled(tmp_path, 3)
    assert settled(tmp_path) == first
    layout.put_mark(tmp_path, Mark(2))  # of a run that was killed
    assert list(settled(tmp_path).stores) == [0, 1]
    assert list(settled(tmp_path).stores) == [0, 1]


def test_the_folder_of_version_0_1(tmp_path: Path) -> None:
    store = open_store(tmp_path, service="shop", shards=SHARDS)
    whose = store.identity
    store.close()
    old = Prepared(
        whose.cluster, whose.lineage, SHARDS, HomeTable(1, ((0,),) * SHARDS), {0: str(tmp_path)}
    )
    serve(old)
    prepared = settled(tmp_path, 2)
    assert (prepared.cluster, prepared.lineage) == (whose.cluster, whose.lineage)
    assert prepared.homes.version == 2
    check(tmp_path, prepared, 1)


def test_it_is_told_what_happens(tmp_path: Path) -> None:
    serve(settled(tmp_path, 1))
    told: list[Said] = []
    prepared = settled(tmp_path, 2, told)
    assert told[0] == Opening(str(tmp_path / "store-0"))
    moved = [said for said in told if isinstance(said, Moved)]
    of = len(prepared.homes.of_store(1))
    assert (moved[0].of, moved[-1].done) == (of, of)
    assert moved[-1].records > of


def test_hosts_have_bounds(tmp_path: Path) -> None:
    for hosts, shards in ((0, 1024), (-1, 8), (65, 1024), (9, 8)):
        with pytest.raises(InvalidCommandLine, match=f"--hosts: {hosts} is not in 1 to "):
            check_hosts(hosts, shards)
    check_hosts(STORES_MAX, 64)
    with pytest.raises(InvalidCommandLine, match="17 is not in 1 to 16: the service has 16 shards"):
        settled(tmp_path, SHARDS + 1)
    assert not found(tmp_path)


def test_a_home_that_is_missing_is_named(tmp_path: Path) -> None:
    prepared = settled(tmp_path, 3)
    store_folder(tmp_path, 1).rename(tmp_path / "away")
    count = len(prepared.homes.of_store(1))
    for hosts in (None, 1, 2, 3):
        with pytest.raises(Unreadable, match=f"store 1 has {count} of 16 shards"):
            settled(tmp_path, hosts)
    assert list(found(tmp_path)) == [0, 2]
    (tmp_path / "away").rename(store_folder(tmp_path, 1))
    check(tmp_path, settled(tmp_path, 1), 0)


def test_damage_is_not_moved_and_does_not_stop_who_stays(tmp_path: Path) -> None:
    prepared = settled(tmp_path, 1)
    serve(prepared, clean=False)
    file = Path(prepared.stores[0]) / "data.mdb"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"cart-7/1", b"cart-7/X"))
    with pytest.raises(Damaged, match=r"of store 0 would have to move, and it is damaged"):
        settled(tmp_path, SHARDS)
    assert list(found(tmp_path)) == [0]
    assert settled(tmp_path).homes == prepared.homes


def test_stores_of_other_folders_are_refused(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    settled(mine, 2)
    settled(other, 2)
    store_folder(mine, 1).rename(tmp_path / "kept")
    store_folder(other, 1).rename(store_folder(mine, 1))
    with pytest.raises(ForeignStore, match="store-1 has cluster"):
        settled(mine)
    with pytest.raises(ForeignStore, match="service 'shop', not 'loyalty'"):
        settled(mine, service="loyalty")
    with pytest.raises(ForeignFolder, match="is one store of the data folder"):
        settled(store_folder(mine, 0))


def test_stores_of_other_histories_are_refused(tmp_path: Path) -> None:
    """A restore gives all stores a lineage of their own; one of before may not stand among them."""
    prepared = settled(tmp_path, 2)
    for path in store_folder(tmp_path, 1).iterdir():
        path.unlink()
    store = open_store(
        store_folder(tmp_path, 1), service="shop", shards=SHARDS, cluster=prepared.cluster,
        number=1, lineage=prepared.lineage + 1,
    )  # fmt: skip
    store.put_homes(prepared.homes)
    store.close()
    with pytest.raises(ForeignStore, match="store-1 has another history"):
        settled(tmp_path)


def test_a_lagging_store_is_told_and_leftovers_go(tmp_path: Path) -> None:
    """As after a kill when the table was at one store alone."""
    prepared = settled(tmp_path, 2)
    serve(prepared)
    ahead = HomeTable(2, prepared.homes.homes[::-1])
    store = open_store(store_folder(tmp_path, 1), service="shop", shards=SHARDS, number=1)
    shard = prepared.homes.of_store(0)[0]
    assert not store.durable(shard).offset
    store.open_shards([shard], NOW_MS)
    store.close()
    again = settled(tmp_path, 2)
    assert again.homes == prepared.homes != ahead
    check(tmp_path, again, 1)
    assert read_homes(store_folder(tmp_path, 0)) == prepared.homes
