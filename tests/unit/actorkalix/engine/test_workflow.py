"""The engine of workflows, rule by rule."""

from __future__ import annotations

import msgspec
import pytest

from actorkalix.engine.workflow_control import Did
from actorkalix.engine.workflow_messages import (
    CHILD_ENDED,
    PARENT,
    ChildNotice,
    Finish,
    GoTo,
    PauseFor,
    StartAll,
    UndoAll,
    WaitOn,
    unpack_input,
)
from actorkalix.limits import WORKFLOW_KEPT_MAX
from actorkalix_cluster.shardhost.behavior import BehaviorError
from actorkalix_cluster.shardhost.fired import Firing
from actorkalix_cluster.shardhost.messages import Encoding, Message, MessageKind
from actorkalix_cluster.shardhost.outgoing import pack_messages, unpack_messages
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.engine.flows import Bench, Closing, Ending, Told, failure


def started(to: str = "thrice") -> tuple[Bench, Firing]:
    """A workflow whose first step was given out."""
    bench = Bench()
    bench.value("go", 1, to)
    return bench, bench.given()


def test_state_transition_and_reply_are_one_record() -> None:  # WF-10, WF-20
    bench = Bench()
    assert bench.number("get") == "AK2001"  # no state yet, and the reply is not optional
    assert bench.value("go", 1, "plain") == "plain"
    assert [each.record.kind for each in bench.stored] == [RecordKind.EVENT]
    assert bench.last is not None
    assert bench.last.fire
    assert bench.value("get") == Told(1)


def test_a_command_waits_while_a_step_runs_and_queries_do_not() -> None:  # WF-13
    bench, firing = started()
    assert bench.call("put", 5).failure == failure("held")
    assert bench.value("get") == Told(1)
    bench.done(firing, PauseFor("resting"))
    assert bench.value("put", 5) == 5


def test_a_step_gets_input_and_state_and_a_deadline() -> None:  # WF-21, WF-30
    bench, firing = started("deadly")
    given = unpack_input(firing.message.payload)
    assert msgspec.msgpack.decode(given.arguments) == {"amount": 1}
    assert (given.attempt, given.number, given.sequence_number) == (1, 1, 1)
    assert firing.message.deadline_ms == bench.now_ms + 5_000
    bench.crash()
    again = bench.given()
    assert again == firing, "after a crash it runs again, as the same execution"


def test_attempts_are_records_and_retry_counters_survive() -> None:  # WF-32, WF-33
    bench, firing = started("thrice")
    for attempt in (1, 2, 3):
        bench.failed(firing)
        bench.crash()
        if attempt < 3:
            assert (bench.status, bench.look().attempt) == ("retrying", attempt + 1)
            assert bench.expire() is None, "not before its time"
            bench.advance(2 ** (attempt - 1))
            firing = bench.given()
    assert (bench.look().step, bench.look().attempt) == ("plain", 1)
    failed = [entry for entry in bench.history if entry.failure]
    assert [(entry.did, entry.attempt, entry.step) for entry in failed] == [
        *((Did.ATTEMPT_FAILED, 1, "thrice"), (Did.ATTEMPT_FAILED, 2, "thrice")),
        (Did.GAVE_UP, 3, "thrice"),
    ]


def test_final_errors_are_not_retried_and_nothing_left_is_failed() -> None:
    bench, firing = started("deadly")
    bench.failed(firing, "Broken", "Exception")
    assert bench.status == "failed"
    assert bench.look().reason == "AK2001 no"
    assert bench.number("put", 3) == "AK2017"  # WF-12
    assert bench.value("get") == Told(1)  # WF-11


def test_late_results_are_dropped() -> None:  # number 5 of the ten hardest
    bench, first = started("thrice")
    bench.failed(first)
    assert bench.done(first, Finish()).dropped
    bench.advance(1)
    second = bench.given()
    bench.control("suspend")
    assert bench.done(second, Finish()).dropped
    bench.control("resume")
    assert bench.done(second, Finish()).dropped
    third = bench.given()
    bench.control("terminate", "enough")
    assert bench.done(third, Finish()).dropped
    assert (bench.status, bench.look().reason) == ("terminated", "enough")


