"""Rules over answers."""

from __future__ import annotations

from typing import Any

from actorkalix.gateway.tokens import Mark
from actorkalix.testkit.checking import Evidence
from actorkalix.testkit.checking.answers import answers_never_go_back, one_execution_per_key
from actorkalix.testkit.history import Operation, Refusal
from tests.unit.actorkalix.testkit.checking.records import said, stored
from tests.unit.actorkalix.testkit.checking.samples import op


def keyed(id: int, value: Any = 1, argument: Any = 5, key: str = "k", **more: Any) -> Operation:
    return op(id, "a", (10 * id, 10 * id + 5), "add", argument, value, key=key, **more)


def keys(*operations: Operation, **more: Any) -> list[str]:
    return said(one_execution_per_key, Evidence(operations=operations, **more))


def refused(id: int, number: str, **more: Any) -> Operation:
    return keyed(id, None, outcome="error", error=Refusal("aborted", number), **more)


def test_a_key_with_one_answer() -> None:
    assert keys(keyed(1), keyed(2), keyed(3, outcome="unknown", value=None)) == []
    assert keys(keyed(1), keyed(2, 7, key="other"), keyed(3, 8, entity="y")) == []
    assert keys(keyed(1), refused(2, "AK2008", argument=6)) == []
    assert keys(refused(1, "AK2001"), refused(2, "AK2001")) == []


def test_faults_are_not_kept_under_a_key() -> None:
    assert keys(refused(1, "AK2010"), keyed(2)) == []


def test_a_key_with_two_answers_is_named() -> None:
    assert keys(keyed(1), keyed(2, 2)) == [
        "c 'x': the key 'k' has two answers, of operation 1 (a: add 5 -> 1) "
        "and of operation 2 (a: add 5 -> 2)"
    ]
    assert len(keys(keyed(1), refused(2, "AK2001"))) == 1


def test_a_key_of_two_requests_is_named() -> None:
    (found,) = keys(keyed(1), keyed(2, argument=6))
    assert found.endswith("and for another request, operation 2 (a: add 6 -> 1); that is AK2008")


def test_two_records_of_one_key_are_named() -> None:
    one, other = stored(1, key=b"\x01"), stored(2, key=b"\x01")
    assert keys(keyed(1), stored=(one, stored(2, key=b"\x02"))) == []
    assert keys(keyed(1), stored=(one, stored(2, key=b"\x01", entity="y"))) == []
    assert keys(keyed(1), stored=(one, other)) == [
        "c 'x': the key 01 was executed 2 times: c 'x' record 1 (shard 1 epoch 1 offset 1), "
        "then c 'x' record 2 (shard 1 epoch 1 offset 2)"
    ]


def test_without_keys_nothing_is_judged() -> None:
    assert one_execution_per_key(Evidence(operations=(keyed(1, key=""),)), []) == 0
    assert one_execution_per_key(Evidence(operations=(keyed(1),), stored=(stored(1),)), []) == 1


def placed(id: int, times: tuple[int, int], offset: int, **more: Any) -> Operation:
    mark = Mark(1, more.pop("lineage", 9), more.pop("epoch", 1), offset)
    return op(id, f"c{id}", times, "get", position=mark, **more)


def order(*operations: Operation) -> list[str]:
    return said(answers_never_go_back, Evidence(operations=operations))


def test_answers_go_forward() -> None:
    assert order(placed(1, (0, 1), 3), placed(2, (2, 3), 3), placed(3, (4, 5), 9)) == []
    assert order(placed(1, (0, 5), 9), placed(2, (5, 6), 3)) == []  # at once
    assert order(placed(1, (0, 1), 9), placed(2, (2, 3), 3, entity="y")) == []
    assert order(placed(1, (0, 1), 9), placed(2, (2, 3), 3, lineage=8)) == []
    assert order(placed(1, (0, 1), 9), placed(2, (2, 3), 3, epoch=2)) == []


def test_an_answer_from_before_is_named() -> None:
    operations = placed(1, (0, 1), 9), placed(2, (2, 3), 5), placed(3, (4, 5), 8)
    assert len(order(*operations)) == 2
    assert order(*operations)[0] == (
        "c 'x': operation 2 (c2: get -> null) rests on epoch 1 offset 5; operation 1 (c1: get -> "
        "null), which was answered before it was asked, on epoch 1 offset 9"
    )
    assert len(order(placed(1, (0, 1), 2, epoch=2), placed(2, (2, 3), 9))) == 1


def test_an_answer_from_before_its_own_record_is_named() -> None:
    adding = placed(1, (0, 1), 3)
    own = stored(4, operation=1)
    found = said(answers_never_go_back, Evidence(operations=(adding,), stored=(own,)))
    assert len(found) == 1
    assert found[0].endswith(
        "rests on epoch 1 offset 3, before its own c 'x' record 4 (shard 1 epoch 1 offset 4)"
    )
    known = Evidence(operations=(adding,), stored=(stored(3, operation=1), stored(4, operation=2)))
    assert said(answers_never_go_back, known) == []
