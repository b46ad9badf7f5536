"""What may be forgotten."""

from __future__ import annotations

import pytest

from actorkalix_cluster.shardhost.guard import reason_to_keep
from actorkalix_storage.api import Head, Position

LINEAGE = 7
DELETED = Head(
    version=3, number=2, incarnation=5, epoch=1, offset=9, deleted_ms=1_000, time_ms=1_500
)


@pytest.mark.parametrize(
    "consumers,now_ms,reason",
    [
        ({}, 2_500, ""),
        ({}, 2_499, "an idempotency key may still count"),
        ({"view": Position(LINEAGE, 1, 9)}, 2_500, ""),
        ({"view": Position(LINEAGE, 1, 8)}, 2_500, "the consumer view has not passed it"),
        ({"view": Position(8, 1, 99)}, 2_500, "the consumer view has not passed it"),
    ],
)
def test_a_subject_goes_when_nothing_can_ask_for_it(
    consumers: dict[str, Position], now_ms: int, reason: str
) -> None:
    found = reason_to_keep(DELETED, LINEAGE, consumers, now_ms=now_ms, keys_kept_ms=1_000)
    assert found == reason


def test_what_is_alive_stays() -> None:
    alive = Head(version=1, number=1, incarnation=1, epoch=1, offset=2)
    assert reason_to_keep(alive, LINEAGE, {}, now_ms=10**12, keys_kept_ms=0)
