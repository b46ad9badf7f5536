"""The ring: balanced, and little moves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix_cluster.placement.ring import RingStore, capacities, propose

SHARDS = 1024
rings = st.lists(
    st.builds(RingStore, st.integers(0, 500), st.sampled_from([0.5, 1.0, 1.0, 2.0])),
    min_size=1,
    max_size=12,
    unique_by=lambda store: store.number,
)


@given(rings)
def test_no_store_is_above_its_bound(stores: list[RingStore]) -> None:
    homes = propose(stores, SHARDS)
    assert len(homes) == SHARDS
    assert {len(each) for each in homes} == {1}
    counts = Counter(number for (number,) in homes)
    bounds = capacities(stores, SHARDS)
    assert all(counts[number] <= bounds[number] for number in bounds)
    assert set(counts) <= set(bounds)


@given(rings, st.randoms())
def test_whoever_asks_gets_the_same(stores: list[RingStore], random: object) -> None:
    shuffled = sorted(stores, key=lambda store: (store.number * 7919) % 13)
    assert propose(stores, SHARDS) == propose(shuffled, SHARDS)


@given(rings)
def test_a_store_that_joins_moves_little_more_than_its_share(stores: list[RingStore]) -> None:
    joining = RingStore(1000)
    before, after = propose(stores, SHARDS), propose([*stores, joining], SHARDS)
    moved = sum(one != other for one, other in zip(before, after, strict=True))
    share = capacities([*stores, joining], SHARDS)[joining.number]
    assert sum(home == (joining.number,) for home in after) <= share
    assert moved <= share + SHARDS * 0.35  # what the bound pushes on; most rings stay far below


def test_a_lone_store_has_everything() -> None:
    assert propose([RingStore(3)], SHARDS) == ((3,),) * SHARDS


@pytest.mark.parametrize(
    "stores", [[], [RingStore(1), RingStore(1, 2.0)], [RingStore(1, 0.0)], [RingStore(1, -1.0)]]
)
def test_what_is_no_ring_is_refused(stores: list[RingStore]) -> None:
    with pytest.raises(ValueError):
        propose(stores, SHARDS)
