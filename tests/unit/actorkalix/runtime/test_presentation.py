"""Records as operators see them, and places in lists; the rest is seen through `inspection`."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.errors import InvalidPayload
from actorkalix.runtime.presentation import event_view, page_token, place_of
from actorkalix_storage.api import Position, Record, RecordKind, StoredRecord


def test_a_token_stands_for_its_place() -> None:
    token = page_token("cart", (3, "ü/?"))
    assert token.isascii()
    assert place_of("cart", token, tuple[int, str]) == (3, "ü/?")
    assert place_of("cart", "", tuple[int, str]) is None


@pytest.mark.parametrize("place", [("3", "c1"), (3,), (3, "c1", 4), None, 7])
def test_a_place_of_another_shape_is_none(place: object) -> None:
    with pytest.raises(InvalidPayload, match="no page of a list"):
        place_of("cart", page_token("cart", place), tuple[int, str])


def test_names_of_metadata_that_come_twice_are_joined() -> None:
    payload = msgspec.msgpack.encode(("Added", 2, {"item": "pen"}, (("a", "1"), ("a", "2"))))
    record = Record(RecordKind.EVENT, "cart", "c1", 4, 9, payload, key=b"k" * 16)
    view = event_view(StoredRecord(1, Position(7, 2, 5), (0, 0), 1, 5, record), {"n": 1})
    assert (view.type, view.type_version, view.payload) == ("Added", 2, {"item": "pen"})
    assert (view.metadata, view.has_key, view.state) == ({"a": "1, 2"}, True, {"n": 1})
    assert (view.shard, view.epoch, view.offset, view.kind) == (1, 2, 5, "event")
