"""How long who fails waits, and when all wait for one."""

from __future__ import annotations

from actorkalix_cluster.shardhost.limits import ConsumerLimits
from actorkalix_cluster.shardhost.patience import Patience


def patience(pause_after: int = 3) -> Patience:
    return Patience(pause_after, ConsumerLimits())


def test_waits_double_from_three_to_thirty_seconds() -> None:
    waits = [patience().wait_ms(attempt, "a") for attempt in range(1, 9)]
    for attempt, wait_ms in enumerate(waits):
        least = min(3_000 << attempt, 30_000)
        assert least <= wait_ms <= least * 6 // 5
    assert patience().wait_ms(1_000, "a") <= 36_000


def test_not_all_wait_equally_long() -> None:
    assert len({patience().wait_ms(1, f"subject {at}") for at in range(50)}) > 20


def test_one_subject_alone_stops_nobody_else() -> None:
    made = patience()
    for attempt in range(20):
        assert made.failed(("cart", "a"), "reader", attempt) == 0
    assert not made.paused


def test_many_in_a_row_stop_all_until_one_is_handled() -> None:
    made = patience()
    assert made.failed(("cart", "a"), "reader", 0) == 0
    assert made.failed(("cart", "b"), "reader", 0) == 0
    wait_ms = made.failed(("cart", "c"), "reader", 100)
    assert made.paused
    assert made.resume_ms == 100 + wait_ms
    assert not made.may_try(99 + wait_ms)
    assert made.may_try(100 + wait_ms)
    assert made.failed(("cart", "c"), "reader", 5_000) > wait_ms
    assert made.handled()
    assert made.may_try(0)
    assert not made.handled()


def test_something_handled_in_between_ends_the_row() -> None:
    made = patience()
    for at in range(10):
        assert made.failed(("cart", f"{at}"), "reader", 0) == 0
        assert not made.handled()


def test_who_blocks_stops_at_once() -> None:
    assert patience(pause_after=1).failed(("cart", "a"), "reader", 0) > 0


def test_when_too_many_wait_all_do_until_one_is_handled() -> None:
    made = patience()
    assert made.failed(("cart", "a"), "reader", 0, full=True) > 0
    assert made.paused
    assert made.handled()
    assert not made.paused