def test_an_attempt_that_was_not_begun_does_not_count() -> None:
    bench, firing = started("thrice")
    busy = msgspec.structs.replace(failure("busy"), number="AK3003")
    settled = bench.fired(firing, busy)
    assert settled.due_ms == bench.now_ms + 1_000
    assert bench.look().attempt == 1
    assert bench.done(firing, Finish()).dropped is False


def test_garbage_is_a_failed_attempt() -> None:
    bench, firing = started("thrice")
    bench.fired(firing)
    assert "no outcome of a step" in bench.look().failure
    bench.advance(1)
    bench.fired(bench.given(), msgspec.structs.replace(failure(), number="AK9001"))
    assert bench.look().attempt == 3


def test_a_step_that_the_code_has_lost_fails_until_it_is_back() -> None:  # WF-03, WF-53
    bench, firing = started("thrice")
    bench.done(firing, GoTo("renamed"))
    assert bench.expire() is None
    assert "has no step 'renamed' any more" in bench.look().failure
    assert bench.status == "retrying"


def test_a_pause_ends_once() -> None:  # WF-40, WF-41
    step, command, woken = Bench(), Bench(), Bench()
    for bench in (step, command, woken):
        bench.value("put", 1)
    step.value("rest", 5, "step")
    command.value("rest", 5, "command")
    woken.value("rest", 5, "command")
    for bench in (step, command, woken):
        assert bench.expire() is None
        assert bench.status == "paused"
        bench.advance(5)
    step.expire()
    assert (step.status, step.look().step) == ("running", "plain")
    command.expire()
    assert (command.status, command.value("get")) == ("running", Told(1_001, "woken"))
    assert woken.value("wake") == "awake", "a command that comes first has it"
    assert woken.given().message.method == "plain"
    assert woken.value("get") == Told(1_001, "woken")


def test_suspend_and_resume_change_nothing_where_they_do_not_apply() -> None:  # WF-43
    bench = Bench()
    assert bench.control("suspend") == "not_started"
    assert bench.control("resume") == "not_started"
    bench.value("rest", 0, "")
    assert bench.control("suspend", "audit") == "suspended"
    assert bench.control("suspend", "again") == "suspended"
    assert (bench.look().reason, bench.look().suspended_in) == ("audit", "paused")
    assert bench.number("put", 1) == "AK2017"
    assert bench.control("resume") == "paused"
    assert len(bench.stored) == 3


def test_terminate_is_final_and_works_on_an_id_that_never_was() -> None:  # WF-42
    bench = Bench()
    assert bench.control("terminate", "first") == "terminated"
    assert bench.control("terminate", "second") == "terminated"
    assert bench.look().reason == "first"
    assert bench.number("go", 1, "plain") == "AK2017"


def test_restart_runs_a_step_again_with_its_newest_input() -> None:
    bench, firing = started("deadly")
    bench.failed(firing, "Broken")
    assert bench.number_of_control("restart", "thrice") == "AK2019"
    assert bench.control("restart", "") == "running"
    again = bench.given()
    assert (
        unpack_input(again.message.payload).arguments
        == unpack_input(firing.message.payload).arguments
    )
    assert again.message.key == firing.message.key, "it was not completed: what counted stays"
    assert unpack_input(again.message.payload).attempt == 1


def test_a_superseded_step_leaves_time_to_its_calls() -> None:  # architecture 11
    bench, _ = started("undoing")
    bench.control("restart", "undoing", True)
    assert bench.expire() is None
    bench.advance(3)
    assert bench.given().message.method == "undoing"


def test_a_failover_waits_for_the_calls_of_what_failed() -> None:  # architecture 11
    bench, firing = started("thrice")
    for _ in range(2):
        bench.failed(firing)
        bench.advance(8)
        firing = bench.given()
    bench.failed(firing, until_ms=bench.now_ms + 1_500)
    assert bench.look().step == "plain"
    assert bench.expire() is None
    bench.advance(1.5)
    assert bench.given().message.method == "plain"


