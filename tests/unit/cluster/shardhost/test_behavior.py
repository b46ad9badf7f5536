"""The port's errors; its use is shown by the counters of these tests."""

from __future__ import annotations

from actorkalix_cluster.shardhost.behavior import Behavior, BehaviorError, BehaviorFault
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
