"""Who keeps what a service has once: one of those who are there, and mostly the same one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from actorkalix_cluster.placement.keeping import keeper_of, node_of

STORES = st.sets(st.integers(0, 2**31 - 1), min_size=1, max_size=8)


@given(st.text(max_size=20), STORES)
def test_it_is_one_of_those_who_are_there_in_whatever_order(name: str, stores: set[int]) -> None:
    keeper = keeper_of(name, stores)
    assert keeper in stores
    assert keeper == keeper_of(name, sorted(stores, reverse=True))


@given(st.text(max_size=20), STORES, st.integers(0, 2**31 - 1))
def test_one_that_goes_takes_along_only_what_it_kept(
    name: str, stores: set[int], gone: int
) -> None:
    before = keeper_of(name, stores | {gone})
    after = keeper_of(name, stores - {gone})
    assert before in (gone, after)


def test_nobody_keeps_it_where_nobody_is() -> None:
    assert keeper_of("view", ()) is None


def test_many_are_spread_over_all() -> None:
    spread = Counter(keeper_of(f"view-{number}", range(4)) for number in range(1_000))
    assert min(spread.values()) > 180


NODES = st.sets(st.text(max_size=8), min_size=1, max_size=8)


@given(st.text(max_size=20), NODES, st.text(max_size=8))
def test_where_it_lives_changes_when_that_node_goes(name: str, nodes: set[str], gone: str) -> None:
    before = node_of(name, nodes | {gone})
    assert before is not None
    assert before in (gone, node_of(name, nodes - {gone}))
    assert node_of(name, ()) is None
