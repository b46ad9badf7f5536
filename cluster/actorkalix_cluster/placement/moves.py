"""Moves: which shards have to go from which store to which, and what the home table is afterwards.

Pure. `shardhost.moving` performs a plan, at start, when no host runs and all stores are open:

    repair -> copy every shard -> seal every source -> new table to the targets -> new table to all
    others -> drop the shards where they came from

A process may be killed anywhere in there. The next start decides by the tables alone, whatever
number of stores it is asked for:

    killed                   tables                       the next start
    ----------------------   --------------------------   ------------------------------------------
    while copying            all old                      old counts: a copy that is still wanted
                                                          goes on, any other is dropped
    while sealing            all old                      the same; a sealed shard stays at its
                                                          source, which opens it all the same
    while the table is put   new at a target or more,     new counts: it is put to the rest; every
                             old elsewhere                copy was whole before the first was put
    while dropping           all new                      new counts: the rest is dropped

So a shard is served from one store alone, the one that the deciding table names, and what any other
store has of it is a copy or a leftover. Targets get the table first: were a target's folder lost
before any had it, the old table would still be right.

A store that is a home and is not there is an error, never a reason to move around it: its shards
would begin anew, empty, while their records lie elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from actorkalix_storage.api import ForeignStore, HomeTable, Unreadable

from .ring import RingStore, propose


class Move(msgspec.Struct, frozen=True):
    """A shard's way from the store that is its home to the one that will be."""

    shard: int
    source: int
    target: int


class Plan(msgspec.Struct, frozen=True):
    """What has to be moved.

    Attributes:
        moves: in the order of the shards; each shard once.
        table: homes when all moves are done; without moves the table that holds already.
    """

    moves: tuple[Move, ...]
    table: HomeTable


def ring_of(count: int) -> tuple[RingStore, ...]:
    """The stores 0 to `count` - 1, all of one weight."""
    return tuple(RingStore(number) for number in range(count))


def begin(stores: Sequence[RingStore], shards: int, filled: Collection[int]) -> HomeTable:
    """The first table of a service whose stores have none yet.

    Args:
        stores: that the service is to have.
        shards: number of shards of the service.
        filled: numbers of the stores that have records. There is one at most: version 0.1 kept all
            in a single store, without a table.

    Raises:
        ForeignStore: several have; nothing says which shard is where.
    """
    if len(filled) > 1:
        raise ForeignStore(
            f"{named(filled)} have records and no table that says which shard is whose: they are "
            f"not of one data folder; put each where it came from"
        )
    homes = tuple((number,) for number in filled) * shards
    return HomeTable(1, homes or propose(stores, shards))


def decide(tables: Mapping[int, HomeTable | None]) -> HomeTable | None:
    """The table that counts, or None where no store has one yet.

    Args:
        tables: of each store that is there, by its number.

    Raises:
        ForeignStore: two stores have different tables of one version.
        Unreadable: a store that is a home is not there.
    """
    versions: dict[int, int] = {}  # of each version a store that has it
    newest: HomeTable | None = None
    for number, table in sorted(tables.items()):
        if table is None:
            continue
        other = versions.setdefault(table.version, number)
        if table != tables[other]:
            raise ForeignStore(
                f"stores {other} and {number} have different home tables of version "
                f"{table.version}: they are not of one data folder; put each where it came from"
            )
        if newest is None or table.version > newest.version:
            newest = table
    if newest is not None:
        _check_there(newest, tables)
    return newest


def plan(table: HomeTable, stores: Sequence[RingStore]) -> Plan:
    """What has to be moved so that these stores, and no others, have the shards.

    Args:
        table: as `decide` says; its stores are there.
        stores: that the service is to have; all homes of the new table are among them.
    """
    proposed = propose(stores, len(table.homes))
    moves = tuple(
        Move(shard, source, target)
        for shard, ((source,), (target,)) in enumerate(zip(table.homes, proposed, strict=True))
        if source != target
    )
    return Plan(moves, HomeTable(table.version + 1, proposed) if moves else table)


def named(numbers: Iterable[int]) -> str:
    """`store 3`, or `stores 1, 2 and 3`."""
    *most, last = (str(number) for number in sorted(numbers))
    return f"stores {', '.join(most)} and {last}" if most else f"store {last}"


def _check_there(table: HomeTable, there: Collection[int]) -> None:
    missing = [number for number in table.stores() if number not in there]
    if missing:
        count = sum(len(table.of_store(number)) for number in missing)
        one = len(missing) == 1
        raise Unreadable(
            f"{named(missing)} {'has' if one else 'have'} {count} of {len(table.homes)} shards, "
            f"and the {'folder is' if one else 'folders are'} not there: put "
            f"{'it' if one else 'them'} back, or restore a backup"
        )
