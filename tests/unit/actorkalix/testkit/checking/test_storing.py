"""Rules over what is stored: each finds what it is there for, and nothing in what is right."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix.gateway.tokens import Mark
from actorkalix.testkit.checking import Evidence, Ownership, Shown
from actorkalix.testkit.checking.storing import (
    acknowledged_is_stored,
    durable_before_shown,
    no_gaps,
    one_writer_per_epoch,
)
from actorkalix.testkit.history import Operation, Outcome, Refusal
from actorkalix_storage.api import RecordKind
from tests.unit.actorkalix.testkit.checking.records import said, stored
from tests.unit.actorkalix.testkit.checking.samples import EMPTY, op


def add(id: int, outcome: Outcome = "ok", **more: Any) -> Operation:
    return op(id, "a", (10 * id, 10 * id + 5), "add", 1, None, outcome, **more)


ADDS = (add(1), add(2), add(3))
RECORDS = tuple(stored(version) for version in (1, 2, 3))


# ---- durability ----------------------------------------------------------------------------------
def test_acknowledged_and_stored_and_attempted_are_one() -> None:
    evidence = Evidence(operations=ADDS, stored=RECORDS)
    assert said(acknowledged_is_stored, evidence) == []
    assert acknowledged_is_stored(evidence, []) == 6


def test_what_was_acknowledged_and_is_lost_is_named() -> None:
    evidence = Evidence(operations=ADDS, stored=RECORDS[:2])
    assert said(acknowledged_is_stored, evidence) == [
        "c 'x': operation 3 (a: add 1 -> null) was acknowledged, nothing of it is stored"
    ]


def test_what_nobody_knows_may_be_stored_or_not() -> None:
    unknown = (*ADDS, add(4, "unknown"))
    assert said(acknowledged_is_stored, Evidence(operations=unknown, stored=RECORDS)) == []
    more = (*RECORDS, stored(4))
    assert said(acknowledged_is_stored, Evidence(operations=unknown, stored=more)) == []


def test_commands_that_change_nothing_need_no_record() -> None:
    more = (*ADDS, add(4))
    silent = Evidence(operations=more, stored=RECORDS, silent=frozenset((4,)))
    assert said(acknowledged_is_stored, silent) == []


def test_one_record_stands_for_all_of_its_key() -> None:
    pair = (add(1, key="k"), add(2, key="k"), add(3, key="other"))
    found = said(acknowledged_is_stored, Evidence(operations=pair, stored=(stored(1),)))
    assert len(found) == 1
    assert "operation 3" in found[0]


INVENTED: dict[str, tuple[Operation, dict[str, Any]]] = {
    "and operation 9 was never attempted": (add(1), {"operation": 9}),
    "and no operation asked for it": (add(1), {"operation": None}),
    "is a query": (op(1, "a", (0, 1), "get"), {}),
    "was answered that it was not executed": (add(1, "not_executed"), {}),
    "was refused": (add(1, "error", error=EMPTY), {}),
    "was of d 'x'": (add(1, component="d"), {}),
}


@pytest.mark.parametrize("text", INVENTED)
def test_what_is_stored_and_was_not_asked_for_is_named(text: str) -> None:
    operation, more = INVENTED[text]
    record = stored(1, **more)
    found = said(acknowledged_is_stored, Evidence(operations=(operation,), stored=(record,)))
    head = "c 'x' record 1 (shard 1 epoch 1 offset 1) is stored, "
    assert any(one.startswith(head) and one.endswith(text) for one in found)


def test_a_refusal_kept_under_a_key_and_an_expiry_are_right() -> None:
    refused = add(1, "error", error=Refusal("aborted", "AK2001"), key="k")
    reply = stored(1, kind=RecordKind.REPLY, number=0, key=b"k")
    end = stored(2, kind=RecordKind.DELETED, number=0, operation=None)
    assert said(acknowledged_is_stored, Evidence(operations=(refused,), stored=(reply, end))) == []
    too_late = add(1, "error", error=Refusal("failed_precondition", "AK2009"))
    found = stored(1, kind=RecordKind.DELETED, number=0)  # by the command that came too late
    assert said(acknowledged_is_stored, Evidence(operations=(too_late,), stored=(found,))) == []


# ---- numbers -------------------------------------------------------------------------------------
def gaps(*records: Any, is_complete: bool = True) -> list[str]:
    return said(no_gaps, Evidence(operations=ADDS, stored=records, is_complete=is_complete))


def test_lives_without_gaps() -> None:
    reply = stored(3, kind=RecordKind.REPLY, number=2)
    end = stored(4, kind=RecordKind.DELETED, number=2)
    clean = stored(5, kind=RecordKind.CLEANED, number=2)
    again = stored(1, offset=6, incarnation=6)
    assert gaps(*RECORDS[:2], reply, end, clean, again) == []
    states = [stored(n, kind=RecordKind.STATE) for n in (1, 2)]
    assert gaps(*states, stored(3, kind=RecordKind.DELETED)) == []
    assert gaps(stored(0, kind=RecordKind.EPOCH, component="", entity="")) == []


@pytest.mark.parametrize(
    "records, text",
    [
        ((stored(1), stored(3)), "record 3 (shard 1 epoch 1 offset 3) does not follow version 1"),
        ((stored(2),), "does not follow version 0"),
        ((stored(1), stored(1, offset=2)), "does not follow version 1"),
        ((stored(1), stored(2, number=3)), "sequence number 3 after 1; right is 2"),
        ((stored(1), stored(2, number=1)), "sequence number 1 after 1; right is 2"),
        ((stored(1), stored(2, kind=RecordKind.REPLY)), "sequence number 2 after 1; right is 1"),
        ((stored(1), stored(2, kind=RecordKind.DELETED, number=3)), "right is 1 or 2"),
    ],
)
def test_gaps_are_named(records: Any, text: str) -> None:
    assert any(text in one for one in gaps(*records))


def test_what_was_reclaimed_leaves_gaps_where_it_may() -> None:
    assert gaps(stored(7), stored(8), is_complete=False) == []
    states = [stored(n, kind=RecordKind.STATE) for n in (4, 9)]
    assert gaps(*states, is_complete=False) == []
    assert gaps(*states) != []
    assert gaps(stored(7), stored(9), is_complete=False) != []
    assert gaps(*[stored(4, kind=RecordKind.STATE, offset=n) for n in (4, 9)]) != []


# ---- writers -------------------------------------------------------------------------------------
def writers(*records: Any, owners: tuple[Ownership, ...] = (), **more: Any) -> list[str]:
    return said(
        one_writer_per_epoch,
        Evidence(operations=ADDS, stored=records, ownerships=owners, **more),
    )


def test_an_epoch_has_one_writer() -> None:
    owners = (Ownership(1, 9, 1, "A"), Ownership(1, 9, 2, "B"), Ownership(2, 9, 1, "B"))
    records = (stored(1, writer="A"), stored(2, writer="A"), stored(3, epoch=2, writer="B"))
    assert writers(*records, owners=owners) == []
    assert writers(owners=(*owners, Ownership(1, 9, 2, "C"))) == [
        "shard 1 epoch 2 is of 'B' and of 'C'"
    ]
    assert writers(*records, stored(4, epoch=2, writer="A"), owners=owners) == [
        "c 'x' record 4 (shard 1 epoch 2 offset 4) was written by 'A': "
        "shard 1 epoch 2 is of 'B' and of 'A'"
    ]


@pytest.mark.parametrize(
    "record, text",
    [
        (stored(3, epoch=1), "is of an older epoch than c 'x' record 2"),
        (stored(3, epoch=2, offset=2), "stands where c 'x' record 2"),
        (stored(3, epoch=2, offset=4), "does not follow c 'x' record 2"),
    ],
)
def test_a_log_is_in_order(record: Any, text: str) -> None:
    (found,) = writers(stored(1), stored(2, epoch=2), record)
    assert text in found


def test_reclaimed_records_leave_gaps_in_a_log() -> None:
    assert writers(stored(1), stored(5), is_complete=False) == []


# ---- what was shown ------------------------------------------------------------------------------
def test_answers_rest_on_what_is_stored() -> None:
    answered = (add(1, position=Mark(1, 9, 1, 3)),)
    assert said(durable_before_shown, Evidence(operations=answered, stored=RECORDS)) == []
    lost = Evidence(operations=answered, stored=RECORDS[:2])
    assert said(durable_before_shown, lost) == [
        "c 'x': operation 1 (a: add 1 -> null) rests on shard 1 epoch 1 offset 3, "
        "where nothing is stored"
    ]
    other_epoch = Evidence(operations=(add(1, position=Mark(1, 9, 2, 3)),), stored=RECORDS)
    assert len(said(durable_before_shown, other_epoch)) == 1


def test_what_was_reclaimed_was_stored() -> None:
    early = (add(1, position=Mark(1, 9, 1, 1)),)
    left = RECORDS[2:]
    assert said(durable_before_shown, Evidence(operations=early, stored=left)) != []
    partly = Evidence(operations=early, stored=left, is_complete=False)
    assert said(durable_before_shown, partly) == []
    beyond = (add(1, position=Mark(1, 9, 1, 4)),)
    assert said(durable_before_shown, Evidence(operations=beyond, stored=left, is_complete=False))


def test_values_whose_command_was_lost_are_named() -> None:
    read = op(5, "b", (50, 51), "get", value=[1, 2])
    operations = (*ADDS, add(4, "unknown"), read)
    assert (
        said(
            durable_before_shown,
            Evidence(operations=operations, stored=RECORDS, shown=(Shown(5, (1, 3)),)),
        )
        == []
    )
    found = said(
        durable_before_shown,
        Evidence(operations=operations, stored=RECORDS, shown=(Shown(5, (3, 4, 8)),)),
    )
    assert found == [
        "c 'x': operation 5 (b: get -> [1,2]) showed what is not stored: "
        "operation 4 (a: add 1 -> unknown)",
        "c 'x': operation 5 (b: get -> [1,2]) showed what is not stored: "
        "operation 8, which nobody attempted",
    ]


def test_where_nobody_looked_nothing_is_judged() -> None:
    evidence = Evidence(operations=ADDS)
    for rule in (acknowledged_is_stored, durable_before_shown, no_gaps, one_writer_per_epoch):
        assert rule(evidence, []) == 0
