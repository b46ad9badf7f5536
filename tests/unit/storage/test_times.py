"""Times in order, against a sorted list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorkalix_storage.api import Due, TimerKind
from actorkalix_storage.times import SLACK, Subject, Times

EXPIRY, CLEANUP = TimerKind.EXPIRY, TimerKind.CLEANUP


def subject(number: int) -> Subject:
    return number % 3, "c", f"e{number}"


def names(times: Times, up_to_ms: int, limit: int = 100) -> list[str]:
    found = times.due(EXPIRY, up_to_ms, limit, is_void=lambda _: False)
    return [due.entity for due in found]


TIME = st.one_of(st.none(), st.tuples(st.sampled_from([EXPIRY, CLEANUP]), st.integers(0, 20)))


@given(
    st.lists(st.tuples(st.integers(0, 12), TIME), max_size=60),
    st.integers(0, 20),
    st.integers(1, 15),
    st.sets(st.integers(0, 12), max_size=3),
    st.sets(st.integers(0, 2), max_size=1),
)
def test_what_is_due_is_found_in_order(
    puts: list[tuple[int, tuple[TimerKind, int] | None]],
    up_to_ms: int,
    limit: int,
    void: set[int],
    hidden: set[int],
) -> None:
    times = Times()
    truth: dict[Subject, tuple[TimerKind, int]] = {}
    voided = {subject(number) for number in void}
    for number, time in puts:
        times.put(subject(number), time)
        truth.pop(subject(number), None)
        if time is not None:
            truth[subject(number)] = time
        for kind in (EXPIRY, CLEANUP):
            expected = sorted(
                (at_ms, *who)
                for who, (its, at_ms) in truth.items()
                if its is kind and at_ms <= up_to_ms and who[0] not in hidden
            )
            seen = [each for each in expected if each[1:] not in voided]
            found = times.due(kind, up_to_ms, limit, is_void=voided.__contains__, hidden=hidden)
            assert found == [Due(kind, *each) for each in seen[:limit]]
    assert times.of == truth
    assert bool(times) is bool(truth)


def test_a_time_that_moves_often_leaves_little_behind() -> None:
    times = Times()
    for at_ms in range(5 * SLACK):
        times.put(subject(1), (EXPIRY, 10_000 - at_ms))
    assert sum(map(len, times._heaps.values())) <= SLACK + 3
    assert names(times, 20_000) == ["e1"]


def test_a_shard_is_forgotten() -> None:
    times = Times()
    for number in range(9):
        times.put(subject(number), (EXPIRY, number))
    times.forget(1)
    assert names(times, 100) == ["e0", "e2", "e3", "e5", "e6", "e8"]
    assert names(times, 3, limit=2) == ["e0", "e2"]
