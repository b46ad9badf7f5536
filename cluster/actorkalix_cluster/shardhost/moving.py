"""Performs a plan of moves over all stores of a service, while no host runs.

`placement.moves` says in which order, what a kill at each point leaves, and who decides then; this
is the loop that does it. Every step is durable before the next begins, and every step may be done
again. A copy that is begun is gone on with where its source stands as it stood; a copy that is
whole is recognised by its position. What is neither at home nor wanted is dropped first, so that
what a store has of a shard is always of one history.

A sealed source differs from a whole copy of it by the sealing record alone. The copy is made before
the seal, so that an interrupted run leaves sealed only what was copied in whole.

Stores get time for themselves between pages (`maintain`), in proportion to what came: it would
otherwise stay in memory until the end. They get no more, for sweeping up after what was dropped
takes longer than the moves themselves, and hosts do that beside their work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from actorkalix_cluster.placement.moves import Plan
from actorkalix_storage.api import Damaged, HomeTable, Store

RECORDS_OF_SLICE = 100
"""Records received for each slice of upkeep. A slice of a store on disk makes 500 rows, and no
record needs five; so what was received becomes rows faster than it comes."""


class Progress(msgspec.Struct, frozen=True):
    """How far it has come.

    Attributes:
        done: shards copied.
        of: shards to be moved.
        records: records copied, by this run.
    """

    done: int
    of: int
    records: int


Report = Callable[[Progress], object]


def perform(
    stores: Mapping[int, Store],
    table: HomeTable,
    plan: Plan,
    report: Report,
    *,
    now_ms: Callable[[], int],
) -> HomeTable:
    """Bring the stores to where the plan wants them; without moves it repairs alone.

    Args:
        stores: all of the service, by number, open and served by nobody.
        table: that counts now, see `moves.decide`.
        plan: made of that table.
        report: called after each page and each copied shard.
        now_ms: milliseconds since 1970, for the stores' own upkeep.

    Returns:
        The table that every store has now.

    Durability: everything is on disk when this returns; after a kill call it again, see `moves`.

    Raises:
        Damaged: a shard that would have to move is damaged; nothing was changed.
        StoreError: as a store raises it; call it again.
    """
    check(stores, plan)
    _put(stores.values(), table)
    _drop_leftovers(stores, table, plan)
    _copy_all(stores, plan, report, now_ms)
    for move in plan.moves:
        _seal(stores[move.source], move.shard)
    targets = {move.target for move in plan.moves}
    _put((stores[number] for number in sorted(targets)), plan.table)
    _put(stores.values(), plan.table)
    for move in plan.moves:
        stores[move.source].drop(move.shard)
    return plan.table


def check(stores: Mapping[int, Store], plan: Plan) -> None:
    """Refuse a plan that would have to move what is damaged.

    Args:
        stores: the sources at least.
        plan: is not begun when this raises.

    Raises:
        Damaged: naming store, shard and damage.
    """
    damaged = {number: store.damaged_shards() for number, store in stores.items()}
    for move in plan.moves:
        what = damaged[move.source].get(move.shard)
        if what is not None:
            raise Damaged(
                f"shard {move.shard} of store {move.source} would have to move, and it is damaged "
                f"({what}): keep the number of hosts as it was, or restore a backup"
            )


def _put(stores: Iterable[Store], table: HomeTable) -> None:
    for store in stores:
        if store.homes() != table:
            store.put_homes(table)


def _drop_leftovers(stores: Mapping[int, Store], table: HomeTable, plan: Plan) -> None:
    """Drop what lies neither at its home nor where a move wants a copy of it."""
    wanted = {(move.target, move.shard) for move in plan.moves}
    for number, store in sorted(stores.items()):
        for shard, home in enumerate(table.homes):
            if number not in home and (number, shard) not in wanted:
                store.drop(shard)


def _copy_all(
    stores: Mapping[int, Store], plan: Plan, report: Report, now_ms: Callable[[], int]
) -> None:
    of, records, since = len(plan.moves), 0, 0
    for done, move in enumerate(plan.moves):
        target = stores[move.target]
        for count in _copy(stores[move.source], target, move.shard):
            records += count
            report(Progress(done, of, records))
            since += count
            while since >= RECORDS_OF_SLICE:
                since = since - RECORDS_OF_SLICE if target.maintain(now_ms()) else 0
        report(Progress(done + 1, of, records))


def _copy(source: Store, target: Store, shard: int) -> Iterator[int]:
    """Make the copy of a shard whole; gives the number of records of each page that came."""
    if _is_copy(source, target, shard):
        return
    position, begun = source.durable(shard), target.receiving(shard)
    after = 0
    if begun is not None and begun[0] == position:
        after = begun[1]
    else:
        target.drop(shard)
    while (page := source.export(shard, after)) is not None:
        after = target.receive(shard, position, page)
        yield len(page.records)
    whole = after == position.offset and target.receiving(shard) is None
    assert whole, f"shard {shard}: {after} of {position} came"


def _is_copy(source: Store, target: Store, shard: int) -> bool:
    """Whether the target has the shard as the source has it, but for a seal at the source."""
    if target.receiving(shard) is not None or shard in target.damaged_shards():
        return False
    here, there = target.durable(shard), source.durable(shard)
    if here.offset == there.offset:
        return here == there
    sealed_since = source.shard(shard).sealed and here.offset == there.offset - 1
    return sealed_since and here.offset > 0 and source.parting(shard, here) == here


def _seal(store: Store, shard: int) -> None:
    epoch = store.durable(shard).epoch
    if epoch:  # one that nobody has ever opened takes no appends
        store.seal(shard, epoch)
