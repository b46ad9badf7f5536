"""Which types a parameter takes."""

from __future__ import annotations

from typing import Any

import pytest

from actorkalix.describe.row_methods import accepts


class Base:
    pass


class Heir(Base):
    pass


@pytest.mark.parametrize(
    "takes, change",
    [
        (Any, Base),
        (object, Base),
        (Base, Base),
        (Base, Heir),
        (Base | int, int),
        (Base | int, Heir),
        (list[int], list[int]),
        (int | str, int | str),
        (int | str | None, int | str),
    ],
)
def test_taken(takes: Any, change: Any) -> None:
    """VW-11."""
    assert accepts(takes, change)


@pytest.mark.parametrize(
    "takes, change",
    [
        (Heir, Base),
        (int, str),
        (list[int], list[str]),
        (int, int | str),
        (None, int),
        (list[int], list),
    ],
)
def test_not_taken(takes: Any, change: Any) -> None:
    assert not accepts(takes, change)
