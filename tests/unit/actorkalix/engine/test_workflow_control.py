"""The table of workflows is whole, and what is derived from a control is right."""

from __future__ import annotations

import pytest

from actorkalix.engine.workflow_control import (
    OVER,
    TABLE,
    Act,
    Activity,
    Ask,
    Control,
    Did,
    Entry,
    Folded,
    Kept,
    Status,
    asked,
    entry_of,
    expires_ms,
    folded_of,
    pack,
    public,
    token_of,
)
from actorkalix_cluster.shardhost.messages import MessageKind


def test_every_message_has_an_act_in_every_status() -> None:
    assert set(TABLE) == {(status, ask) for status in Status for ask in Ask}
    assert set(TABLE.values()) == set(Act)


def test_what_is_over_takes_no_change() -> None:
    for status in OVER:
        for ask in (Ask.COMMAND, Ask.RESULT, Ask.DUE, Ask.SUSPEND, Ask.TERMINATE, Ask.CHILD):
            assert TABLE[status, ask] in (Act.READ, Act.NOTHING, Act.EXPIRE)


@pytest.mark.parametrize(
    "kind,method,ask",
    [
        (MessageKind.COMMAND, "suspend", Ask.COMMAND),
        (MessageKind.CONTROL, "suspend", Ask.SUSPEND),
        (MessageKind.CONTROL, "jump", None),
        (MessageKind.QUERY, "~status", Ask.STATUS),
        (MessageKind.QUERY, "get", Ask.QUERY),
        (MessageKind.STEP, "pay", None),
        (MessageKind.EXPIRE, "", Ask.DUE),
    ],
)
def test_messages_are_told_apart(kind: MessageKind, method: str, ask: Ask | None) -> None:
    assert asked(kind, method) is ask


def test_due_times() -> None:
    assert expires_ms(Control(), 5) == 0
    assert expires_ms(Control(Status.RUNNING, at_ms=7), 5) == 7
    assert expires_ms(Control(Status.RETRYING, at_ms=7, deadline_ms=6), 5) == 6
    assert expires_ms(Control(Status.PAUSED), 5) == 0
    assert expires_ms(Control(Status.WAITING, deadline_ms=9), 5) == 9
    suspended = Control(Status.SUSPENDED, Status.PAUSED, at_ms=7, deadline_ms=9)
    assert expires_ms(suspended, 5) == 9, (
        "its own times go on, but nothing happens until it resumes"
    )
    assert expires_ms(Control(Status.ENDED, deadline_ms=9), 5) == 0
    assert expires_ms(Control(Status.FAILED, at_ms=9), 5) == 9, "when it is deleted"


def test_bytes_and_names() -> None:
    control = Control(Status.RUNNING, born_ms=3, run=4, activity=Activity.UNDO)
    entry = Entry(Did.COMMAND, control, b"state", Kept(("word",), {"word": b"1"}), "go")
    assert entry_of(pack(entry)) == entry
    folded = Folded(control, Kept(), None, {"pay": b"x"})
    assert folded_of(pack(folded)) == folded
    assert token_of(control) == b"3.4"
    assert public(Status.TIMED_OUT) == "timed_out"
