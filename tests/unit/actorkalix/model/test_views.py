"""Views decide over rows while a table handler runs."""

from __future__ import annotations

from typing import Any

import pytest

from .shop import Rows, running


def test_effects_exist_while_a_handler_runs() -> None:
    assert running(Rows).effects.update_row(3).row == 3
    with pytest.raises(RuntimeError, match=r"Rows\.effects exists only while a handler runs"):
        _ = Rows().effects


def test_a_row_is_never_none() -> None:
    """VW-12: nothing is stored, the subject waits until the code is mended."""
    nothing: Any = None
    with pytest.raises(ValueError, match=r"update_row\(None\): .* delete_row\(\) removes it"):
        running(Rows).effects.update_row(nothing)
