"""The search: known histories, the brute force checker beside it, and its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorkalix.errors import ModelFailed
from actorkalix.testkit.checking.search import Explained, GaveUp, Unexplained, search
from actorkalix.testkit.history import Operation
from tests.unit.actorkalix.testkit.checking.samples import (
    EMPTY,
    Asked,
    Counter,
    Plain,
    Queue,
    Register,
    answered,
    is_linearizable_by_force,
    op,
    widened,
)

STATES_MAX = 100_000


def found(model: Plain, operations: Sequence[Operation]) -> Explained | Unexplained | GaveUp:
    return search(model, "x", operations, STATES_MAX)


HOLD: dict[str, tuple[Plain, list[Operation]]] = {
    "read during a write, either way": (
        Register(),
        [
            op(1, "a", (0, 10), "set", 1),
            op(2, "b", (2, 4), "get", value=None),
            op(3, "c", (5, 8), "get", value=1),
        ],
    ),
    "two writes at once, read in the order of nobody's start": (
        Register(),
        [
            op(1, "a", (0, 10), "set", 1),
            op(2, "b", (1, 9), "set", 2),
            op(3, "c", (11, 12), "get", value=1),
        ],
    ),
    "an unknown write was read": (
        Register(),
        [op(1, "a", (0, None), "set", 1, outcome="unknown"), op(2, "b", (5, 6), "get", value=1)],
    ),
    "an unknown write was never done": (
        Register(),
        [op(1, "a", (0, None), "set", 1, outcome="unknown"), op(2, "b", (5, 6), "get")],
    ),
    "an unknown write takes effect after its client was told so": (
        Register(),
        [
            op(1, "a", (0, 1), "set", 1, outcome="unknown"),
            op(2, "b", (2, 3), "get"),
            op(3, "b", (4, 5), "get", value=1),
        ],
    ),
    "one of two equal unknown additions": (
        Counter(),
        [
            op(1, "a", (0, None), "add", 5, outcome="unknown"),
            op(2, "b", (0, None), "add", 5, outcome="unknown"),
            op(3, "c", (5, 6), "read", value=5),
        ],
    ),
    "a counter's answers against the order of starts": (
        Counter(),
        [op(1, "a", (0, 10), "add", 1, 3), op(2, "b", (1, 9), "add", 2, 2)],
    ),
    "a queue that was empty for one moment": (
        Queue(),
        [
            op(1, "a", (0, 10), "put", "p"),
            op(2, "b", (1, 3), "take", outcome="error", error=EMPTY),
            op(3, "b", (4, 6), "take", value="p"),
        ],
    ),
    "a queue filled at once, in the other order": (
        Queue(),
        [
            op(1, "a", (0, 10), "put", "p"),
            op(2, "b", (0, 11), "put", "q"),
            op(3, "c", (20, 21), "take", value="q"),
        ],
    ),
    "times that touch are at once": (
        Register(),
        [op(1, "a", (0, 5), "set", 1), op(2, "b", (5, 6), "get", value=None)],
    ),
}

FAIL: dict[str, tuple[Plain, list[Operation], int]] = {
    "a stale read": (
        Register(),
        [op(1, "a", (0, 1), "set", 1), op(2, "b", (2, 3), "get", value=None)],
        2,
    ),
    "a write that is seen and then is gone": (
        Register(),
        [
            op(1, "a", (0, 10), "set", 1),
            op(2, "b", (1, 2), "get", value=1),
            op(3, "c", (3, 4), "get", value=None),
        ],
        3,
    ),
    "a lost update": (
        Counter(),
        [op(1, "a", (0, 10), "add", 1, 1), op(2, "b", (1, 9), "add", 1, 1)],
        1,
    ),
    "one element taken twice": (
        Queue(),
        [
            op(1, "a", (0, 1), "put", "p"),
            op(2, "b", (2, 6), "take", value="p"),
            op(3, "c", (3, 5), "take", value="p"),
        ],
        2,
    ),
    "first in, last out": (
        Queue(),
        [
            op(1, "a", (0, 1), "put", "p"),
            op(2, "a", (2, 3), "put", "q"),
            op(3, "b", (4, 5), "take", value="q"),
        ],
        3,
    ),
    "an unknown write comes and goes": (
        Register(),
        [
            op(1, "a", (0, None), "set", 1, outcome="unknown"),
            op(2, "b", (2, 3), "get", value=1),
            op(3, "b", (4, 5), "get", value=None),
        ],
        3,
    ),
    "an unknown write is seen before it was asked for": (
        Register(),
        [op(1, "a", (4, None), "set", 1, outcome="unknown"), op(2, "b", (2, 3), "get", value=1)],
        2,
    ),
    "one unknown addition is counted twice": (
        Counter(),
        [
            op(1, "a", (0, None), "add", 5, outcome="unknown"),
            op(2, "c", (5, 6), "read", value=10),
        ],
        2,
    ),
}


@pytest.mark.parametrize("name", HOLD)
def test_histories_that_hold(name: str) -> None:
    model, operations = HOLD[name]
    assert is_linearizable_by_force(operations, model)
    result = found(model, operations)
    assert isinstance(result, Explained)
    known = {operation.id for operation in operations if operation.outcome != "unknown"}
    assert known <= set(result.order)


@pytest.mark.parametrize("name", FAIL)
def test_histories_that_do_not(name: str) -> None:
    model, operations, offending = FAIL[name]
    assert not is_linearizable_by_force(operations, model)
    result = found(model, operations)
    assert isinstance(result, Unexplained)
    assert result.offending.id == offending


def test_the_fewest_operations_and_the_longest_order_are_named() -> None:
    operations = [
        op(1, "a", (0, 1), "set", 1),
        op(2, "a", (2, 3), "set", 2),
        op(3, "b", (4, 5), "get", value=1),
        op(4, "c", (4, 9), "get", value=2),
        op(5, "b", (6, 7), "set", 3),
        op(6, "b", (8, 9), "get", value=3),
    ]
    result = found(Register(), operations)
    assert isinstance(result, Unexplained)
    assert (result.offending.id, result.prefix) == (3, (1, 2, 3, 4))
    assert result.order == (1, 2, 4)
    assert result.said == "it would be answered 2"


def test_the_order_that_was_found_is_one() -> None:
    asked = [Asked(f"c{n % 5}", "x", *_mix(n)) for n in range(60)]
    operations = answered(asked, Queue())
    result = found(Queue(), operations)
    assert isinstance(result, Explained)
    assert result.order == tuple(range(1, 61))


def _mix(number: int) -> tuple[str, Any]:
    return ("put", number) if number % 3 else ("take", None)


def test_what_is_too_much_is_given_up() -> None:
    writes = [op(n, f"c{n}", (n, 1_000 + n), "set", n) for n in range(1, 15)]
    wrong = op(20, "z", (2_000, 2_001), "get", value="never written")
    result = search(Register(), "x", [*writes, wrong], 1_000)
    assert isinstance(result, GaveUp)
    assert 0 < result.states <= 1_000
    assert isinstance(found(Register(), writes), Explained)


def test_reads_at_once_cost_nothing() -> None:
    reads = [op(n, f"c{n}", (n, 1_000 + n), "read", value=7) for n in range(1, 40)]
    write = op(50, "w", (0, 2_000), "add", 7, 7)
    result = search(Counter(), "x", [write, *reads], 200)
    assert isinstance(result, Explained)


def test_equal_unknown_operations_are_tried_once() -> None:
    unknown = [op(n, f"c{n}", (n, None), "add", 1, outcome="unknown") for n in range(1, 30)]
    wrong = op(50, "r", (100, 101), "read", value=31)
    result = search(Counter(), "x", [*unknown, wrong], 500)
    assert isinstance(result, Unexplained)
    right = msgspec.structs.replace(wrong, value=17)
    assert isinstance(search(Counter(), "x", [*unknown, right], 500), Explained)


def test_the_model_is_asked_for_nothing_that_is_not_tried() -> None:
    asked: list[int] = []

    class Counted(Counter):
        def step(self, state: Any, operation: Operation) -> tuple[bool, Any]:
            asked.append(operation.id)
            return super().step(state, operation)

    additions = [op(n, f"c{n}", (n, 100 + n), "add", 1, n) for n in range(1, 9)]
    assert isinstance(found(Counted(), additions), Explained)
    assert asked == [*range(1, 9)], "the first order that is tried holds"


def test_a_model_that_raises_is_named_with_the_operation() -> None:
    operations = [op(7, "a", (0, 1), "add", "no number")]
    with pytest.raises(ModelFailed, match=r"'x', operation 7 \(a: add .*raised TypeError"):
        found(Counter(), operations)


def test_a_model_that_cannot_begin_is_named() -> None:
    class Never(Counter):
        def initial(self, entity: str) -> int:
            raise KeyError(entity)

    with pytest.raises(ModelFailed, match="the model of 'x' raised at its beginning: KeyError"):
        found(Never(), [op(1, "a", (0, 1), "read", value=0)])


def test_a_read_that_writes_is_named() -> None:
    class Sly(Counter):
        def is_read(self, operation: Operation) -> bool:
            return True

    with pytest.raises(ModelFailed, match=r"operation 1 .*a read changed the model's state"):
        found(Sly(), [op(1, "a", (0, 1), "add", 1, 1)])


# ---- against the definition ----------------------------------------------------------------------
MODELS: list[Plain] = [Register(), Counter(), Queue()]
METHODS: dict[type[Plain], list[tuple[str, Any]]] = {
    Register: [("set", 1), ("set", 2), ("get", None), ("swap", [1, 2])],
    Counter: [("add", 1), ("add", 2), ("read", None)],
    Queue: [("put", 1), ("put", 2), ("take", None)],
}


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_sequential_runs_made_concurrent_always_hold(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    clients = st.sampled_from(["a", "b", "c", "d"])
    calls = st.tuples(clients, st.sampled_from(METHODS[type(model)]))
    asked = [Asked(client, "x", *call) for client, call in data.draw(st.lists(calls, max_size=25))]
    chance = data.draw(st.randoms(use_true_random=False))
    operations = widened(answered(asked, model), chance)
    some = data.draw(st.sets(st.sampled_from(range(25)), max_size=3))
    operations = [_forgotten(o) if o.id in some else o for o in operations]
    assert isinstance(found(model, operations), Explained)


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_it_agrees_with_the_definition(data: st.DataObject) -> None:
    """Answers of a run, then two of them swapped or one made up: mostly wrong, not always."""
    model = data.draw(st.sampled_from(MODELS))
    clients = st.sampled_from(["a", "b", "c"])
    calls = st.tuples(clients, st.sampled_from(METHODS[type(model)]))
    drawn = data.draw(st.lists(calls, min_size=2, max_size=5))
    asked = [Asked(client, "x", *call) for client, call in drawn]
    operations = answered(asked, model)
    if data.draw(st.booleans()):
        operations = widened(operations, data.draw(st.randoms(use_true_random=False)))
    one, other = (data.draw(st.integers(0, len(operations) - 1)) for _ in range(2))
    first, second = operations[one], operations[other]
    operations[one], operations[other] = _as(first, second), _as(second, first)
    some = data.draw(st.sets(st.sampled_from(range(1, 6)), max_size=2))
    operations = [_forgotten(o) if o.id in some else o for o in operations]
    result = found(model, operations)
    assert isinstance(result, Explained) == is_linearizable_by_force(operations, model)
    if isinstance(result, Unexplained):
        fewest = [o for o in operations if o.id in result.prefix]
        assert not is_linearizable_by_force(fewest, model)
        rest = [o for o in operations if o.id in result.order]
        assert is_linearizable_by_force(rest, model)


@given(st.lists(st.integers(1, 3), min_size=2, max_size=6), st.data())
def test_two_answers_swapped_in_real_time_fail(amounts: list[int], data: st.DataObject) -> None:
    operations = answered([Asked("a", "x", "add", amount) for amount in amounts], Counter())
    one = data.draw(st.integers(0, len(operations) - 2))
    first, second = operations[one : one + 2]
    operations[one : one + 2] = [_as(first, second), _as(second, first)]
    assert not is_linearizable_by_force(operations, Counter())
    result = found(Counter(), operations)
    assert isinstance(result, Unexplained)
    assert result.offending.id == first.id


def _as(operation: Operation, other: Operation) -> Operation:
    """The operation with the answer of another."""
    return msgspec.structs.replace(
        operation, value=other.value, error=other.error, outcome=other.outcome
    )


def _forgotten(operation: Operation) -> Operation:
    """The operation with an outcome that nobody knows; a read of which nothing is known says so."""
    if operation.kind == "query":
        return operation
    return msgspec.structs.replace(operation, outcome="unknown", value=None, error=None)
