"""What a kit's call did: reply or error, and events one after the other (TK-02, TK-04)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from actorkalix.errors import CommandError
from actorkalix.testkit.results import Result


@dataclass(frozen=True)
class Lent:
    days: int


@dataclass(frozen=True)
class Returned:
    pass


def result(*events: Lent | Returned) -> Result[str, Lent | Returned, int]:
    return Result(7, None, list(events), "state", did_persist=bool(events))


def test_a_reply() -> None:
    answered = result()
    assert (answered.is_error, answered.reply, answered.metadata) == (False, 7, {})


def test_the_reply_of_a_refusal_is_the_refusal() -> None:
    refused: Result[str, Lent, int] = Result(None, CommandError("no"), [], "state")
    assert refused.is_error
    with pytest.raises(CommandError, match="no"):
        print(refused.reply)


def test_events_are_asked_for_one_by_one() -> None:
    persisted = result(Lent(3), Returned())
    assert persisted.next_event(Lent).days == 3
    assert persisted.next_event(Returned) == Returned()
    with pytest.raises(AssertionError, match="expected Lent, but no event is left"):
        persisted.next_event(Lent)


def test_an_event_of_another_type_is_named_and_stays_the_next() -> None:
    persisted = result(Lent(3))
    with pytest.raises(AssertionError, match=r"expected Returned, the next event is Lent\(days=3"):
        persisted.next_event(Returned)
    assert persisted.next_event(Lent) == Lent(3)
