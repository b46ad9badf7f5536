"""Shards: ownership and time."""

from __future__ import annotations

from actorkalix.runtime.virtual import VirtualClock
from actorkalix_cluster.shardhost.shards import Shards
from tests.unit.cluster.shardhost.rig import new_store


def test_a_shards_time_never_goes_back() -> None:
    clock, store = VirtualClock(1_000), new_store()
    shards = Shards(clock)
    shards.opened(store.open_shards(range(4), 5_000), store)
    shard = shards.get(2)
    assert shard is not None
    assert shards.now_ms(shard) == 5_000  # its last record's time is ahead of our clock
    shard.time_ms = 500
    assert shards.now_ms(shard) == 1_000


def test_lost_and_damaged_shards_are_not_there() -> None:
    store = new_store()
    shards = Shards(VirtualClock())
    shards.opened(store.open_shards(range(4), 0), store)
    one, two = shards.get(1), shards.get(2)
    assert one is not None
    assert two is not None
    shards.lose(one)
    shards.found_damaged(two, "crc")
    assert (one.owned, two.owned, len(shards)) == (False, False, 2)
    assert shards.get(1) is None
    assert shards.damaged == {2: "crc"}
