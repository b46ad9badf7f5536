"""Limits that cannot hold, alone or beside another, are refused where they are written."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from actorkalix.limits import Limits

BYTES = {"payload_bytes_max": 10, "event_bytes_max": 20, "state_bytes_max": 30}


def limits(**values: Any) -> Limits:
    return Limits(**values)


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_every_limit_is_positive(name: str) -> None:
    default = getattr(Limits(), name)
    nothing = default - default
    with pytest.raises(ValueError, match=f"Limits: {name} is at least .*, got"):
        limits(**{name: nothing})


@pytest.mark.parametrize(
    "wrong", [{"passivate_after": 30}, {"mailbox_max": True}, {"mailbox_max": timedelta(seconds=1)}]
)
def test_a_limit_of_another_type_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"Limits: {next(iter(wrong))} is at least "):
        limits(**wrong)


def test_a_command_has_room_for_its_largest_change_and_reply() -> None:
    assert limits(**BYTES, command_bytes_max=40).command_bytes_max == 40
    with pytest.raises(
        ValueError, match=r"command_bytes_max is at least state_bytes_max \+ payload.*is 40"
    ):
        limits(**BYTES, command_bytes_max=39)
    with pytest.raises(
        ValueError, match=r"command_bytes_max is at least event_bytes_max \+ payload.*is 40"
    ):
        limits(**{**BYTES, "event_bytes_max": 30, "state_bytes_max": 1}, command_bytes_max=39)


@pytest.mark.parametrize(
    "long, short, value_ms, least",
    [
        ("handler_unready", "handler_slow", 99, "0:00:00.100000"),
        ("handler_hang", "handler_unready", 1_999, "0:00:02"),
        ("ask_timeout", "owner_wait", 4_499, "0:00:04.500000"),
    ],
)
def test_what_must_come_later_comes_later(long: str, short: str, value_ms: int, least: str) -> None:
    assert limits(**{long: timedelta(milliseconds=value_ms + 1)})
    with pytest.raises(ValueError, match=f"Limits: {long} is at least {short}, which is {least}$"):
        limits(**{long: timedelta(milliseconds=value_ms)})
