"""Records in the making."""

from __future__ import annotations

from actorkalix.describe import descriptor_of
from actorkalix.engine.workflow_control import Control, Did, Flow, entry_of
from actorkalix.engine.workflow_draft import Draft, inputs_after
from actorkalix.engine.workflow_rules import Rules
from actorkalix_cluster.shardhost.outgoing import pack_messages, unpack_messages
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.engine.flows import Obedient
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
