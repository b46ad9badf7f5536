"""Types of states and events, their names and versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from actorkalix import migrate, type_name
from actorkalix.describe.problems import NOWHERE, Problems
from actorkalix.describe.storage import describe_events, describe_state


@type_name("sum", version=2)
@dataclass
class Sum:
    value: int


@migrate(Sum, from_version=1)
def old(data: dict[str, Any]) -> dict[str, Any]:
    return data


@dataclass
class Added:
    value: int


@pytest.mark.parametrize("tp", [Sum, Sum | None])
def test_states(tp: object) -> None:
    """RT-62: a state that may be None has the name and the migrations of its class."""
    problems = Problems("it")
    state = describe_state(tp, NOWHERE, problems)
    assert (state.tag, state.version, state.type, state.migrations) == ("sum", 2, tp, {1: old})
    assert not problems


@pytest.mark.parametrize("tp", [int, Any, list[int], int | str, None])
def test_states_without_a_class_of_their_own(tp: object) -> None:
    problems = Problems("it")
    state = describe_state(tp, NOWHERE, problems)
    assert state.version == 1 and state.tag and not problems


def test_events() -> None:
    problems = Problems("it")
    events = describe_events(Added | Sum, NOWHERE, problems)
    assert [(one.tag, one.type) for one in events] == [("Added", Added), ("sum", Sum)]
    assert not problems
    assert describe_events(Any, NOWHERE, problems) == () and problems
