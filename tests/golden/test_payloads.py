"""Payloads that were stored once decode for ever.

`payloads.txt` has a line per kind: its name, then the envelope in hex. Lines are only added.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from actorkalix.codec import peek
from actorkalix.model.metadata import Metadata
from tests.unit.actorkalix.codec.samples import (
    SHOP,
    Card,
    Cash,
    Colour,
    Everything,
    Kinds,
    Line,
    Model,
    Moved,
    Order,
    Paid,
    Placed,
    Point,
    Renamed,
)

EVENTS: dict[str, Any] = {
    "dataclass": Placed(
        Order((Line("pen", 2, Decimal("1.50")),), "n", {"a": Line("b", -1)}, 0.5, Order(()))
    ),
    "struct": Paid(Card("4")),
    "tagged-union": Paid(Cash(2**64 - 1)),
    "named-tuple": Moved(Point(-(2**63), 7)),
    "pydantic": Renamed(model=Model(name="é", count=3)),
    "every-kind": Everything(
        Kinds(
            text="\u00e9\U0001f600",
            number=1,
            real=1.25,
            flag=True,
            raw=b"\x00\xff",
            at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
            span=timedelta(days=1, microseconds=5),
            key=UUID(int=7),
            money=Decimal("12.34"),
            colour=Colour.BLUE,
            size="m",
            line=Line("p", 1),
            point=Point(1, 2),
            settings={"colour": Colour.RED, "sizes": [1, 2]},
            means=Card("5"),
            model=Model(name="m"),
            names=["a", "b"],
            ids={3},
            frozen=frozenset(("x",)),
            pair=(1, "one"),
            table={5: Point(5, 6)},
        )
    ),
}
GOLDEN = dict(
    line.split() for line in Path(__file__).with_name("payloads.txt").read_text().splitlines()
)


@pytest.mark.parametrize("kind", GOLDEN)
def test_decodes(kind: str) -> None:
    """RT-66."""
    payload = bytes.fromhex(GOLDEN[kind])
    assert SHOP.stored.decode_event(payload) == (EVENTS[kind], Metadata({"by": kind}))
    assert peek(payload).tag == type(EVENTS[kind]).__name__


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_is_kept(kind: str) -> None:
    """What is written today is what was kept; a new form of a kind gets a line of its own."""
    assert SHOP.stored.encode_event(EVENTS[kind], {"by": kind}).hex() == GOLDEN[kind]
