"""Replicated data types as local values: each method gives another one (RE-03)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorkalix.crdt import (
    CounterMap,
    Crdt,
    Flag,
    GCounter,
    GSet,
    LWWRegister,
    MultiMap,
    ORMap,
    ORSet,
    PNCounter,
    RegisterMap,
    Vote,
)


def test_counters() -> None:
    assert GCounter().increment().increment(2).value == 3
    assert PNCounter().increment(3).decrement().value == 2
    with pytest.raises(ValueError, match="only grows"):
        GCounter().increment(-1)


def test_sets_and_flags() -> None:
    one: GSet[int] = GSet()
    assert one.add(1).value == {1}
    many: ORSet[int] = ORSet()
    assert many.add(1).add(2).remove(1).value == {2}
    assert Flag().enable().value


def test_registers() -> None:
    assert LWWRegister(1).set(2).value == 2
    names: RegisterMap[str, int] = RegisterMap()
    assert names.set("a", 1).set("a", 2).get("a") == 2
    assert names.set("a", 1).remove("a").get("a") is None


def test_maps() -> None:
    counters: CounterMap[str] = CounterMap()
    assert counters.increment("a", 3).decrement("a").get("a") == 2
    assert counters.get("b") == 0
    assert counters.increment("a").remove("a").is_empty()
    data: ORMap[str, PNCounter] = ORMap()
    assert data.update("a", PNCounter(3)).get("a", PNCounter()).value == 3
    assert data.update("a", PNCounter(3)).remove("a").get("a", PNCounter()).value == 0


def test_re_25_a_multimap_forgets_a_key_with_its_last_value() -> None:
    tags: MultiMap[str, int] = MultiMap()
    assert tags.put("a", 1).put("a", 2).get("a") == {1, 2}
    assert tags.put("a", 1).remove("a", 1).value == {}
    assert tags.put("a", 1).remove_all("a").is_empty()


def test_re_27_votes() -> None:
    vote = Vote(votes_for=1, voters=3)
    assert vote.at_least_one
    assert not vote.majority
    assert vote.vote(True).majority
    assert not vote.vote(True).unanimous
    assert vote.vote(True).vote(False) == vote


@pytest.mark.parametrize(
    "data",
    [GCounter, PNCounter, GSet, ORSet, Flag, ORMap, CounterMap, RegisterMap, MultiMap, Vote],
)
def test_all_are_empty_at_first(data: Callable[[], Crdt]) -> None:
    assert data().is_empty()


def test_a_register_is_never_empty() -> None:
    assert not LWWRegister(0).is_empty()
