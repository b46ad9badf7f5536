"""Draws follow from seeds, forks from names, and both from nothing else."""

from __future__ import annotations

import pytest

from actorkalix.testkit.simulation.chance import EXPONENTIAL_TIMES_MAX, Chance

DRAWS = 2_000
KNOWN = [462931725, 357106918, 619302337, 565695655, 204100502]


def draws(chance: Chance) -> list[int]:
    return [chance.integer(0, 10**9) for _ in range(5)]


def test_a_seed_draws_the_same_again() -> None:
    assert draws(Chance(7)) == draws(Chance(7))
    seeds = (7, 8, -7, "7", b"7", "seven")
    assert len({tuple(draws(Chance(seed))) for seed in seeds}) == len(seeds)


def test_draws_of_known_seeds_stay() -> None:
    # In every process, on every machine: a seed that was reported finds its bug again.
    assert draws(Chance(7).fork("network", 1)) == KNOWN


def test_a_fork_does_not_depend_on_what_was_drawn() -> None:
    fresh, used = Chance(7), Chance(7)
    draws(used)
    assert draws(fresh.fork("disk", 2)) == draws(used.fork("disk", 2))


def test_a_fork_shifts_nothing() -> None:
    forked, alone = Chance(7), Chance(7)
    forked.fork("disk").bits(64)
    assert draws(forked) == draws(alone)


def test_forks_of_different_names_differ() -> None:
    chance = Chance(7)
    forks = [
        chance,
        *(chance.fork(name) for name in ("a", "b", 1, "1", 11)),
        chance.fork("a", "b"),
        chance.fork("ab"),
        chance.fork("a", 1),
        Chance(8).fork("a"),
    ]
    assert len({tuple(draws(fork)) for fork in forks}) == len(forks)
    assert draws(chance.fork("a", 1)) == draws(chance.fork("a").fork(1))


def test_what_happens_never_always_and_sometimes() -> None:
    chance = Chance(1)
    assert not any(chance.happens(0.0) for _ in range(DRAWS))
    assert all(chance.happens(1.0) for _ in range(DRAWS))
    assert 0.25 < sum(chance.happens(0.3) for _ in range(DRAWS)) / DRAWS < 0.35


@pytest.mark.parametrize("low,high", [(0, 0), (-2, 3), (5, 9)])
def test_integers_have_both_ends(low: int, high: int) -> None:
    chance = Chance(2)
    assert {chance.integer(low, high) for _ in range(200)} == set(range(low, high + 1))
    assert {chance.uniform_us(low, high) for _ in range(200)} == set(range(low, high + 1))


def test_exponential_times_have_their_mean_and_an_end() -> None:
    chance = Chance(3)
    times = [chance.exponential_us(1_000) for _ in range(DRAWS)]
    assert 900 < sum(times) / DRAWS < 1_100
    assert min(times) >= 0
    assert chance.exponential_us(0) == 0
    chance.fraction = lambda: 1.0 - 2.0**-53  # the largest that there is
    assert chance.exponential_us(1_000) == 1_000 * EXPONENTIAL_TIMES_MAX


def test_choices_follow_weights() -> None:
    chance = Chance(4)
    assert {chance.choice("abc") for _ in range(100)} == set("abc")
    drawn = [chance.weighted({"a": 3, "never": 0, "b": 1}) for _ in range(DRAWS)]
    assert set(drawn) == {"a", "b"}
    assert 0.7 < drawn.count("a") / DRAWS < 0.8
    assert {chance.weighted([(1, 0.5), (2, 0.5)]) for _ in range(100)} == {1, 2}


def test_nothing_to_choose_from_is_a_bug_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="no weight is above 0"):
        Chance(1).weighted({"a": 0})
    with pytest.raises(AssertionError, match="no integer is from 2 to 1"):
        Chance(1).integer(2, 1)


def test_shuffles_reach_every_order() -> None:
    chance = Chance(5)
    seen: set[tuple[int, ...]] = set()
    for _ in range(200):
        items = [1, 2, 3]
        chance.shuffle(items)
        seen.add(tuple(items))
    assert len(seen) == 6
