"""The ring: proposes which store is the home of which shard.

Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018): every store has points
on a circle of 64 bits, in proportion to its weight; a shard goes to the store of the first point
clockwise from its own that has room. Room is the store's fair share and `SLACK` on top, so no store
is far above the others, and a store that comes or goes moves little more than its own share.

A pure function of the sorted stores: whoever asks, wherever, gets the same proposal. It only
proposes: homes change when a move has ended, never by this alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from math import ceil

import msgspec

POINTS = 128  # of a store of weight 1: spreads its share over many neighbours
SLACK = 0.1


class RingStore(msgspec.Struct, frozen=True, order=True):
    """A store on the ring.

    Attributes:
        number: of the store in its service, 0 and up.
        weight: share of the shards in relation to others, above 0.
    """

    number: int
    weight: float = 1.0


def propose(stores: Iterable[RingStore], shards: int) -> tuple[tuple[int, ...], ...]:
    """The homes of each shard: tuples of store numbers, of length 1.

    Args:
        stores: one or more, each number once.
        shards: number of shards of the service.

    Raises:
        ValueError: no store, a number twice, or a weight that is not above 0.
    """
    ordered = sorted(stores)
    if not ordered or len({store.number for store in ordered}) < len(ordered):
        raise ValueError(f"a ring is made of stores with different numbers, got {ordered}")
    if any(store.weight <= 0 for store in ordered):
        raise ValueError(f"weights of stores are above 0, got {ordered}")
    room = capacities(ordered, shards)
    points = sorted(_points(ordered))
    places = [place for place, _ in points]
    homes: list[tuple[int, ...]] = []
    for shard in range(shards):
        at = bisect_left(places, _hash("shard", shard, 0))
        while room[(number := points[at % len(points)][1])] == 0:
            at += 1
        room[number] -= 1
        homes.append((number,))
    return tuple(homes)


def capacities(stores: Iterable[RingStore], shards: int) -> dict[int, int]:
    """How many shards each store takes at most, by its number."""
    weights = {store.number: store.weight for store in stores}
    total = sum(weights.values())
    return {
        number: ceil(shards * weight / total * (1 + SLACK)) for number, weight in weights.items()
    }


def _points(stores: Iterable[RingStore]) -> Iterable[tuple[int, int]]:
    for store in stores:
        for point in range(max(1, round(store.weight * POINTS))):
            yield _hash("store", store.number, point), store.number


def _hash(kind: str, number: int, point: int) -> int:
    key = f"{kind}/{number}/{point}".encode()
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
