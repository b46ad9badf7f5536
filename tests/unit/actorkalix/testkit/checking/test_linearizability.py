"""Linearizability entity by entity."""

from __future__ import annotations

import random
import time

import msgspec
import pytest

from actorkalix.errors import HistoryUnreadable
from actorkalix.testkit.checking import linearizability, model_of
from actorkalix.testkit.checking.linearizability import GIVEN_UP_MAX
from actorkalix.testkit.history import Operation
from tests.unit.actorkalix.engine.ledger import Book
from tests.unit.actorkalix.testkit.checking.samples import (
    Asked,
    Counter,
    Register,
    answered,
    op,
    widened,
)

GOOD = op(1, "a", (0, 1), "set", 1)
STALE = op(2, "b", (2, 3), "get", value=None)


def test_entities_are_judged_alone() -> None:
    elsewhere = msgspec.structs.replace(STALE, entity="y")
    verdict = linearizability([GOOD, elsewhere], {"c": Register()})
    assert (verdict.outcome, verdict.looked_at, verdict.ok) == ("passed", 2, True)
    verdict = linearizability([GOOD, STALE, op(3, "d", (0, 9), "set", 2, entity="y")], _REGISTER)
    assert (verdict.outcome, verdict.ok) == ("found", False)
    (finding,) = verdict.findings
    assert (finding.component, finding.entity) == ("c", "x")
    assert (finding.operations, finding.prefix, finding.order) == ((2,), (1, 2), (1,))


_REGISTER = {"c": Register()}


def test_a_finding_says_all_of_it() -> None:
    (finding,) = linearizability([GOOD, STALE], _REGISTER).findings
    assert finding.text == (
        "c 'x': operation 2 (b: get -> null) fits no order of the 2 operations invoked before it "
        "returned; after the longest order that holds (1 of them: 1) it would be answered 1"
    )


def test_what_was_not_executed_never_happened() -> None:
    refused = op(1, "a", (0, 1), "set", 1, outcome="not_executed")
    assert linearizability([refused, STALE], _REGISTER).ok
    seen = msgspec.structs.replace(STALE, value=1)
    assert linearizability([refused, seen], _REGISTER).outcome == "found"


def test_an_unknown_read_says_nothing() -> None:
    unknown = op(3, "c", (0, None), "get", outcome="unknown")
    verdict = linearizability([GOOD, unknown], _REGISTER)
    assert (verdict.outcome, verdict.looked_at) == ("passed", 1)


def test_too_few_operations_never_pass() -> None:
    for operations in ([], [op(1, "a", (0, 1), "set", 1, outcome="not_executed")]):
        verdict = linearizability(operations, _REGISTER)
        assert verdict.outcome == "found"
        assert verdict.findings[0].text == (
            "0 operations were judged; at least 1 are needed to pass"
        )
    assert linearizability([GOOD], _REGISTER, operations_min=2).outcome == "found"
    with pytest.raises(AssertionError, match="never passes"):
        linearizability([], _REGISTER, operations_min=0)


def test_what_is_too_much_is_no_pass() -> None:
    operations: list[Operation] = []
    for entity in "vwxyz":
        for n in range(1, 13):
            client = f"{entity}{n}"
            number = len(operations) + 1
            operations.append(op(number, client, (n, 99), "set", n, entity=entity))
        operations.append(op(len(operations) + 1, entity, (100, 101), "get", 0, entity=entity))
    verdict = linearizability(operations, _REGISTER, states_max=500)
    assert (verdict.outcome, verdict.ok, verdict.findings) == ("gave_up", False, ())
    assert verdict.note == (
        "gave up at 500 states on c 'v', c 'w', c 'x'; record fewer clients on an entity"
    )
    assert verdict.note.count("c '") == GIVEN_UP_MAX


def test_a_component_without_a_model_is_named() -> None:
    with pytest.raises(HistoryUnreadable, match="component 'd' has no model; there is 'c'"):
        linearizability([msgspec.structs.replace(GOOD, component="d")], _REGISTER)


def test_keys_that_are_used_once_say_nothing() -> None:
    """A model that keeps replies by key is never asked to."""
    book = {"book": model_of(Book)}
    operations = [
        op(n, "a", (n, n), "add", {"amount": 1}, n, component="book", key=f"k{n}")
        for n in range(1, 200)
    ]
    assert linearizability(operations, book).ok


def test_ten_thousand_operations_of_16_clients_on_100_entities() -> None:
    """It takes 5 s at most; a machine that is busy otherwise gets twice that."""
    chance = random.Random(7)
    methods = [("add", 1), ("add", 2), ("read", None)]
    asked = [
        Asked(f"c{chance.randrange(16)}", f"k{chance.randrange(100)}", *chance.choice(methods))
        for _ in range(10_000)
    ]
    operations = [_of_a_book(o) for o in widened(answered(asked, Counter()), chance, 2_000_000)]
    since = time.process_time()
    verdict = linearizability(operations, {"book": model_of(Book)})
    assert (verdict.outcome, verdict.looked_at) == ("passed", 10_000)
    assert time.process_time() - since < 10
    at = next(n for n, o in enumerate(operations) if n > 9_000 and o.kind == "query")
    operations[at] = msgspec.structs.replace(operations[at], value=1_000_000)
    verdict = linearizability(operations, {"book": model_of(Book)})
    assert [finding.operations for finding in verdict.findings] == [(operations[at].id,)]


def _of_a_book(operation: Operation) -> Operation:
    reads = operation.method == "read"
    return msgspec.structs.replace(
        operation,
        component="book",
        method="total" if reads else "add",
        arguments=None if reads else {"amount": operation.arguments},
    )