def test_after_a_crash_nobody_knows_of_the_calls_before_it() -> None:
    bench, _ = started("deadly")
    bench.crash()
    bench.failed(bench.given(), "Broken")
    assert bench.status == "failed"
    bench.control("restart", "", True)
    assert bench.look().next_ms == bench.now_ms + 5_000


def test_the_workflow_timeout_is_a_time_on_the_wall() -> None:  # WF-34
    bench = Bench(Ending)
    bench.value("go", 1, "thrice")
    firing = bench.given()
    assert firing.look_ms == bench.now_ms + 60_000
    bench.advance(61)
    assert bench.call("put", 1).failure == failure("held")
    assert bench.done(firing, GoTo("plain")).dropped
    assert (bench.status, bench.value("get")) == ("timed_out", Told(1))


def test_the_step_after_the_timeout_can_only_end() -> None:  # WF-34
    bench = Bench(Closing)
    bench.value("rest", 0, "")
    bench.control("suspend")
    bench.advance(61)
    assert bench.expire() is None
    assert bench.status == "suspended"
    bench.control("resume")
    last = bench.given()
    assert last.message.method == "plain"
    bench.done(last, GoTo("thrice"), state=bench.state_of(7))
    assert (bench.status, bench.value("get")) == ("timed_out", Told(7))


def test_promises() -> None:
    bench = Bench()
    assert bench.number_of_control("resolve", "word", "x") == "AK2018"
    bench.value("name", "word")
    assert bench.control("resolve", "word", "early") == "not_started"
    assert bench.control("resolve", "word", "late") == "not_started", "the first word counts"
    bench.value("wait", 0)
    heard = bench.given()
    arguments = unpack_input(heard.message.payload).arguments
    assert (heard.message.method, msgspec.msgpack.decode(arguments)) == ("heard", {"word": "early"})
    bench.done(heard, WaitOn("word", "heard", 5_000, "plain"))
    assert bench.number_of_control("resolve", "word", 5) == "AK2002", "heard takes a text"
    assert bench.status == "waiting"
    bench.advance(5)
    bench.expire()
    assert bench.look().step == "plain"


def undo_of(amount: int, attempt: int = 1) -> bytes:
    """An undo call as an attempt registers it, packed."""
    payload = msgspec.msgpack.encode({"count": amount})
    call = Message(MessageKind.COMMAND, "obedient", "other", "put", payload, Encoding.MSGPACK)
    return pack_messages([msgspec.structs.replace(call, correlation_id=f"step-{attempt}")])


def test_what_was_done_is_undone_once_the_newest_first() -> None:
    bench, firing = started("undoing")
    bench.failed(firing, undo=(undo_of(1),))
    bench.advance(1)
    bench.failed(bench.given(), undo=(undo_of(1, 2), undo_of(2, 2)))
    assert bench.look().undo == 2, "a second attempt registers the same"
    seen: list[tuple[int, str]] = []
    for nth in range(2):
        call = bench.given()
        bench.fired(call, failure("try again"))
        bench.crash()
        bench.advance(30)
        call = bench.given()
        bench.fired(call)
        assert bench.fired(call).dropped
        seen.append((msgspec.msgpack.decode(call.message.payload)["count"], call.message.key))
        assert bench.look().undo == 1 - nth
    assert [count for count, _ in seen] == [2, 1]
    assert len({key for _, key in seen}) == 2
    assert bench.status == "failed"


def test_compensate_goes_on_with_a_step() -> None:
    bench, firing = started()
    bench.done(firing, UndoAll("plain", "sorry"), undo=(undo_of(1),))
    bench.fired(bench.given())
    assert bench.given().message.method == "plain"


def child(entity: str) -> bytes:
    call = Message(MessageKind.COMMAND, "obedient", entity, "finish", b"", Encoding.MSGPACK)
    return pack_messages([call])


