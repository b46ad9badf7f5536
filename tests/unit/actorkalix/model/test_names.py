"""What may be an entity id and an idempotency key."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix.errors import InvalidEntityId, InvalidIdempotencyKey
from actorkalix.model.names import check_entity_id, check_idempotency_key


@pytest.mark.parametrize("entity_id", ["a", "a|b/c d", "x" * 256, "é" * 128, "🙂"])
def test_good_entity_ids(entity_id: str) -> None:
    assert check_entity_id(entity_id) == entity_id


@pytest.mark.parametrize(
    "entity_id,why",
    [
        ("", "is empty"),
        (None, "is a NoneType, not text"),
        (b"a", "is a bytes, not text"),
        ("a\x00", "has control characters"),
        ("a\x7f", "has control characters"),
        ("a\x85", "has control characters"),
        ("x" * 257, "has 257 bytes, at most 256 are allowed"),
        ("\udc80", "is no valid UTF-8"),
    ],
)
def test_bad_entity_ids(entity_id: Any, why: str) -> None:
    with pytest.raises(InvalidEntityId, match=why) as raised:
        check_entity_id(entity_id)
    assert len(str(raised.value)) < 120


def test_idempotency_keys_have_128_bytes() -> None:
    assert check_idempotency_key("k" * 128)
    with pytest.raises(InvalidIdempotencyKey, match="has 129 bytes, at most 128"):
        check_idempotency_key("k" * 129)
