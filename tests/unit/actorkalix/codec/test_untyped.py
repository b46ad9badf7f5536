"""Stored data without classes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from actorkalix.codec import Peeked, jsonable, peek
from actorkalix.codec.untyped import is_array, is_object, unpack
from actorkalix.errors import StoredDataUnreadable
from tests.unit.actorkalix.codec.samples import SHOP, Cash, Paid


def test_peek_needs_no_classes() -> None:
    payload = SHOP.stored.encode_event(Paid(Cash(3)), {"by": "me"})
    data = {"means": {"type": "Cash", "amount": 3}}
    assert peek(payload) == Peeked("Paid", 1, data, (("by", "me"),))


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x94\x01\x01\xc0\xc0"])
def test_no_envelope(payload: bytes) -> None:
    with pytest.raises(StoredDataUnreadable, match="no envelope"):
        peek(payload)


def test_timestamps_are_in_utc() -> None:
    assert unpack(b"\xd6\xff\x00\x00\x00\x00") == datetime(1970, 1, 1, tzinfo=UTC)


def test_jsonable_shows_everything() -> None:
    shown = jsonable(
        {"at": datetime(2026, 1, 1, tzinfo=UTC), "raw": b"\x00", "x": [float("nan")], 1: {2: 1j}}
    )
    assert json.loads(json.dumps(shown, allow_nan=False)) == {
        "at": "2026-01-01T00:00:00Z",
        "raw": "AA==",
        "x": ["nan"],
        "1": {"2": "1j"},
    }


def test_kinds_of_untyped_values() -> None:
    assert is_object({}) and not is_object([])
    assert is_array([]) and is_array(()) and not is_array("")
