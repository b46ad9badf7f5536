"""Records of a subject, forward from an offset, against a list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix_cluster.shardhost.ahead import read_ahead
from actorkalix_storage.api import Append, Appended, Record, RecordKind, StoreIdentity
from actorkalix_storage.memorystore import MemoryStore

NOW_MS = 1_700_000_000_000


def filled(order: str) -> tuple[MemoryStore, list[tuple[int, str]]]:
    """A shard with a record of entity "a" or "b" for each letter; their offsets and entities."""
    store = MemoryStore(StoreIdentity("0" * 32, "t", 0, 1, lineage=1))
    epoch = store.open_shards([0], NOW_MS)[0]
    counts = {"a": 0, "b": 0}
    placed: list[tuple[int, str]] = []
    for entity in order:
        record = Record(RecordKind.EVENT, "log", entity, counts[entity] + 1, NOW_MS, b"x")
        (outcome,) = store.commit([Append(0, epoch, counts[entity], (record,))])
        assert isinstance(outcome, Appended)
        counts[entity] += 1
        placed.append((outcome.position.offset, entity))
    return store, placed


@settings(max_examples=100, deadline=None)
@given(
    st.text(alphabet="ab", max_size=30), st.integers(0, 35), st.integers(0, 35), st.integers(1, 9)
)
def test_all_that_there_is_up_to_an_offset_once(
    order: str, after: int, up_to: int, limit: int
) -> None:
    store, placed = filled(order)
    up_to = min(up_to, store.applied(0).offset)
    found: list[int] = []
    at = after
    while at < up_to:
        entries, through, _ = read_ahead(store, 0, ("log", "a"), at, up_to, limit=limit)
        assert through > at, "it comes to an end"
        found += [entry.position.offset for entry in entries]
        at = through
    expected = [offset for offset, entity in placed if entity == "a" and after < offset <= up_to]
    assert found == expected


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_what_is_looked_for_first_is_found_first(limit: int) -> None:
    store, placed = filled("b" * 5 + "a" * 20)
    first = placed[5][0]
    entries, _, _ = read_ahead(store, 0, ("log", "a"), first - 1, placed[-1][0], limit=limit)
    assert (entries[0].position.offset, entries[0].version) == (first, 1)
    assert len(entries) == min(limit, 20)
