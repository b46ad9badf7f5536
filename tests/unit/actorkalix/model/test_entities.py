"""Entities see state, id, effects and client while a handler runs (ES-11, ES-30)."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix import Calls, Effect, ReplicatedEntity, command
from actorkalix.crdt import PNCounter
from actorkalix.model.effects import EventSourcedEffects, ReplicatedEffects, ValueEffects

from .shop import Basket, Note, Shop, running


class Likes(ReplicatedEntity[PNCounter], id="likes"):
    @command
    def like(self, by: int = 1) -> Effect[int]:
        liked = self.effects.update_state(self.state.increment(by))
        return liked.then_reply(lambda counter: counter.value)


@pytest.mark.parametrize("component", [Shop, Note, Likes])
@pytest.mark.parametrize("name", ["state", "entity_id", "effects", "client", "context"])
def test_es_11_outside_a_handler_everything_raises_by_name(component: Any, name: str) -> None:
    with pytest.raises(RuntimeError, match=rf"{component.__name__}\.{name} exists only while"):
        getattr(component(), name)


def test_while_a_handler_runs_everything_is_there() -> None:
    shop = running(Shop, Basket(("pen",)), "s1")
    assert (shop.state, shop.entity_id) == (Basket(("pen",)), "s1")
    assert type(shop.effects) is EventSourcedEffects
    assert type(running(Note, "").effects) is ValueEffects
    assert type(running(Likes, PNCounter()).effects) is ReplicatedEffects


def test_es_27_an_entity_builds_calls_and_cannot_send_them() -> None:
    shop = running(Shop, Basket())
    assert type(shop.client) is Calls
    with pytest.raises(RuntimeError, match="entities do not wait"):
        shop.client.entity(Note, "n").write("x").result()


def test_a_replicated_entity_decides_over_local_data() -> None:
    decision = running(Likes, PNCounter(3)).like(2).decision
    assert decision.state == PNCounter(5)
    assert decision.reply is not None
    assert decision.reply(decision.state) == 5


def test_bases_have_no_metaclass_and_no_hook_that_raises() -> None:
    assert type(Shop) is type

    class Bare(Note, id="bare"): ...

    assert running(Bare, "x").state == "x"
