"""The port of subscribers: what the outbox and the reader of these tests have in common."""

from __future__ import annotations

from actorkalix_cluster.shardhost.outbox import Outbox
from actorkalix_cluster.shardhost.subscriber import Subscriber
from tests.unit.cluster.shardhost.reader import Reader
from tests.unit.cluster.shardhost.test_outbox import Receiver


def test_each_has_an_id_of_its_own() -> None:
    subscribers: list[Subscriber] = [Outbox(Receiver()), Reader()]
    assert len({one.consumer for one in subscribers}) == 2
