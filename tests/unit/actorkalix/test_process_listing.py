"""Processes as they travel: in a status, as JSON and as msgpack."""

from __future__ import annotations

import msgspec

from actorkalix.process_listing import ProcessView

VIEW = ProcessView("view", "carts", "", "serving", 77, "ab" * 28, 50_000_000, 1.5, 0, 2)


def test_they_come_back_as_they_were() -> None:
    assert msgspec.json.decode(msgspec.json.encode(VIEW), type=ProcessView) == VIEW
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(VIEW), type=ProcessView) == VIEW
