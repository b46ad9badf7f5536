"""The table of an actor's states."""

from __future__ import annotations

import pytest

from actorkalix_cluster.shardhost.actor import NEXT, Actor, State, Turn
from actorkalix_cluster.shardhost.shards import OwnedShard
from tests.unit.cluster.shardhost.counter import CounterBehavior


def new_actor() -> Actor:
    """An actor that is being loaded."""
    return Actor(CounterBehavior(), "counter", "a", OwnedShard(0, 1, 0))


def test_it_is_busy_but_for_live_and_nothing_under_way() -> None:
    actor = new_actor()
    busy = [actor.busy]
    for turn in (Turn.LOADED, Turn.BROKE):
        actor.turn(turn)
        busy.append(actor.busy)
    assert busy == [True, False, True]


def test_a_turn_that_the_table_lacks_is_a_bug() -> None:
    with pytest.raises(KeyError):
        new_actor().turn(Turn.IDLE)


def test_every_state_but_absent_can_be_lost_and_only_loaded_leads_to_live() -> None:
    for state in (State.LOADING, State.LIVE, State.BROKEN):
        assert NEXT[state, Turn.LOST] is State.ABSENT
    assert [key for key, state in NEXT.items() if state is State.LIVE] == [
        (State.LOADING, Turn.LOADED)
    ]
    assert not [key for key in NEXT if key[0] is State.ABSENT]
