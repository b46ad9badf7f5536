"""What others say to a workflow: promises, and children that do not begin."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix.engine.workflow_keeping import parent_of
from actorkalix.engine.workflow_messages import PARENT, Finish, Parent
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.messages import Message, MessageKind
from tests.unit.actorkalix.engine.flows import Bench

MINE: Any = ((PARENT, '{"component":"obedient","entity":"w"}'),)
OTHER: Any = ((PARENT, '{"component":"obedient","entity":"v"}'),)


def refused(bench: Bench, method: str, *args: Any, metadata: Any = MINE) -> str:
    with pytest.raises(BehaviorError) as caught:
        bench.call(method, *args, metadata=metadata)
    failure = caught.value.reply.failure
    assert failure is not None, "a refusal says why"
    assert failure.number == "AK2023"
    return failure.message


def test_who_starts_a_child_stands_in_its_metadata() -> None:
    message = Message(MessageKind.COMMAND, "obedient", "a", "go", metadata=MINE)
    assert parent_of(message) == Parent("obedient", "w")
    with pytest.raises(BehaviorError, match="ak-parent"):
        parent_of(Message(MessageKind.COMMAND, "obedient", "a", "go", metadata=((PARENT, "w"),)))


def test_a_start_that_does_nothing_is_refused() -> None:
    bench = Bench(entity="a")
    said = refused(bench, "nothing")
    assert said == "obedient 'a' is no child of obedient 'w': nothing has left it as it was"
    assert bench.stored == []


def test_who_runs_for_others_or_has_ended_is_no_child() -> None:
    bench = Bench(entity="a")
    bench.value("go", 1, "plain", metadata=OTHER)
    firing = bench.given()
    bench.control("suspend")
    assert "is suspended and was started otherwise" in refused(bench, "nothing")
    assert bench.value("nothing", metadata=OTHER) == "nothing", "sent again by the same parent"
    bench.control("resume")
    bench.done(bench.given(), Finish())
    assert firing.message.entity == "a"
    assert "it is ended" in refused(bench, "nothing", metadata=OTHER)
    assert bench.value("nothing") == "nothing", "anybody else may ask"


def test_a_child_may_end_by_the_command_that_starts_it() -> None:
    bench = Bench(entity="a")
    assert bench.value("finish", "at once", metadata=MINE) == "at once"
    assert bench.look().parent == "obedient/w"
    assert bench.number("wake") == "AK2017"
