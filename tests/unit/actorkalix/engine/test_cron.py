"""Cron lines: the calendar, and days on which clocks are set."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorkalix.engine.cron import next_after
from actorkalix.errors import InvalidTimer

BERLIN = "Europe/Berlin"  # 2026: ahead on March 29 at 2:00, back on October 25 at 3:00
NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"  # half an hour: ahead on October 4 at 2:00, back on April 5


def ms(text: str) -> int:
    """Of an ISO time with its offset."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def times(line: str, zone: str, after: str, count: int) -> list[str]:
    """The next moments of a line, as that zone's clocks show them."""
    at_ms = ms(after)
    found: list[str] = []
    for _ in range(count):
        at_ms = next_after(line, zone, at_ms)
        found.append(f"{datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)):%m-%d %H:%M %Z}")
    return found


def test_a_line_comes_strictly_after_the_moment_that_is_given() -> None:
    three = ms("2026-11-29T03:00:00+00:00")
    assert next_after("0 3 * * *", "UTC", three - 1) == three
    assert next_after("0 3 * * *", "UTC", three) == three + 86_400_000
    assert next_after("@daily", "UTC", three) == ms("2026-11-30T00:00:00+00:00")


def test_times_are_those_of_the_zone() -> None:
    assert times("0 3 * * *", BERLIN, "2026-06-01T00:00:00+00:00", 1) == ["06-01 03:00 CEST"]
    assert times("30 8 * * mon-fri", NEW_YORK, "2026-01-02T18:00:00+00:00", 2) == [
        "01-05 08:30 EST",
        "01-06 08:30 EST",
    ]


def test_a_fixed_time_that_the_day_has_not_comes_when_clocks_go_ahead() -> None:
    assert times("30 2 * * *", BERLIN, "2026-03-28T00:00:00+01:00", 3) == [
        "03-28 02:30 CET",
        "03-29 03:00 CEST",
        "03-30 02:30 CEST",
    ]
    assert times("0,30 2,3 29 3 *", BERLIN, "2026-03-29T00:00:00+01:00", 2) == [
        "03-29 03:00 CEST",
        "03-29 03:30 CEST",
    ]


def test_a_fixed_time_that_the_day_has_twice_comes_once() -> None:
    assert times("30 2 * * *", BERLIN, "2026-10-25T00:00:00+02:00", 2) == [
        "10-25 02:30 CEST",
        "10-26 02:30 CET",
    ]
    assert times("* 2 25 10 *", BERLIN, "2026-10-25T02:58:30+02:00", 2)[0] == "10-25 02:59 CEST"
    assert times("0 3 * * *", BERLIN, "2026-10-25T00:00:00+02:00", 1) == ["10-25 03:00 CET"]


def test_what_comes_every_hour_comes_in_both_and_not_in_the_one_that_is_left_out() -> None:
    assert times("30 * * * *", BERLIN, "2026-10-25T01:40:00+02:00", 3) == [
        "10-25 02:30 CEST",
        "10-25 02:30 CET",
        "10-25 03:30 CET",
    ]
    assert times("*/30 * * * *", BERLIN, "2026-03-29T01:10:00+01:00", 3) == [
        "03-29 01:30 CET",
        "03-29 03:00 CEST",
        "03-29 03:30 CEST",
    ]


def test_a_zone_may_turn_by_half_an_hour() -> None:
    assert times("15 2 * * *", LORD_HOWE, "2026-10-04T00:00:00+10:30", 2) == [
        "10-04 02:30 +11",
        "10-05 02:15 +11",
    ]
    assert times("45 1 * * *", LORD_HOWE, "2026-04-05T00:00:00+11:00", 2) == [
        "04-05 01:45 +11",
        "04-06 01:45 +1030",
    ]


def test_a_line_of_one_day_a_year_finds_it_over_many_transitions() -> None:
    assert times("0 0 29 2 *", BERLIN, "2026-04-01T00:00:00+02:00", 2) == [
        "02-29 00:00 CET",
        "02-29 00:00 CET",
    ]
    assert times("0 12 1 7 *", BERLIN, "2026-11-01T00:00:00+01:00", 1) == ["07-01 12:00 CEST"]


@pytest.mark.parametrize(
    "line, said",
    [
        ("0 0 30 2 *", "'0 0 30 2 \\*' never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("61 * * * *", "cannot be read"),
        ("0 0 * * nobody", "cannot be read"),
        ("", "has five fields"),
        ("@reboot", "has five fields"),
        ("* * * * * *", "has five fields"),
        ("R * * * *", "by chance"),
        ("H(0-10) * * * *", "by chance"),
        ("*" * 300, "300 characters"),
    ],
)
def test_a_line_that_is_none_or_never_comes_is_refused(line: str, said: str) -> None:
    with pytest.raises(InvalidTimer, match=said):
        next_after(line, "UTC", 0)


@pytest.mark.parametrize("zone", ["", "Nowhere", "America", "../etc/passwd", "\0", "x" * 5_000])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(InvalidTimer, match="no time zone"):
        next_after("@daily", zone, 0)


LINES = ["*/7 * * * *", "0 3 * * *", "30 2 * * *", "5,35 */2 * * *", "0 1 * * 0", "59 23 l * *"]


@given(
    st.sampled_from(LINES),
    st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "UTC", "America/Sao_Paulo"]),
    st.integers(ms("2015-01-01T00:00:00+00:00"), ms("2035-01-01T00:00:00+00:00")),
)
def test_moments_go_on_and_none_between_two_is_left_out(line: str, zone: str, first: int) -> None:
    at_ms = first
    found = [at_ms := next_after(line, zone, at_ms) for _ in range(4)]
    assert all(a < b for a, b in pairwise((first, *found)))
    for before, at_ms in pairwise((first, *found)):
        assert next_after(line, zone, (before + at_ms) // 2) == at_ms
        assert next_after(line, zone, at_ms - 1) == at_ms
