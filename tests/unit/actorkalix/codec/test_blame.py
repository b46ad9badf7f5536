"""The innermost part that cannot be encoded is named."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix.codec.blame import blame
from tests.unit.actorkalix.codec.samples import Cash, Line, Order, Point

WRONG: Any = 1j


@pytest.mark.parametrize(
    "value, path",
    [
        (object(), ""),
        (Order((Line("p", 2**70),)), ".lines[0].quantity"),
        (Cash(WRONG), ".amount"),
        (Point(1, WRONG), ".y"),
        ({"a": [1, {1j}]}, ".a[1][]"),
    ],
)
def test_path(value: Any, path: str) -> None:
    assert blame("it", value, TypeError("no")).startswith(f"it{path}: ")


def test_reasons() -> None:
    assert blame("it", 2**70, OverflowError()) == "it: the integer is beyond 64 bits"
    assert blame("it", 1, RecursionError()) == "it: nested too deeply, or it holds itself"
    assert blame("it", 1, KeyError()) == "it: KeyError"
