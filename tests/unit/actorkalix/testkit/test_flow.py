"""A workflow with its storage."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.describe import descriptor_of
from actorkalix.engine import behavior_for
from actorkalix.engine.workflow_control import Did
from actorkalix.testkit.flow import StoredFlow
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.engine.flows import Obedient, Told


def stored() -> StoredFlow:
    return StoredFlow(behavior_for(descriptor_of(Obedient)), "w")


def put(count: int) -> Message:
    payload = msgspec.msgpack.encode({"count": count})
    return Message(MessageKind.COMMAND, "obedient", "w", "put", payload, Encoding.MSGPACK)


def test_it_keeps_what_is_written_and_comes_back() -> None:
    flow = stored()
    flow.crash()
    states = [flow.flow.state]
    flow.tell(put(3), 7)
    flow.crash()
    assert [*states, flow.flow.state] == [None, Told(3)]
    assert [entry.did for entry in flow.entries] == [Did.COMMAND]
    assert [record.kind for record in flow.records] == [RecordKind.EVENT]
    assert flow.tell(put(-1), 8).reply.failure is not None
    assert len(flow.records) == 1


def test_refusals_come_through() -> None:
    with pytest.raises(BehaviorError):
        stored().tell(Message(MessageKind.COMMAND, "obedient", "w", "jump"), 7)


def test_what_comes_back_otherwise_is_told() -> None:
    flow = stored()
    step = flow.tell(put(3), 7)
    other = msgspec.structs.replace(flow.flow, number=2, version=2, inputs={"plain": b"x"})
    with pytest.raises(AssertionError, match="after a restart the workflow has another inputs"):
        flow.put(other, step.records)
