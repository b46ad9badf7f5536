"""`EntityTestKit`: rules TK-*, by id."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorkalix import CommandError
from actorkalix.errors import (
    EntityDeleted,
    HandlerWaits,
    InvalidEffect,
    InvalidPayload,
    NotEncodable,
)
from actorkalix.testkit import EntityTestKit
from tests.unit.actorkalix.engine.ledger import Added, Book, Closed, Profile, Settings, TooMuch
from tests.unit.actorkalix.engine.odd import Board, Lossy, Note, Odd
from tests.unit.actorkalix.runtime.impatient import Impatient


def test_tk_01_one_stateful_entity_is_kept_across_calls() -> None:
    kit = EntityTestKit(Book, "b")
    assert kit.call(Book.add, 2).reply == 2
    assert kit.call(Book.add, amount=3).reply == 5
    assert kit.call(Book.total).reply == 5
    assert kit.all_events == [Added(2), Added(3)]
    assert (kit.sequence_number, kit.deleted) == (2, False)


def test_tk_01_starts_from_state_or_events() -> None:
    kit = EntityTestKit(Book, "b", events=[Added(1), Added(2)])
    assert (kit.state.total, kit.sequence_number) == (3, 2)
    assert EntityTestKit(Profile, "p", state=Settings("dark")).call(Profile.theme).reply == "dark"
    assert EntityTestKit(Book, "b", state=kit.state).call(Book.add, 1).reply == 4


def test_tk_02_result() -> None:
    kit = EntityTestKit(Book)
    result = kit.call(Book.lend, 2, seconds=60)
    assert result.did_persist and not result.is_error
    assert result.expires_after == timedelta(seconds=60)
    assert result.next_event(Added).amount == 2
    with pytest.raises(AssertionError, match="no event is left"):
        result.next_event(Added)
    with pytest.raises(AssertionError, match="expected Closed, the next event is Added"):
        kit.call(Book.add, 1).next_event(Closed)


def test_tk_02_errors_keep_their_class_and_fields() -> None:
    kit = EntityTestKit(Book)
    result = kit.call(Book.add, 1004)
    assert isinstance(result.error, TooMuch)
    assert (result.error.above, result.error.code, result.error.details) == (
        4,
        "out_of_range",
        {"above": 4},
    )
    with pytest.raises(CommandError, match="4 too much"):
        _ = result.reply
    assert not result.did_persist and result.events == []


def test_tk_01_metadata_of_one_call() -> None:
    kit = EntityTestKit(Book, "b")
    assert kit.with_metadata({"A": "x"}).call(Book.who).reply == "b who False x"
    assert kit.call(Book.who).reply == "b who False None"


def test_tk_08_arguments_and_effects_make_the_round_trip() -> None:
    kit = EntityTestKit(Book)
    with pytest.raises(InvalidPayload):
        kit.call(Book.add, "five")  # type: ignore[arg-type]
    with pytest.raises(NotEncodable):
        kit.call(Book.huge)
    with pytest.raises(InvalidEffect):
        kit.call(Book.unfinished)
    with pytest.raises(RuntimeError, match="secret"):
        kit.call(Book.crash)
    assert kit.sequence_number == 0


def test_a_state_changed_in_place_is_named() -> None:
    kit = EntityTestKit(Profile)
    with pytest.raises(AssertionError, match=r"settings 'test'\.smuggle changed the state"):
        kit.call(Profile.smuggle, "x")


def test_a_handler_that_waits_is_named() -> None:
    kit = EntityTestKit(Impatient)
    with pytest.raises(HandlerWaits, match=r"impatient 'test'\.wait called time\.sleep"):
        kit.call(Impatient.wait, "sleep")
    assert not kit.all_events
    assert kit.call(Impatient.wait, "not").reply == 1


def test_delete_expiry_and_restart() -> None:
    kit = EntityTestKit(Book)
    kit.call(Book.lend, 1, seconds=5)
    kit.advance(timedelta(seconds=4))
    deleted_early = kit.deleted
    kit.advance(timedelta(seconds=1))
    assert (deleted_early, kit.deleted) == (False, True)
    kit.restart()
    assert kit.deleted and kit.state.total == 1
    assert isinstance(kit.call(Book.add, 1).error, EntityDeleted)


def test_a_handler_of_another_entity_is_refused() -> None:
    with pytest.raises(TypeError, match="Book has no handler 'theme'"):
        EntityTestKit(Book).call(Profile.theme)  # type: ignore[arg-type]


def test_tk_04_result_of_a_value_entity() -> None:
    kit = EntityTestKit(Board, "b", state=Note("old"))
    result = kit.call(Board.pin, text="new")
    assert result.did_persist and (result.state.text, kit.sequence_number) == ("new", 2)
    assert not kit.call(Board.nearly_take_down).did_persist
    with pytest.raises(ValueError, match="a state is never None"):
        kit.call(Board.forget)
    assert kit.call(Board.take_down).deleted and kit.state == Note()


def test_tk_08_sets_have_no_order_to_lose() -> None:
    labels = frozenset(f"label-{number}" for number in range(200))
    assert EntityTestKit(Board).call(Board.label, labels=labels).reply.labels == labels


def test_tk_08_a_state_that_does_not_come_back_is_named() -> None:
    with pytest.raises(AssertionError, match="read back from a snapshot is not the state"):
        EntityTestKit(Lossy).call(Lossy.write)


@pytest.mark.parametrize("milliseconds", [1, 1_001, 8_003])
def test_advance_passes_whole_milliseconds(milliseconds: int) -> None:
    """ES-54: neither a millisecond early nor late."""
    kit = EntityTestKit(Odd)
    kit.call(Odd.write_for, microseconds=milliseconds * 1_000)
    kit.advance(timedelta(milliseconds=milliseconds - 1))
    assert not kit.deleted
    kit.advance(timedelta(milliseconds=1))
    assert kit.deleted
