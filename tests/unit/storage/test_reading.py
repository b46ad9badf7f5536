"""Reading trusts nothing: a record that its subject does not lead to is damage."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix_storage.api import Damaged, Position, StoredRecord, StoreIdentity
from actorkalix_storage.api.frames import Marker, MarkerKind
from actorkalix_storage.memorystore import MemoryStore
from actorkalix_storage.testing.harness import START_MS, event, state, write

KEY = b"k" * 16


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore(StoreIdentity("0" * 32, "shop", 0, 2, 7))
    made.open_shards([0, 1], START_MS)
    write(made, event(1, key=KEY), event(2), event(3))
    write(made, state(1, b"s", entity="value"))
    return made


def change(store: MemoryStore, offset: int, **fields: object) -> None:
    """Put another record in the place of one."""
    stored = store._log[0][offset - 1]
    assert isinstance(stored, StoredRecord)
    store._log[0][offset - 1] = msgspec.structs.replace(stored, **fields)


@pytest.mark.parametrize(
    "fields", [{"version": 9}, {"incarnation": 9}, {"previous": (0, 0)}, {"shard": 1}]
)
def test_a_broken_chain_is_damage(store: MemoryStore, fields: dict[str, object]) -> None:
    change(store, 3, **fields)
    with pytest.raises(Damaged, match="cart/a leads to"):
        store.load(0, "cart", "a")


def test_a_missing_record_is_damage(store: MemoryStore) -> None:
    store._log[0][2] = Marker(MarkerKind.REMOVED, 0, Position(7, 1, 3))
    with pytest.raises(Damaged, match="offset 3"):
        store.history(0, "cart", "a")


def test_another_subjects_state_is_damage(store: MemoryStore) -> None:
    change(store, 5, record=state(1, b"s", entity="other"))
    with pytest.raises(Damaged, match="cart/value leads to"):
        store.load(0, "cart", "value")


def test_a_key_that_leads_elsewhere_is_damage(store: MemoryStore) -> None:
    assert store.remembered(0, "cart", "a", KEY) is not None
    change(store, 2, record=event(1, key=b"other" + KEY[5:]))
    with pytest.raises(Damaged):
        store.remembered(0, "cart", "a", KEY)
