"""The port's errors; its use is shown by the counters of these tests."""

from __future__ import annotations

from actorkalix_cluster.shardhost.behavior import (
    Behavior,
    BehaviorError,
    BehaviorFault,
    image_of,
)
from actorkalix_cluster.shardhost.messages import Failure, Reply
from tests.unit.cluster.shardhost.counter import Count, CounterBehavior


def test_a_refusal_carries_its_reply() -> None:
    reply = Reply(failure=Failure("AK2001", "aborted", "no"))
    assert BehaviorError(reply).reply is reply
    assert str(BehaviorFault(reply)) == "no"
    assert str(BehaviorError(Reply())) == ""


def test_counters_are_a_behavior() -> None:
    behavior: Behavior[Count] = CounterBehavior()
    assert behavior.version(behavior.empty("a")) == 0


def test_an_image_is_a_snapshots_payload_unless_there_is_a_cheaper_way_to_it() -> None:
    behavior = CounterBehavior()
    instance = behavior.empty("a")
    assert image_of(behavior)(instance) == behavior.snapshot(instance).payload

    class Quick(CounterBehavior):
        def image(self, instance: Count) -> bytes:
            return b"quick"

    assert image_of(Quick())(instance) == b"quick"
