"""Which records go to which view."""

from __future__ import annotations

import asyncio

from actorkalix import Service
from actorkalix.engine.topic import TOPIC
from actorkalix.runtime.feeding import LocalTarget, ViewSource, sources_of
from actorkalix_storage.api import Record, RecordKind
from tests.unit.actorkalix.views.shop import Carts, CustomerEntity, Kept, ShoppingCart

SHOP = Service("shop", components=[ShoppingCart, CustomerEntity, Carts, Kept]).descriptor


def source() -> ViewSource:
    return ViewSource(SHOP.components["carts"])


def record(component: str, entity: str, kind: RecordKind, payload: bytes = b"x") -> Record:
    return Record(kind, component, entity, 1, 1_000, payload)


def test_each_view_has_a_source() -> None:
    assert [one.feed for one in sources_of(SHOP)] == ["carts", "kept"]
    assert source().components == {"cart", "customer", TOPIC}
    assert sources_of(SHOP)[1].components == {"cart"}


def test_changes_and_ends_are_wanted() -> None:
    wants = source().wants
    wanted = [kind for kind in RecordKind if wants(record("cart", "a", kind))]
    assert wanted == [
        *(RecordKind.EVENT, RecordKind.STATE, RecordKind.DELETED, RecordKind.CLEANED),
    ]


def test_of_a_topic_its_own_messages_are_wanted() -> None:
    wants = source().wants
    assert wants(record(TOPIC, "visits/3", RecordKind.EVENT))
    assert not wants(record(TOPIC, "visitors/3", RecordKind.EVENT))
    assert not wants(record(TOPIC, "visits/3", RecordKind.EVENT, b""))


def test_a_target_in_this_process_hands_on() -> None:
    target = LocalTarget({"carts": lambda batch: batch + b" taken"})
    assert asyncio.run(target.apply("carts", b"a batch")) == b"a batch taken"