def test_children_start_one_by_one_and_end_with_their_parent() -> None:
    bench, firing = started()
    bench.done(firing, StartAll((child("a"), child("b"), child("c")), "plain"))
    first = bench.given()
    assert dict(first.message.metadata)[PARENT] == '{"component":"obedient","entity":"w"}'
    bench.fired(first)
    bench.fired(bench.given(), failure("already there"))
    bench.fired(bench.given())
    assert bench.status == "waiting"
    assert bench.look().children == ("obedient/a", "obedient/c"), "b has refused to begin"
    bench.control("terminate")
    outbox = next(each for each in bench.stored if each.record.kind is RecordKind.OUTBOX)
    told = unpack_messages(outbox.record.payload)
    assert [(each.kind, each.entity, each.method) for each in told] == [
        *((MessageKind.CONTROL, "a", "terminate"), (MessageKind.CONTROL, "c", "terminate"))
    ]


def test_a_child_tells_its_parent_how_it_ended() -> None:
    bench = Bench(entity="a")
    parent = ((PARENT, '{"component":"obedient","entity":"w"}'),)
    bench.value("go", 3, "plain", metadata=parent)
    assert bench.look().parent == "obedient/w"
    bench.done(bench.given(), Finish("fine"))
    outbox = next(each for each in bench.stored if each.record.kind is RecordKind.OUTBOX)
    (told,) = unpack_messages(outbox.record.payload)
    assert (told.entity, told.method) == ("w", CHILD_ENDED)
    notice = msgspec.msgpack.decode(told.payload, type=ChildNotice)
    assert (notice.status, notice.reason) == ("ended", "fine")
    assert msgspec.json.decode(notice.state)["count"] == 3


def test_delete_keeps_the_id_and_cleanup_begins_it_anew() -> None:  # WF-45
    bench, firing = started()
    bench.done(firing, Finish(delete=True))
    assert bench.status == "deleted"
    assert bench.number("get") == "AK2001"
    assert bench.number("put", 1) == "AK2009"
    bench.crash()
    assert bench.flow.deleted_ms
    bench.clean()
    assert (bench.status, bench.stored) == ("not_started", [])
    assert bench.value("go", 1, "plain") == "plain"


def test_what_has_ended_can_be_deleted_all_the_same() -> None:  # WF-12
    bench, firing = started()
    bench.done(firing, Finish())
    assert bench.value("finish", "delete") == "delete"
    assert bench.status == "deleted"


def test_commands_are_remembered_under_their_keys() -> None:
    bench = Bench()
    first = bench.value("put", 1, key="k")
    assert first == 1
    stored = bench.stored[-1].record
    message = Message(
        *(MessageKind.COMMAND, "obedient", "w", "put", msgspec.msgpack.encode({"count": 1})),
        *(Encoding.MSGPACK, Encoding.MSGPACK, "k"),
    )
    assert stored.key == bench.behavior.key_hash(message)
    assert bench.behavior.remembered(message, stored.reply).replayed


def test_snapshots_hold_all_of_it() -> None:
    bench, firing = started("deadly")
    bench.take_snapshot()
    bench.crash()
    assert bench.flow.inputs == {"deadly": unpack_input(firing.message.payload).arguments}
    assert bench.done(firing, PauseFor("now")).dropped is False
    bench.crash()
    assert (bench.status, bench.value("get")) == ("paused", Told(1))


def test_what_cannot_be_read_is_told() -> None:
    bench, _ = started()
    record = bench.stored[-1].record
    broken = msgspec.structs.replace(record, payload=b"\xc1")
    bench.stored[-1] = msgspec.structs.replace(bench.stored[-1], record=broken)
    with pytest.raises(BehaviorError, match="obedient 'w', record 1"):
        bench.crash()


def test_unknown_controls_are_refused() -> None:
    with pytest.raises(BehaviorError, match="has no control '~jump'"):
        Bench().tell(MessageKind.CONTROL, "~jump")


def test_what_is_kept_has_a_bound() -> None:
    bench, firing = started("thrice")
    many = tuple(f"p{number}" for number in range(WORKFLOW_KEPT_MAX + 1))
    bench.done(firing, PauseFor(), promises=many)
    assert "1001 open promises, at most 1000" in bench.look().failure
    bench.advance(1)
    bench.done(bench.given(), PauseFor(), promises=many[1:])
    assert bench.status == "paused"
