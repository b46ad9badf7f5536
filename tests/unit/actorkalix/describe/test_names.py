"""Ids and options that are fine; the bad ones are in tests/invalid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actorkalix.describe.descriptors import ComponentKind
from actorkalix.describe.names import check_id, check_options
from actorkalix.describe.problems import NOWHERE, Problems


class ShoppingCart:
    pass


@pytest.mark.parametrize("name", ["cart", "Cart_2", "é" * 32, "a.b", "a b"])
def test_good_ids(name: str) -> None:
    """ES-01."""
    problems = Problems("it")
    assert check_id(ShoppingCart, {"id": name}, NOWHERE, problems) == name
    assert not problems


def test_missing_id_is_suggested() -> None:
    problems = Problems("it")
    assert check_id(ShoppingCart, {}, NOWHERE, problems) == "shopping-cart"
    assert problems


@pytest.mark.parametrize(
    "kind, options, good",
    [
        ("event_sourced", {"snapshot_every": 0}, True),
        ("event_sourced", {"snapshot_every": True}, False),
        ("replicated", {"write_consistency": "majority"}, True),
        ("replicated", {"write_consistency": "quorum"}, False),
        ("action", {"runs": "inline", "num_cpus": 1}, True),
        ("action", {"runs": "nowhere"}, False),
        ("workflow", {"timeout": timedelta(hours=1)}, True),
        ("workflow", {"timeout": 3}, False),
        ("value", {"snapshot_every": 3}, False),
    ],
)
def test_options(kind: ComponentKind, options: dict[str, Any], good: bool) -> None:
    problems = Problems("it")
    check_options(kind, options, NOWHERE, problems)
    assert bool(problems) is not good
