"""From an id to its shard: stored data depends on it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorkalix_cluster.placement import SHARDS_DEFAULT, shard_of


def test_shards_never_change() -> None:
    assert SHARDS_DEFAULT == 1024
    assert shard_of("shopping-cart", "c1", 1024) == 710
    assert shard_of("ab", "c", 1024) != shard_of("a", "bc", 1024)


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 4096))
def test_shards_are_in_range(component: str, entity: str, shards: int) -> None:
    assert 0 <= shard_of(component, entity, shards) < shards
