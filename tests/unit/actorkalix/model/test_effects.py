"""Effects are immutable data; what cannot be is refused while they are built."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actorkalix import Calls, CommandError, Metadata
from actorkalix.model.effects import (
    ActionEffects,
    Decision,
    Effect,
    EventSourcedEffects,
    ReplicatedEffects,
    RowEffects,
    Update,
    ValueEffects,
)
from actorkalix.model.workflow_effects import WorkflowEffects

from .shop import Added, Shop

events: EventSourcedEffects[list[str], Added] = EventSourcedEffects()
values: ValueEffects[int] = ValueEffects()
unchecked: Any = values


def reply_of(effect: Effect[Any], state: Any) -> Any:
    assert effect.decision.reply is not None
    return effect.decision.reply(state)


def test_es_20_persist_says_events_in_order_and_replies_from_the_new_state() -> None:
    effect = events.persist(Added("a"), Added("b")).then_reply(len)
    assert effect.decision.events == (Added("a"), Added("b"))
    assert reply_of(effect, ["a", "b"]) == 2


def test_es_25_persisting_nothing_is_a_plain_reply() -> None:
    effect = events.persist().then_reply(None)
    assert effect.decision.events == ()
    assert not effect.decision.has_state
    assert reply_of(effect, ["a"]) is None


def test_es_20_everything_that_a_change_may_carry() -> None:
    call = Calls().entity(Shop, "s").add("pen")
    effect = (
        events.persist(Added("a"))
        .with_metadata({"by": "me"})
        .delete_entity()
        .expire_after(timedelta(days=1))
        .side_effect(call)
        .then_reply(None)
        .with_metadata({"x": "y"})
    )
    decision = effect.decision
    assert decision.event_metadata == Metadata({"by": "me"})
    assert decision.metadata == Metadata({"x": "y"})
    assert decision.delete
    assert decision.expire_after == timedelta(days=1)
    assert decision.side_effects == (call,)


def test_every_step_gives_another_object() -> None:
    first = events.persist(Added("a"))
    second = first.delete_entity()
    assert isinstance(second, Update)
    assert not first.decision.delete
    decision: Any = first.decision
    with pytest.raises(AttributeError):
        decision.delete = True


def test_kv_02_a_value_is_replaced_or_deleted() -> None:
    updated = values.update_state(3).then_reply(lambda state: state + 1)
    assert (updated.decision.state, updated.decision.has_state) == (3, True)
    assert reply_of(updated, 3) == 4
    deleted = values.delete_entity().then_reply(None)
    assert deleted.decision.delete
    assert not deleted.decision.has_state


@pytest.mark.parametrize("kind", [ValueEffects, ReplicatedEffects, WorkflowEffects])
def test_kv_01_a_state_that_is_none_is_refused_at_once(kind: Any) -> None:
    with pytest.raises(ValueError, match="never None; use delete_entity"):
        kind().update_state(None)


@pytest.mark.parametrize(
    "build,error",
    [
        (lambda: unchecked.update_state(3).expire_after(timedelta(0)), ValueError),
        (lambda: unchecked.update_state(3).expire_after(timedelta(-1)), ValueError),
        (lambda: unchecked.update_state(3).expire_after(30), TypeError),
        (lambda: unchecked.update_state(3).then_reply("ok"), TypeError),
        (lambda: unchecked.reply(3).with_metadata({"n": 3}), TypeError),
        (lambda: unchecked.error("no", code="ok"), ValueError),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    build: Callable[[], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        build()


def test_es_84_errors_carry_code_and_details_and_nothing_else() -> None:
    decision = values.error("no", code="not_found", details={"id": 3}).decision
    assert isinstance(decision.error, CommandError)
    assert (decision.error.message, decision.error.code) == ("no", "not_found")
    assert decision.error.details == {"id": 3}
    assert decision.reply is None
    assert ActionEffects().error("no").decision.error is not None


def test_a_forwarded_call_replies_instead() -> None:
    shop = Calls().entity(Shop, "s")
    first, second = shop.items(), shop.add("pen")
    assert values.forward(first).decision == Decision(forward=first)
    effect = values.update_state(3).then_forward(second)
    assert effect.decision.forward is second
    assert effect.decision.reply is None
    with pytest.raises(RuntimeError, match=r"already handed to .then_forward"):
        values.reply(3).side_effect(second)


def test_effects_of_rows() -> None:
    rows = RowEffects()
    assert (rows.update_row(3).kind, rows.update_row(3).row) == ("update", 3)
    assert [rows.delete_row().kind, rows.ignore().kind] == ["delete", "ignore"]


def test_an_effect_shows_what_it_says() -> None:
    assert repr(events.persist(Added("a"))) == "Update(events=(Added(item='a'),))"
