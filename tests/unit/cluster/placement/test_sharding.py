"""From an id to its shard: stored data depends on it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorkalix_cluster.placement import SHARDS_DEFAULT, shard_of
from actorkalix_cluster.placement.sharding import PINNED, pinned_id

COMPONENTS = st.text(min_size=1).filter(lambda text: not text.startswith(PINNED))


def test_shards_never_change() -> None:
    assert SHARDS_DEFAULT == 1024
    assert shard_of("shopping-cart", "c1", 1024) == 710
    assert shard_of("ab", "c", 1024) != shard_of("a", "bc", 1024)


@given(COMPONENTS, st.text(min_size=1), st.integers(1, 4096))
def test_shards_are_in_range(component: str, entity: str, shards: int) -> None:
    assert 0 <= shard_of(component, entity, shards) < shards


@given(st.integers(0, 4095), st.text())
def test_what_is_pinned_lies_where_its_id_says(shard: int, name: str) -> None:
    assert shard_of(f"{PINNED}x", pinned_id(shard, name), 4096) == shard
