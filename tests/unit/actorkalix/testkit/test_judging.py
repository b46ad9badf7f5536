"""`linearizable`: yes or no over a history, however it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actorkalix.errors import HistoryUnreadable
from actorkalix.testkit import linearizable
from actorkalix.testkit.history import FORMAT, Header, History, Operation
from tests.unit.actorkalix.testkit.seats import Money, Show, Till


class Lonely(Till, id="till-of-judging"):
    """A till whose id no other class of these tests has, however often a service is loaded."""


def take(id: int, cents: int, total: int, times: tuple[int, int], **more: Any) -> Operation:
    """Money comes into till "a"."""
    given: dict[str, Any] = {"component": "till", "method": "take", **more}
    return Operation(
        client=f"c{id}",
        id=id,
        entity="a",
        kind="command",
        arguments={"cents": cents},
        invoked=times[0],
        returned=times[1],
        outcome="ok",
        value=total,
        **given,
    )


GOOD = [take(1, 2, 5, (0, 9)), take(2, 3, 3, (1, 8))]
LOST = [take(1, 2, 2, (0, 9)), take(2, 3, 3, (1, 8))]


@pytest.mark.parametrize("operations, holds", [(GOOD, True), (LOST, False)])
def test_however_it_is_given(operations: list[Operation], holds: bool, tmp_path: Path) -> None:
    history = History(Header(FORMAT, "theatre"), tuple(operations))
    file = tmp_path / "history.jsonl"
    file.write_bytes(history.encode())
    for given in (history, file, str(file), operations, iter(operations)):
        assert linearizable(given, Till) is holds
    lonely = [replace(operation, component="till-of-judging") for operation in operations]
    assert linearizable(lonely) is holds  # the class is found by its id
    assert linearizable(operations, Show, Till) is holds


def test_what_proves_nothing_never_passes(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    nothing: tuple[Any, ...] = ([], History(Header(FORMAT, "theatre"), ()), empty)
    for given in nothing:
        with pytest.raises(HistoryUnreadable):
            linearizable(given, Till)
    unknown = Operation(
        client="c",
        id=1,
        component="till",
        entity="a",
        kind="query",
        method="count",
        invoked=1,
        returned=None,
        outcome="unknown",
    )
    assert not linearizable([unknown], Till)


def test_components_that_are_not_known() -> None:
    with pytest.raises(HistoryUnreadable, match="component 'no-basket' has no model"):
        linearizable([take(1, 1, 1, (0, 1), component="no-basket")])
    with pytest.raises(HistoryUnreadable, match="component 'till' has no model; there is none"):
        linearizable(GOOD, Show)


def test_two_classes_with_one_id() -> None:
    class First(Till, id="twice"):
        pass

    class Second(Till, id="twice"):
        def empty_state(self) -> Money:
            return Money(100)

    history = [take(1, 1, 101, (0, 1), component="twice")]
    with pytest.raises(TypeError, match=r"component 'twice' is .*First, .*Second: pass the one"):
        linearizable(history)
    assert linearizable(history, Second)
    assert not linearizable(history, First)
