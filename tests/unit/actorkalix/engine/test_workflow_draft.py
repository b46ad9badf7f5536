"""Records in the making."""

from __future__ import annotations

from actorkalix.describe import descriptor_of
from actorkalix.engine.workflow_control import Control, Did, Flow, Notes, entry_of
from actorkalix.engine.workflow_draft import Draft, inputs_after, notes_after
from actorkalix.engine.workflow_messages import Finish
from actorkalix.engine.workflow_rules import Rules
from actorkalix.limits import NOTES_KEPT_BYTES, NOTES_KEPT_MAX
from actorkalix_cluster.shardhost.outgoing import pack_messages, unpack_messages
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.engine.flows import Bench, Obedient
from tests.unit.actorkalix.engine.test_workflow import undo_of

RULES = Rules(descriptor_of(Obedient))


def test_an_entry_says_what_is_new_alone() -> None:
    flow, records = Draft(RULES, Flow("w", None), 5).done(Did.COMMAND, what="go")
    (record,) = records
    entry = entry_of(record.payload)
    assert (entry.what, entry.state, entry.kept, entry.control.born_ms) == ("go", None, None, 5)
    assert (flow.number, flow.version, flow.control) == (1, 1, Control(born_ms=5))
    draft = Draft(RULES, flow, 6)
    draft.put_state("state", b"bytes")
    draft.open(("a", "b", "a"))
    entry = entry_of(draft.done(Did.COMMAND)[1][0].payload)
    assert entry.state == b"bytes"
    assert entry.kept is not None
    assert entry.kept.opened == ("a", "b")
    assert entry.control.born_ms == 5


def test_undo_calls_have_keys_and_count_once() -> None:
    draft = Draft(RULES, Flow("w", None), 5)
    draft.register((undo_of(1), undo_of(1), undo_of(2)), 1)
    draft.register((undo_of(1), undo_of(1)), 1)
    assert len(draft.kept.undo) == 3, "the same twice in one attempt is two calls"
    draft.register((undo_of(1),), 2)
    keys = {unpack_messages(packed)[0].key for packed in draft.kept.undo}
    assert len(keys) == 4
    assert all(key.startswith("~") for key in keys)


def test_what_is_sent_is_a_record_of_the_same_commit() -> None:
    draft = Draft(RULES, Flow("w", None), 5)
    message = unpack_messages(undo_of(1))[0]
    draft.send(pack_messages([message]))
    flow, records = draft.done(Did.COMPLETED)
    assert [record.kind for record in records] == [RecordKind.EVENT, RecordKind.OUTBOX]
    assert flow.version == 2


def test_the_newest_input_of_each_step() -> None:
    first = inputs_after({}, Control(step="a", arguments=b"1"))
    assert inputs_after(first, Control()) is first
    assert inputs_after(first, Control(step="a", arguments=b"1")) is first
    assert inputs_after(first, Control(step="b")) == {"a": b"1", "b": b""}


def test_a_state_that_comes_with_a_delete_is_told_to_those_who_follow() -> None:  # WF-45
    bench = Bench()
    bench.value("go", 1, "thrice")
    bench.done(bench.given(), Finish(delete=True), state=bench.state_of(9))
    entry = bench.history[-1]
    assert entry.state == bench.state_of(9)
    assert [each.record.kind for each in bench.stored[-2:]] == [
        *(RecordKind.EVENT, RecordKind.DELETED)
    ]
    for _ in range(2):
        assert bench.flow.state is None, "it reads as empty (WF-11)"
        assert bench.flow.stored is None
        bench.crash()


def test_what_was_told_of_late_is_kept_in_bounds() -> None:
    notes: Notes = ()
    since = 0
    for number in range(1, NOTES_KEPT_MAX + 11):
        notes, since = notes_after(notes, since, number, (b"x",) if number % 2 else ())
    assert (len(notes), since) == (NOTES_KEPT_MAX // 2 + 5, 0)
    for number in range(NOTES_KEPT_MAX + 11, 2 * NOTES_KEPT_MAX + 11):
        notes, since = notes_after(notes, since, number, (b"x",))
    numbers = [kept for kept, _ in notes]
    assert (len(numbers), min(numbers)) == (NOTES_KEPT_MAX, NOTES_KEPT_MAX + 11)
    assert since == NOTES_KEPT_MAX + 9, "the last that is gone"
    notes, since = notes_after(notes, since, 9_999, (b"y" * NOTES_KEPT_BYTES, b"z"))
    assert notes == ((9_999, (b"y" * NOTES_KEPT_BYTES, b"z")),), (
        "the newest stays, whatever its size"
    )
    assert since == 2 * NOTES_KEPT_MAX + 10
